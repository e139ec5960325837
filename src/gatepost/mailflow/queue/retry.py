"""When to try again, and when to give up. RFC 5321 §4.5.4.1."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

STRETCH: Final = 0.2
"""By how much of itself a delay may grow, so that what failed together does not return together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """The delays after the first, second, … failed attempt (the last one repeats), and how long to go on.

    Attributes:
        lifetime: From when the first attempt is due. An attempt made at its end or later is the last.
    """

    delays: tuple[timedelta, ...]
    lifetime: timedelta

    def __post_init__(self) -> None:
        if not self.delays or min(self.delays) <= timedelta(0):
            raise ValueError("a retry schedule needs at least one delay, and all of them above zero")
        if self.lifetime <= timedelta(0):
            raise ValueError("the lifetime of a message must be above zero")

    @property
    def longest_delay(self) -> timedelta:
        """No recipient is ever to wait longer than this for its next attempt."""
        return max(self.delays) * (1 + STRETCH)


DEFAULT_SCHEDULE: Final = RetrySchedule(
    delays=(
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(minutes=30),
        timedelta(hours=1),
        timedelta(hours=2),
        timedelta(hours=4),
    ),
    lifetime=timedelta(hours=72),
)
"""One and five minutes pass most greylists (RFC 6647 §4.5); RFC 5321 asks for four to five days at most."""


def decide_next(
    attempts: int,
    due_at: datetime,
    now: datetime,
    jitter: float,
    schedule: RetrySchedule = DEFAULT_SCHEDULE,
) -> datetime | None:
    """Decide what follows an attempt that failed for now.

    It is asked after an attempt, so nothing expires without one, however the clock has jumped meanwhile. The last
    attempt falls on the end of the lifetime, not up to one delay before it.

    Args:
        attempts: How many have been made, the failed one included (``LeasedRecipient.attempts + 1``).
        due_at: When the first attempt was due: at acceptance, or when its sender wanted it.
        now: The end of the attempt.
        jitter: A random fraction, 0 <= jitter < 1.
        schedule: The delays and the lifetime.

    Returns:
        The instant of the next attempt, always after ``now``; or None: give up, the recipient has expired.
    """
    if attempts < 1:
        raise ValueError("only a failed attempt leads to a next one")
    expires_at = due_at + schedule.lifetime
    if now >= expires_at:
        return None
    delay = schedule.delays[min(attempts, len(schedule.delays)) - 1]
    # A clock that was set back leaves `expires_at` far ahead; the delay bounds the wait all the same.
    return min(now + delay * (1 + STRETCH * jitter), expires_at)
