"""Mail that waits for its time, and what becomes of it when that has come. Pure.

A batch is mail that its sender may stop as one. While it is paused nothing of it is begun; what it keeps back for too
long is dropped. A cancelled batch is dropped when its time comes: until then its sender may think again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.primitives.ids import AccountId

PAUSED_AT_MOST: Final = timedelta(hours=72)
"""So long after its time mail of a paused batch is kept; then nobody waits for it any more."""

CANCELLED_REASON: Final = "its batch was cancelled"
PAUSED_REASON: Final = "its batch is paused"
EXPIRED_REASON: Final = "its batch stayed paused for too long"


class BatchStatus(Enum):
    """What was decided about a batch; the values are the dialect's."""

    PAUSED = "pause"
    CANCELLED = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueGroup:
    """Scheduled mail of one account and one batch ("" for none) of which some is due."""

    account_id: AccountId
    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEnd:
    """What becomes of the mail of a group whose time came at ``until`` or before: QUEUED, or DROPPED for a reason."""

    until: datetime
    to: RecipientState
    reason: str = ""


def decide_due(status: BatchStatus | None, now: datetime) -> ScheduleEnd:
    """Decide what becomes of due mail; ``status`` is None where nothing was decided about its batch."""
    match status:
        case None:
            return ScheduleEnd(until=now, to=RecipientState.QUEUED)
        case BatchStatus.CANCELLED:
            return ScheduleEnd(until=now, to=RecipientState.DROPPED, reason=CANCELLED_REASON)
        case BatchStatus.PAUSED:
            return ScheduleEnd(until=now - PAUSED_AT_MOST, to=RecipientState.DROPPED, reason=EXPIRED_REASON)
