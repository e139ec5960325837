"""The composition of one queue shard, for its worker or for a command while no worker runs."""

import asyncio
from datetime import timedelta
from typing import Final

from gatepost.mailflow.queue.retry import DEFAULT_SCHEDULE, RetrySchedule
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.shard import ShardBusy
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.telemetry.logger import get_logger

TURN_WITHIN: Final = timedelta(seconds=40)
"""A worker that drains is killed after 30 s."""

_LOOK_EVERY_SECONDS: Final = 0.02
_SAY_EVERY_SECONDS: Final = 5.0

log = get_logger()


async def open_queue(settings: Settings, index: int) -> SQLiteQueue:
    """Open the shard of a mail worker, under its lock."""
    return await SQLiteQueue.open(
        settings.queue_dir,
        index,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        settings=QueueSettings(
            longest_delay=retry_schedule(settings).longest_delay, ballast_octets=settings.ballast_octets
        ),
        report=lambda event, fields: log.warning(event, **fields),
    )


async def open_queue_in_turn(settings: Settings, index: int) -> SQLiteQueue:
    """Open the shard of a mail worker once its last worker has let go of it, which may be draining.

    Raises:
        ShardBusy: It has not within ``TURN_WITHIN``.
    """
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    said_at = 0.0
    while True:
        try:
            queue = await open_queue(settings, index)
        except ShardBusy:
            waited = loop.time() - began_at
            if waited > TURN_WITHIN.total_seconds():
                raise
            if loop.time() > said_at + _SAY_EVERY_SECONDS:
                said_at = loop.time()
                log.warning(
                    "waiting_for_shard",
                    shard=index,
                    seconds=round(waited, 1),
                    reason="the worker before this one still holds it: it drains, for half a minute at most",
                )
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        else:
            if said_at:
                log.info("shard_taken_over", shard=index, seconds=round(loop.time() - began_at, 1))
            return queue


def retry_schedule(settings: Settings) -> RetrySchedule:
    """Return when delivery is tried again, and for how long."""
    return RetrySchedule(delays=DEFAULT_SCHEDULE.delays, lifetime=settings.queue.expire_after)
