"""How many wrong credentials are looked at: per network, per key id, and in all.

The secret of a key cannot be guessed, so this is not what keeps a guesser out. It keeps his load and his noise
down, without giving him a means to lock out the owner: refusing to look is decided by the guesser's own network
alone (and never against a credential that has already proved right, ``Principals``); a key id under attack from many
networks, or the whole service under attack, only makes *refusals* slow. All mail workers count together if the meters
are those they share.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gatepost.primitives.ids import KeyId
from gatepost.tenancy.access.ip_allowlist import Address, network_of
from gatepost.tenancy.access.meters import MemoryCells, Meters, Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleLimits:
    """Failures allowed in a window; the numbers are those PyPI uses for log-ins.

    Attributes:
        per_network: For one IPv4 /24 or IPv6 /64. At this count nothing more is looked at from there.
        per_key_id: For one key id, from wherever. At this count refusals are as slow as they get.
        overall: For everybody together. As for a key id.
        window: Each count drains evenly, from full to empty in this time.
        free_failures: So many are refused at once; from then on the delay doubles with each.
        first_delay: The first delay.
        longest_delay: Where doubling ends.
    """

    per_network: int = 10
    per_key_id: int = 10
    overall: int = 1000
    window: timedelta = timedelta(minutes=5)
    free_failures: int = 3
    first_delay: timedelta = timedelta(seconds=0.5)
    longest_delay: timedelta = timedelta(seconds=8)


class AuthenticationThrottle:
    """Counts failures. Time is passed in; memory is bounded by that of the meters."""

    def __init__(self, limits: ThrottleLimits = ThrottleLimits(), meters: Meters | None = None) -> None:
        """Make it; without ``meters`` it counts for this process alone."""
        self._limits: Final = limits
        self._meters: Final = meters or Meters(MemoryCells())
        self._per_network: Final = Rate.each(limits.per_network, limits.window)
        self._per_key_id: Final = Rate.each(limits.per_key_id, limits.window)
        self._overall: Final = Rate.each(limits.overall, limits.window)

    def admits(self, peer: Address, now: datetime) -> bool:
        """Say whether a credential from there is looked at; if not, 421 and close."""
        return self._meters.level(_name(peer), self._per_network, now) < self._limits.per_network

    def penalize(self, peer: Address, key_id: KeyId | None, now: datetime) -> timedelta:
        """Count a wrong credential; return how long its refusal is to be kept back."""
        levels = [self._meters.add(_name(peer), self._per_network, now)]
        if key_id is not None:
            levels.append(self._meters.add(f"failures:{key_id}", self._per_key_id, now))
        if self._meters.add("failures", self._overall, now) > self._limits.overall:
            return self._limits.longest_delay
        doublings = int(max(levels)) - self._limits.free_failures - 1
        if doublings < 0:
            return timedelta(0)
        return min(self._limits.first_delay * (1 << min(doublings, 32)), self._limits.longest_delay)


def _name(peer: Address) -> str:
    return "failures:{}:{}".format(*network_of(peer))
