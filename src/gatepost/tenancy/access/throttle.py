"""How many wrong credentials are looked at: per network, per key id, and in all.

The secret of a key cannot be guessed, so this is not what keeps a guesser out. It keeps his load and his noise
down, without giving him a means to lock out the owner: refusing to look is decided by the guesser's own network
alone (and never against a credential that has already proved right, ``Principals``); a key id under attack from many
networks, or the whole service under attack, only makes *refusals* slow. Each mail worker counts for itself.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import Final

from gatepost.primitives.ids import KeyId
from gatepost.tenancy.access.ip_allowlist import Address, unmapped


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
        capacity: How many networks, and how many key ids, are remembered; the longest quiet one is forgotten first.
    """

    per_network: int = 10
    per_key_id: int = 10
    overall: int = 1000
    window: timedelta = timedelta(minutes=5)
    free_failures: int = 3
    first_delay: timedelta = timedelta(seconds=0.5)
    longest_delay: timedelta = timedelta(seconds=8)
    capacity: int = 16_384


class AuthenticationThrottle:
    """Counts failures. Time is passed in; memory is bounded by ``capacity``."""

    def __init__(self, limits: ThrottleLimits = ThrottleLimits()) -> None:
        self._limits: Final = limits
        self._networks: Final = _Levels(limits.per_network, limits)
        self._key_ids: Final = _Levels(limits.per_key_id, limits)
        self._overall: Final = _Levels(limits.overall, limits)

    def admits(self, peer: Address, now: datetime) -> bool:
        """Say whether a credential from there is looked at; if not, 421 and close."""
        return self._networks.level(_network(peer), now) < self._limits.per_network

    def penalize(self, peer: Address, key_id: KeyId | None, now: datetime) -> timedelta:
        """Count a wrong credential; return how long its refusal is to be kept back."""
        levels = [self._networks.add(_network(peer), now)]
        if key_id is not None:
            levels.append(self._key_ids.add(key_id, now))
        if self._overall.add(None, now) > self._limits.overall:
            return self._limits.longest_delay
        doublings = int(max(levels)) - self._limits.free_failures - 1
        if doublings < 0:
            return timedelta(0)
        return min(self._limits.first_delay * (1 << min(doublings, 32)), self._limits.longest_delay)


class _Levels:
    """Leaky counters by name: each failure adds one, and they drain at ``limit`` a window."""

    def __init__(self, limit: int, limits: ThrottleLimits) -> None:
        self._limit: Final = limit
        self._window: Final = limits.window
        self._capacity: Final = limits.capacity
        self._levels: Final[OrderedDict[Hashable, tuple[float, datetime]]] = OrderedDict()

    def level(self, name: Hashable, now: datetime) -> float:
        entry = self._levels.get(name)
        if entry is None:
            return 0.0
        level, at = entry
        # A clock set back must not refill a counter.
        return max(0.0, level - self._limit * (max(now - at, timedelta(0)) / self._window))

    def add(self, name: Hashable, now: datetime) -> float:
        # The cap bounds how long somebody who never stopped has to wait once he does: one window.
        level = min(self.level(name, now), float(self._limit)) + 1
        self._levels[name] = (level, now)
        self._levels.move_to_end(name)
        if len(self._levels) > self._capacity:
            self._levels.popitem(last=False)
        return level


def _network(peer: Address) -> tuple[int, int]:
    # The least that one customer of a provider commonly has for himself.
    address = unmapped(peer)
    return (4, int(address) >> 8) if isinstance(address, IPv4Address) else (6, int(address) >> 64)
