"""How many sessions may be open: in all, and from one address."""

from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

PeerAddress: TypeAlias = IPv4Address | IPv6Address


class SessionCaps:
    """Counts the open sessions of all listeners of a process.

    An IPv4 address counts as itself, an IPv6 address as its /64, the smallest net one host is given.
    """

    def __init__(self, *, max_sessions: int, max_sessions_per_address: int) -> None:
        self._max_sessions = max_sessions
        self._max_sessions_per_address = max_sessions_per_address
        self._open_sessions = 0
        self._by_address: dict[int, int] = {}

    def change(self, *, max_sessions: int, max_sessions_per_address: int) -> None:
        """Set new caps; sessions that are open go on."""
        self._max_sessions = max_sessions
        self._max_sessions_per_address = max_sessions_per_address

    @property
    def open_sessions(self) -> int:
        """All sessions open now."""
        return self._open_sessions

    def enter(self) -> bool:
        """Count one more connection, whoever it is; return whether it is within the cap. ``leave`` in any case."""
        self._open_sessions += 1
        return self._open_sessions <= self._max_sessions

    def leave(self) -> None:
        """Count one connection less."""
        self._open_sessions -= 1

    def enter_from(self, address: PeerAddress) -> bool:
        """Count one more session of that client; return whether it is within the cap. ``leave_from`` in any case."""
        key = _counted_as(address)
        count = self._by_address.get(key, 0) + 1
        self._by_address[key] = count
        return count <= self._max_sessions_per_address

    def leave_from(self, address: PeerAddress) -> None:
        """Count one session of that client less."""
        key = _counted_as(address)
        count = self._by_address[key] - 1
        if count:
            self._by_address[key] = count
        else:
            del self._by_address[key]


def _counted_as(address: PeerAddress) -> int:
    # IPv4 takes 32 bits; a /64 of IPv6 is moved out of their way.
    return int(address) if address.version == 4 else (int(address) >> 64) + (1 << 32)
