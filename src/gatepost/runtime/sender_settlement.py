"""Makes the queue agree with who may send in a name, after that has changed."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN, Predicate
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.sender_names import SenderNames
from gatepost.tenancy.senders.sender_rights import SenderRights

_MAX_ROUNDS: Final = 5


class ShardReport(Protocol):
    """What became of a request at one queue shard."""

    @property
    def index(self) -> int:
        """Which shard, and so which mail worker."""
        ...

    @property
    def count(self) -> int:
        """How many recipients were concerned."""
        ...

    @property
    def trouble(self) -> str:
        """Why it is not known to have happened there; "" if it has."""
        ...


class QueueControl(Protocol):
    """What is asked of the mail workers and queue shards; ``control_client.Workers`` does it."""

    def refresh(self, *, timeout: timedelta) -> Sequence[ShardReport]:
        """Make a change of rights exact."""
        ...

    def refresh_and_hold(self, predicate: Predicate, *, reason: str, timeout: timedelta) -> Sequence[ShardReport]:
        """Make a change of rights exact, and hold what matches."""
        ...

    def release(self, predicate: Predicate, *, timeout: timedelta) -> Sequence[ShardReport]:
        """Queue again what is held and matches."""
        ...


class SenderSettlement:
    """Holds what rests on a right that is gone, and lets go on what waited for its return. Blocks.

    It goes by what is so, not by what was done: after holding or releasing it looks again, so that of two who change
    the same right at a time the later one's work stands. Any call may be repeated.
    """

    def __init__(self, rights: SenderRights, workers: QueueControl, *, timeout: timedelta) -> None:
        self._rights: Final = rights
        self._workers: Final = workers
        self._timeout: Final = timeout

    def settle_domain(self, account_ids: Iterable[AccountId], name: str, *, reason: str) -> list[ShardReport]:
        """Make certain what these accounts may do in and below a domain, once that is committed.

        When no report has a trouble, no worker accepts anything under an old right, what the accounts have queued in
        a name that they may not use is held, and what was held until the right's return goes on if it has returned.

        Args:
            account_ids: Whose right to the domain has changed.
            name: The domain.
            reason: Why what is held is held; ``HELD_UNTIL_RETURN`` for what the service is to release by itself.
        """
        reports: list[ShardReport] = []
        for account_id in account_ids:
            for _ in range(_MAX_ROUNDS):
                seen = self._look(account_id, name)
                told = self._agree(account_id, *seen, reason)
                reports += told
                if any(report.trouble for report in told) or self._look(account_id, name) == seen:
                    break
        return reports

    def settle_address(self, account_id: AccountId, address: str, *, reason: str) -> list[ShardReport]:
        """As ``settle_domain``, for one address that was proved by itself."""
        return self._agree(account_id, self._rights.find_lost_address(account_id, address), None, reason)

    def _look(self, account_id: AccountId, name: str) -> tuple[SenderNames | None, SenderNames | None]:
        return self._rights.find_lost(account_id, name), self._rights.find_regained(account_id, name)

    def _agree(
        self, account_id: AccountId, lost: SenderNames | None, regained: SenderNames | None, reason: str
    ) -> list[ShardReport]:
        if lost is not None:
            gone = Predicate(account_id=account_id, sender=lost)
            return list(self._workers.refresh_and_hold(gone, reason=reason, timeout=self._timeout))
        told = list(self._workers.refresh(timeout=self._timeout))
        if regained is not None:
            back = Predicate(account_id=account_id, sender=regained, held_for=HELD_UNTIL_RETURN)
            told += self._workers.release(back, timeout=self._timeout)
        return told
