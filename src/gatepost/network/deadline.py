"""A deadline that moves often and passes seldom: moving it later costs no timer."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls back once when the time has passed without being moved."""

    __slots__ = ("_at", "_loop", "_passed", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        """Call ``passed`` when it passes; nothing runs before the first ``move``."""
        self._loop = loop
        self._passed = passed
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def move(self, seconds: float) -> None:
        """Let it pass ``seconds`` from now."""
        self._at = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._at, self._look)
        elif self._timer.when() > self._at:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._at, self._look)

    def cancel(self) -> None:
        """Let it not pass."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """The timer may have been set for an earlier deadline than holds now."""
        self._timer = None
        if self._loop.time() < self._at:
            self._timer = self._loop.call_at(self._at, self._look)
        else:
            self._passed()
