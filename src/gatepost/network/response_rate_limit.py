"""Response rate limiting: an answer that one network asks for over and over is mostly not sent.

A datagram's source can be forged, and answers are larger than questions: without a limit a responder is a weapon
against whoever stands in the source. Of what is over the limit every second answer goes out truncated, so that an
asker who is really there comes back over TCP, which cannot be forged.
"""

from collections.abc import Callable, Hashable
from enum import Enum
from ipaddress import IPv4Address, ip_address
from typing import Final

PER_SECOND: Final = 20
"""The same answer to the same network, on average; a resolver that caches asks for it once in its time to live."""

WINDOW_SECONDS: Final = 5
MAX_BUCKETS: Final = 100_000
"""Answers to networks that are remembered: some 20 MB. Beyond, all are forgotten, which errs towards answering."""


class Verdict(Enum):
    """What to do with an answer."""

    SEND = "send"
    TRUNCATE = "truncate"
    DROP = "drop"


class ResponseRateLimit:
    """Counts answers by network and kind, in token buckets. Belongs to one event loop."""

    def __init__(self, *, monotonic: Callable[[], float], per_second: float = PER_SECOND) -> None:
        self._monotonic = monotonic
        self._rate = per_second
        self._burst = per_second * WINDOW_SECONDS
        self._buckets: dict[tuple[int, Hashable], tuple[float, float]] = {}
        self._over = 0

    def judge(self, source: str, kind: Hashable) -> Verdict:
        """Say what to do with an answer.

        Args:
            source: The address it would go to. IPv4 counts by /24, IPv6 by /56.
            kind: What makes it the same answer: its code, and its name unless the name could be any.
        """
        now, place = self._monotonic(), (_network(source), kind)
        tokens, since = self._buckets.get(place, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        if len(self._buckets) >= MAX_BUCKETS:
            self._buckets.clear()
        if tokens >= 1:
            self._buckets[place] = (tokens - 1, now)
            return Verdict.SEND
        self._buckets[place] = (tokens, now)
        self._over += 1
        return Verdict.TRUNCATE if self._over % 2 else Verdict.DROP


def _network(source: str) -> int:
    address = ip_address(source.partition("%")[0])
    # IPv4 and IPv6 keep apart: an IPv4 network is below 2**24, and no IPv6 network with anything in it is.
    return int(address) >> 8 if isinstance(address, IPv4Address) else int(address) >> 72
