"""How many requests a caller may make: a token bucket each, in the memory of one mail worker."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

_MAX_REMEMBERED: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left to a caller.

    Attributes:
        limit: Requests at once, when none were made for a while.
        remaining: Requests that could be made now.
        full_at: When it is ``limit`` again.
        retry_after: How long until one more is allowed; zero if this one was.
    """

    limit: int
    remaining: int
    full_at: datetime
    retry_after: timedelta

    def headers(self) -> dict[str, str]:
        """Write it as clients of the dialect read it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(ceil(self.full_at.timestamp())),
        }


class RateLimit:
    """Counts requests by caller: a key, a person, an address. Time is passed in; memory is bounded."""

    def __init__(self, *, per_second: int, burst: int) -> None:
        self._per_second: Final = per_second
        self._burst: Final = burst
        self._buckets: Final[OrderedDict[str, tuple[float, datetime]]] = OrderedDict()

    def take(self, caller: str, now: datetime) -> Allowance:
        """Count one request, if it is allowed; say what is left."""
        tokens, at = self._buckets.get(caller, (float(self._burst), now))
        # A clock set back must neither fill a bucket nor empty one.
        tokens = min(self._burst, tokens + max(0.0, (now - at).total_seconds()) * self._per_second)
        is_allowed = tokens >= 1
        if is_allowed:
            tokens -= 1
        self._buckets[caller] = (tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _MAX_REMEMBERED:
            self._buckets.popitem(last=False)
        return Allowance(
            limit=self._burst,
            remaining=int(tokens),
            full_at=now + timedelta(seconds=(self._burst - tokens) / self._per_second),
            retry_after=timedelta(0) if is_allowed else timedelta(seconds=(1 - tokens) / self._per_second),
        )
