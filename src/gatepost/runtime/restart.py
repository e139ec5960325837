"""When a child process is started again, ended because it is stuck, or given up; pure."""

from datetime import timedelta
from typing import Final

HEALTHY_AFTER: Final = timedelta(seconds=60)
"""A child that ran this long had come up well: its next end counts as the first."""

STUCK_AFTER: Final = timedelta(seconds=60)
"""A child whose event loop has not turned for so long is not coming back."""

MAX_FAILURES: Final = 8
"""After so many ends in a row, about half a minute of trying, a start by itself will not help."""

_FIRST: Final = timedelta(milliseconds=100)
_LONGEST: Final = timedelta(seconds=30)


def count_failures(failures: int, *, ran_for: timedelta) -> int:
    """Return how many ends in a row there are now, the present one included."""
    return 1 if ran_for >= HEALTHY_AFTER else failures + 1


def restart_after(failures: int) -> timedelta:
    """Return how long to wait: 0.1 s after the first end, since a shard waits for its worker, then doubling to 30 s."""
    return min(_FIRST * (1 << min(failures - 1, 10)), _LONGEST)
