"""What stands before the proof of a domain: a name that looks like another's waits for the operator (``review``)."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.look_alike import LookAlikes
from gatepost.tenancy.senders.ports import ReviewStore, VerifiedNames
from gatepost.tenancy.senders.review import DomainReview, ReviewState


class LookAlikeGuard:
    """Stands before the proof of a domain."""

    def __init__(
        self,
        *,
        reviews: ReviewStore,
        names: VerifiedNames,
        look_alikes: LookAlikes,
        protected: Collection[str],
        unit_of_work: Callable[[], AbstractContextManager[object]],
    ) -> None:
        """Guard these.

        Args:
            reviews: What was held and decided before.
            names: What others have verified.
            look_alikes: Tells what looks like what.
            protected: The operator's own names, normalised.
            unit_of_work: Opens a block that is the only writer of both stores, on every machine, while it lasts.
        """
        self._reviews: Final = reviews
        self._names: Final = names
        self._look_alikes: Final = look_alikes
        self._protected: Final = frozenset(protected)
        self._unit_of_work: Final = unit_of_work

    def admit(self, account_id: AccountId, name: str, now: datetime, verify: Callable[[], None]) -> DomainReview | None:
        """Make the account's claim verified, or return why it must not be now.

        A name that looks like another is stored as HELD with that. Of two that look alike and are proved in the same
        instant one is verified and the other held: the last look and ``verify`` are one unit of work. All writers wait
        for that, so the names of others are gone through before it, and within it only those that have come since.

        Args:
            account_id: Whose claim it is.
            name: What it is to.
            now: The present instant.
            verify: Makes it verified; what it raises leaves everything as it was.
        """
        known = self._list_others(account_id)
        looks_like = None
        if self._reviews.find(account_id, name) is None:
            looks_like = self._look_alikes.find(name, sorted(known))
        with self._unit_of_work():
            review = self._reviews.find(account_id, name)
            if review is None:
                new = self._list_others(account_id) - known
                looks_like = looks_like or self._look_alikes.find(name, sorted(new))
                review = None if looks_like is None else self._hold(account_id, name, looks_like, now)
            if review is None or review.state is ReviewState.APPROVED:
                verify()
                return None
        return review

    def _hold(self, account_id: AccountId, name: str, looks_like: str, now: datetime) -> DomainReview:
        held = DomainReview(
            account_id=account_id, name=name, looks_like=looks_like, state=ReviewState.HELD, held_at=now
        )
        return self._reviews.hold(held)

    def _list_others(self, account_id: AccountId) -> frozenset[str]:
        return self._protected.union(self._names.list_verified_names(account_id))
