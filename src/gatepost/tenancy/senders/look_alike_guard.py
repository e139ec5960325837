"""What stands before the proof of a domain: a name that looks like another's waits for the operator (``review``)."""

from collections.abc import Collection
from datetime import datetime
from itertools import chain
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
    ) -> None:
        """Guard these.

        Args:
            reviews: What was held and decided before.
            names: What others have verified.
            look_alikes: Tells what looks like what.
            protected: The operator's own names, normalised.
        """
        self._reviews: Final = reviews
        self._names: Final = names
        self._look_alikes: Final = look_alikes
        self._protected: Final = tuple(protected)

    def find_objection(self, account_id: AccountId, name: str, now: datetime) -> DomainReview | None:
        """Return why the account's claim must not be verified now; None if nothing is against it.

        A name that looks like another is stored as HELD with that. The names of others are gone through once.
        """
        review = self._reviews.find(account_id, name)
        if review is None:
            others = chain(self._protected, self._names.list_verified_names(account_id))
            looks_like = self._look_alikes.find(name, others)
            if looks_like is None:
                return None
            held = DomainReview(
                account_id=account_id, name=name, looks_like=looks_like, state=ReviewState.HELD, held_at=now
            )
            review = self._reviews.hold(held)
        return None if review.state is ReviewState.APPROVED else review
