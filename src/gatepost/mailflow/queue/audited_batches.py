"""The batch store that writes down what is decided about batches. Making a batch id decides nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from gatepost.mailflow.queue.batches import BatchDecision, BatchStore, NotDecided
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder

_ACTS: Final = {
    BatchStatus.PAUSED: Act.BATCH_PAUSED,
    BatchStatus.CANCELLED: Act.BATCH_CANCELLED,
    None: Act.BATCH_RELEASED,
}

T = TypeVar("T")


class AuditedBatchStore:
    """Implements BatchStore over another one; each decision and its entry are one transaction."""

    def __init__(self, store: BatchStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add(self, account_id: AccountId, batch_id: str, now: datetime, *, at_most: int) -> bool:
        """Store a new batch, unless the account has as many as it may."""
        return self._store.add(account_id, batch_id, now, at_most=at_most)

    def is_valid(self, account_id: AccountId, batch_id: str, now: datetime) -> bool:
        """Return whether mail can be put into the batch."""
        return self._store.is_valid(account_id, batch_id, now)

    def list_decisions(self, account_id: AccountId) -> Sequence[BatchDecision]:
        """Return what the account has decided, oldest first."""
        return self._store.list_decisions(account_id)

    def find_status(self, account_id: AccountId, batch_id: str) -> BatchStatus | None:
        """Return what was decided about the batch."""
        return self._store.find_status(account_id, batch_id)

    def is_known(self, account_id: AccountId, batch_id: str) -> bool:
        """Return whether the batch is the account's."""
        return self._store.is_known(account_id, batch_id)

    def decide(
        self, account_id: AccountId, batch_id: str, status: BatchStatus, now: datetime, *, at_most: int
    ) -> NotDecided | None:
        """Pause or cancel a batch about which nothing was decided."""
        return self._deciding(
            account_id, batch_id, lambda: self._store.decide(account_id, batch_id, status, now, at_most=at_most)
        )

    def change(self, account_id: AccountId, batch_id: str, status: BatchStatus, now: datetime) -> bool:
        """Replace a decision."""
        return self._deciding(account_id, batch_id, lambda: self._store.change(account_id, batch_id, status, now))

    def undo(self, account_id: AccountId, batch_id: str) -> bool:
        """Take a decision back."""
        return self._deciding(account_id, batch_id, lambda: self._store.undo(account_id, batch_id))

    def _deciding(self, account_id: AccountId, batch_id: str, act: Callable[[], T]) -> T:
        with self._recorder.acting():
            before = self._store.find_status(account_id, batch_id)
            outcome = act()
            after = self._store.find_status(account_id, batch_id)
            self._recorder.record(
                account_id, _ACTS[after], f"batch/{batch_id}", before=_snapshot(before), after=_snapshot(after)
            )
            return outcome


def _snapshot(status: BatchStatus | None) -> Snapshot:
    return {"status": None if status is None else status.value}
