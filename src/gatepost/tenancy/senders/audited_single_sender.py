"""The stores of single senders and of reviews that write down what is done to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder
from gatepost.tenancy.senders.ports import ReviewStore, SingleSenderStore
from gatepost.tenancy.senders.review import DomainReview, ReviewState
from gatepost.tenancy.senders.single_sender import SenderDetails, SenderId, SingleSender


class AuditedSingleSenderStore:
    """Implements SingleSenderStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: SingleSenderStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add(self, sender: SingleSender, token_hash: bytes) -> SenderId:
        """Store a new one."""
        with self._recorder.acting():
            number = self._store.add(sender, token_hash)
            self._record(sender.account_id, number, Act.SENDER_ADDED, None)
            return number

    def find(self, account_id: AccountId, number: SenderId) -> SingleSender | None:
        """Return the account's sender of that number."""
        return self._store.find(account_id, number)

    def list_after(self, account_id: AccountId, after: SenderId, limit: int) -> Sequence[SingleSender]:
        """Return the account's senders, by number."""
        return self._store.list_after(account_id, after, limit)

    def count(self, account_id: AccountId) -> int:
        """Return how many the account has."""
        return self._store.count(account_id)

    def describe(self, account_id: AccountId, number: SenderId, details: SenderDetails) -> bool:
        """Change what the sender says about itself: no right, so nothing to write down."""
        return self._store.describe(account_id, number, details)

    def withdraw(self, account_id: AccountId, number: SenderId) -> None:
        """Make a VERIFIED sender PENDING."""
        with self._recorder.acting():
            before = self._store.find(account_id, number)
            self._store.withdraw(account_id, number)
            self._record(account_id, number, Act.SENDER_WITHDRAWN, before)

    def move(
        self, account_id: AccountId, number: SenderId, address: str, token_hash: bytes, token_expires_at: datetime
    ) -> bool:
        """Give the sender another address."""
        with self._recorder.acting():
            before = self._store.find(account_id, number)
            is_done = self._store.move(account_id, number, address, token_hash, token_expires_at)
            self._record(account_id, number, Act.SENDER_CHANGED, before)
            return is_done

    def renew(self, account_id: AccountId, number: SenderId, token_hash: bytes, token_expires_at: datetime) -> bool:
        """Replace the token of a PENDING sender."""
        with self._recorder.acting():
            before = self._store.find(account_id, number)
            is_done = self._store.renew(account_id, number, token_hash, token_expires_at)
            self._record(account_id, number, Act.SENDER_TOKEN_RENEWED, before)
            return is_done

    def prove(self, account_id: AccountId, token_hash: bytes, now: datetime) -> SingleSender | None:
        """Burn the token and make its sender VERIFIED."""
        with self._recorder.acting():
            proved = self._store.prove(account_id, token_hash, now)
            if proved is not None:
                after = _snapshot(proved)
                # The token's end is not known any more; that it was PENDING is.
                before: Snapshot = {**after, "state": "pending"}
                self._recorder.record(account_id, Act.SENDER_VERIFIED, _subject(proved.id), before=before, after=after)
            return proved

    def remove(self, account_id: AccountId, number: SenderId) -> bool:
        """Forget the sender."""
        with self._recorder.acting():
            before = self._store.find(account_id, number)
            is_removed = self._store.remove(account_id, number)
            self._record(account_id, number, Act.SENDER_REMOVED, before)
            return is_removed

    def is_verified(self, account_id: AccountId, address: str) -> bool:
        """Say whether the account has proved exactly that address."""
        return self._store.is_verified(account_id, address)

    def _record(self, account_id: AccountId, number: SenderId, act: Act, before: SingleSender | None) -> None:
        after = self._store.find(account_id, number)
        earlier, later = (None if sender is None else _snapshot(sender) for sender in (before, after))
        self._recorder.record(account_id, act, _subject(number), before=earlier, after=later)


class AuditedReviewStore:
    """Implements ReviewStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: ReviewStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def find(self, account_id: AccountId, name: str) -> DomainReview | None:
        """Return what there is about the account's claim to that name."""
        return self._store.find(account_id, name)

    def list_held(self) -> Sequence[DomainReview]:
        """Return all that wait for the operator."""
        return self._store.list_held()

    def hold(self, review: DomainReview) -> DomainReview:
        """Store one that is HELD."""
        with self._recorder.acting():
            before = self._store.find(review.account_id, review.name)
            stands = self._store.hold(review)
            self._record(Act.DOMAIN_HELD, before, stands)
            return stands

    def decide(self, account_id: AccountId, name: str, state: ReviewState, at: datetime) -> bool:
        """Approve or reject."""
        with self._recorder.acting():
            before = self._store.find(account_id, name)
            is_done = self._store.decide(account_id, name, state, at)
            after = self._store.find(account_id, name)
            if after is not None:
                act = Act.DOMAIN_APPROVED if state is ReviewState.APPROVED else Act.DOMAIN_REJECTED
                self._record(act, before, after)
            return is_done

    def _record(self, act: Act, before: DomainReview | None, after: DomainReview) -> None:
        earlier = None if before is None else _review_snapshot(before)
        subject = f"domain/{after.name}"
        self._recorder.record(after.account_id, act, subject, before=earlier, after=_review_snapshot(after))


def _subject(number: SenderId) -> str:
    return f"sender/{number}"


def _snapshot(sender: SingleSender) -> Snapshot:
    ends = sender.token_expires_at
    return {
        "email": sender.email,
        "state": sender.state.value,
        "token_expires_at": None if ends is None else ends.isoformat(),
    }


def _review_snapshot(review: DomainReview) -> Snapshot:
    # Whose name it looks like is the operator's to know: an account reads its own log.
    return {"name": review.name, "review": review.state.value}
