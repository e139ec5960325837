"""Whether the sender of a message has stopped it: asked at the attempt, of the batch it belongs to."""

from gatepost.mailflow.delivery.outcome import Outcome, Verdict
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.mailflow.queue.schedule import CANCELLED_REASON, PAUSED_REASON, BatchStatus
from gatepost.mailflow.queue.start import BatchStatuses
from gatepost.primitives.errors import Transient


def find_stop(message: QueuedMessage, statuses: BatchStatuses) -> Outcome | None:
    """Return what becomes of an attempt that may not be made; None where nothing stands against it."""
    if message.options is None or not message.options.batch_id:
        return None
    try:
        status = statuses.find_status(message.account_id, message.options.batch_id)
    except Transient as trouble:
        return Outcome(verdict=Verdict.DEFERRED, reason=f"it is not known whether its batch was stopped: {trouble}")
    match status:
        case BatchStatus.CANCELLED:
            return Outcome(verdict=Verdict.DROPPED, reason=CANCELLED_REASON)
        case BatchStatus.PAUSED:
            return Outcome(verdict=Verdict.DEFERRED, reason=PAUSED_REASON)
        case None:
            return None
