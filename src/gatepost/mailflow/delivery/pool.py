"""Connections kept open between messages, by next hop."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gatepost.mailflow.delivery.ports import Connection
from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How long and how often a connection is used again.

    Attributes:
        idle_seconds: Peers count idle connections against us; a few seconds bridge the gaps within a burst.
        messages_per_connection: Transactions over one connection before it is closed.
        max_idle: Idle connections in all; the longest idle goes first.
    """

    idle_seconds: float = 10.0
    messages_per_connection: int = 100
    max_idle: int = 200


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: Connection
    since: float


class ConnectionPool:
    """Idle connections; whoever takes one owns it until it is put back."""

    def __init__(self, limits: PoolLimits, *, monotonic: Callable[[], float]) -> None:
        """Keep connections within ``limits``; ``monotonic`` counts seconds."""
        self._limits = limits
        self._monotonic = monotonic
        self._idle: dict[NextHop, list[_Idle]] = {}
        self._count = 0

    def take(self, hop: NextHop) -> Connection | None:
        """Return an open connection to a hop, the last used first; None if there is none.

        Under OPPORTUNISTIC this may be one in the clear, made after a handshake had failed.
        """
        connection = self._take(hop)
        if connection is None and hop.tls is TLSRequirement.OPPORTUNISTIC:
            connection = self._take(replace(hop, tls=TLSRequirement.NONE))
        return connection

    def put(self, hop: NextHop, connection: Connection) -> None:
        """Give a connection back; it is closed if it is used up."""
        if not connection.is_usable or connection.transactions >= self._limits.messages_per_connection:
            connection.close()
            return
        self._idle.setdefault(hop, []).append(_Idle(connection, self._monotonic()))
        self._count += 1
        if self._count > self._limits.max_idle:
            self._close_idle_longest()

    def close_idle(self) -> None:
        """Close what has been idle too long, or was closed by the peer. To be called every second or so."""
        limit = self._monotonic() - self._limits.idle_seconds
        for hop, kept in list(self._idle.items()):
            fresh = [idle for idle in kept if idle.since > limit and idle.connection.is_usable]
            for idle in kept:
                if idle not in fresh:
                    idle.connection.close()
            self._replace(hop, kept, fresh)

    def close(self) -> None:
        """Close all that are idle."""
        for kept in self._idle.values():
            for idle in kept:
                idle.connection.close()
        self._idle.clear()
        self._count = 0

    def _take(self, hop: NextHop) -> Connection | None:
        kept = self._idle.get(hop)
        if kept is None:
            return None
        while kept:
            connection = kept.pop().connection
            self._count -= 1
            if not kept:
                self._idle.pop(hop, None)
            if connection.is_usable:
                return connection
            connection.close()
        return None

    def _close_idle_longest(self) -> None:
        hop, kept = min(self._idle.items(), key=lambda item: item[1][0].since)
        kept[0].connection.close()
        self._replace(hop, kept, kept[1:])

    def _replace(self, hop: NextHop, before: list[_Idle], after: list[_Idle]) -> None:
        self._count -= len(before) - len(after)
        if after:
            self._idle[hop] = after
        else:
            del self._idle[hop]
