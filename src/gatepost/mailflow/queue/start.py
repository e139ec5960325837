"""Begins what is due: asks what was decided about each batch, and tells the queue."""

from datetime import datetime
from typing import Protocol

from gatepost.mailflow.queue.ports import Queue
from gatepost.mailflow.queue.schedule import BatchStatus, decide_due
from gatepost.primitives.ids import AccountId


class BatchStatuses(Protocol):
    """Says what was decided about a batch, now."""

    def find_status(self, account_id: AccountId, batch_id: str) -> BatchStatus | None:
        """Return whether the account has paused or cancelled the batch; None if neither.

        A decision whose call had returned before this one is always seen, on every process. Microseconds.

        Raises:
            Transient: It cannot be known now.
        """
        ...


async def start_due(queue: Queue, statuses: BatchStatuses, now: datetime) -> int:
    """Queue or drop the scheduled mail whose time has come; return how many recipients.

    A decision that comes between the question and the queue's answer is seen at the attempt, where it is asked again.

    Raises:
        Transient: The store of decisions or the queue's cannot be asked now; nothing is lost, call again.
    """
    if queue.next_start_at is None or queue.next_start_at > now:
        return 0
    count = 0
    for group in await queue.find_due(now):
        status = statuses.find_status(group.account_id, group.batch_id) if group.batch_id else None
        count += await queue.end_schedule(group, decide_due(status, now))
    return count
