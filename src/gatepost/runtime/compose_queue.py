"""The composition of one queue shard, for its worker or for a command while no worker runs."""

from gatepost.mailflow.queue.retry import DEFAULT_SCHEDULE, RetrySchedule
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.telemetry.logger import get_logger

log = get_logger()


async def open_queue(settings: Settings, index: int) -> SQLiteQueue:
    """Open the shard of a mail worker, under its lock."""
    return await SQLiteQueue.open(
        settings.queue_dir,
        index,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        settings=QueueSettings(longest_delay=retry_schedule(settings).longest_delay),
        report=lambda event, fields: log.warning(event, **fields),
    )


def retry_schedule(settings: Settings) -> RetrySchedule:
    """Return when delivery is tried again, and for how long."""
    return RetrySchedule(delays=DEFAULT_SCHEDULE.delays, lifetime=settings.queue.expire_after)
