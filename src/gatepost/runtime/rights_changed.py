"""A mail worker makes a change of rights exact: it tells all workers, itself too, as the command line does."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.runtime.control_client import Workers
from gatepost.runtime.sender_settlement import SenderSettlement, ShardReport

TIMEOUT: Final = timedelta(seconds=15)


class ControlledWorkers:
    """Asks over the control sockets, from threads, so that this worker's own socket goes on answering."""

    def __init__(self, workers: Workers, senders: SenderSettlement) -> None:
        self._workers = workers
        self._senders = senders

    async def settle(self) -> None:
        """Return when no worker accepts anything under an old right any more. Raises ``Transient``."""
        await _certain(lambda: self._workers.refresh(timeout=TIMEOUT))

    async def settle_and_hold(self, account_id: AccountId, key_id: KeyId | None, *, reason: str) -> None:
        """As ``settle``; and everything queued under the key, or without one for the account, is held."""
        which = Predicate(account_id=account_id, key_id=key_id)
        await _certain(lambda: self._workers.refresh_and_hold(which, reason=reason, timeout=TIMEOUT))

    async def settle_domain(self, account_ids: Iterable[AccountId], name: str, *, reason: str) -> None:
        """As ``settle``; and the queue agrees with what these accounts may send as, in the domain and below it."""
        holders = tuple(account_ids)
        await _certain(lambda: self._senders.settle_domain(holders, name, reason=reason))

    async def settle_address(self, account_id: AccountId, address: str, *, reason: str) -> None:
        """As ``settle``; and what is queued in the name of an address is held if the account may not use it."""
        await _certain(lambda: self._senders.settle_address(account_id, address, reason=reason))


async def _certain(ask: Callable[[], Sequence[ShardReport]]) -> None:
    reports = await asyncio.to_thread(ask)
    troubles = [f"mail worker {report.index}: {report.trouble}" for report in reports if report.trouble]
    if troubles:
        raise Transient("a change of rights is stored, but not certain everywhere: " + "; ".join(troubles))
