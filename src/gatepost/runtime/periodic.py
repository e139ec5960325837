"""Work that a process repeats: flush, prune, count."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """A piece of work and the pause between two of its runs; the last run is at the process's end.

    Attributes:
        at_start: Whether the first run is at the process's start, or a pause later.
    """

    name: str
    every: timedelta
    work: Callable[[], Awaitable[None]]
    at_start: bool = False


async def repeat(periodic: Periodic) -> None:
    """Do it again and again. What goes wrong is logged; the next run may go well."""
    if periodic.at_start:
        await do_once(periodic)
    while True:
        await asyncio.sleep(periodic.every.total_seconds())
        await do_once(periodic)


async def do_once(periodic: Periodic) -> None:
    """Do it once; what goes wrong is logged."""
    try:
        await periodic.work()
    except Exception:
        log.exception("periodic_work_failed", work=periodic.name)


async def flush_metrics(metrics: Metrics, every: timedelta) -> None:
    """Hand over what was counted, again and again, and measure how late the event loop woke us."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every.total_seconds()
        await asyncio.sleep(every.total_seconds())
        metrics.event_loop_lag.set(loop.time() - due)
        metrics.flush()
