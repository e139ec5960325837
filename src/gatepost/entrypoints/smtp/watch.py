"""Keeps an eye on the time of one connection: one timer, looked at from time to time, not set anew with each line."""

import asyncio
from collections.abc import Callable

from gatepost.entrypoints.smtp.time_limits import Overrun, Phase, Progress, TimeLimits, find_overrun


class Watch:
    """The timer of one connection.

    Attributes:
        progress: What the connection has seen; whoever sees something writes it down there.
    """

    __slots__ = ("_limits", "_loop", "_on_overrun", "_timer", "progress")

    def __init__(
        self, limits: TimeLimits, loop: asyncio.AbstractEventLoop, on_overrun: Callable[[Overrun], None]
    ) -> None:
        self._limits = limits
        self._loop = loop
        self._on_overrun = on_overrun
        self._timer: asyncio.TimerHandle | None = None
        now = loop.time()
        self.progress = Progress(phase=Phase.STRANGER, opened_at=now, phase_since=now, read_at=now)

    def begin(self, phase: Phase) -> None:
        """Enter a phase, and look when it is due."""
        self.progress.enter(phase, self._loop.time())
        self.look_later()

    def look_later(self) -> None:
        """Set the timer by the phase that is on now."""
        self._arm(self._limits.look_again_after(self.progress.phase), self._look)

    def end(self, action: Callable[[], None]) -> None:
        """Watch no more; do ``action`` when the time for closing is over."""
        self._arm(self._limits.closing_timeout.total_seconds(), action)

    def cancel(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, seconds: float, action: Callable[[], None]) -> None:
        self.cancel()
        self._timer = self._loop.call_later(seconds, action)

    def _look(self) -> None:
        overrun = find_overrun(self._limits, self.progress, self._loop.time())
        if overrun is None:
            self.look_later()
        else:
            self._on_overrun(overrun)
