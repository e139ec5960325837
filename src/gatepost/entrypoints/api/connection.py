"""One HTTPS connection: uvicorn's protocol, and the limits it has not.

A client that sends its header slowly, or without end, would keep a connection and memory for ever.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

MAX_HEADER_OCTETS: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection may take.

    Attributes:
        opened: Counts a connection from an address in; says whether there is room for it.
        closed: Counts it out, if there was.
        header_timeout: How long a request's header may take to arrive, from its first octet, or from the handshake.
    """

    opened: Callable[[str], bool]
    closed: Callable[[str], None]
    header_timeout: timedelta


class APIConnection(HttpToolsProtocol):
    """A connection of the API listener."""

    def __init__(self, *, config: Config, server_state: ServerState, limits: ConnectionLimits) -> None:
        super().__init__(config=config, server_state=server_state, app_state={})
        self._limits = limits
        self._alarm: asyncio.TimerHandle | None = None
        self._header_octets = 0
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, if there is room."""
        super().connection_made(cast("asyncio.Transport", transport))
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if not self._limits.opened(address):
            self.transport.abort()
            return
        self._address = address
        self.app_state = {"tls": _describe_tls(transport)}
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        self._end_header()
        if self._address is not None:
            self._limits.closed(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; hang up on a header that has no end."""
        if self._alarm is None and self._is_between_requests:
            self._await_header()
        super().data_received(data)
        if self._alarm is not None:
            self._header_octets += len(data)
            if self._header_octets > MAX_HEADER_OCTETS:
                self.transport.abort()

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._end_header()
        super().on_headers_complete()

    @property
    def _is_between_requests(self) -> bool:
        # uvicorn's annotation leaves out that there is no cycle before the first request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _await_header(self) -> None:
        self._header_octets = 0
        self._alarm = self.loop.call_later(self._limits.header_timeout.total_seconds(), self.transport.abort)

    def _end_header(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _describe_tls(transport: asyncio.BaseTransport) -> str:
    """Return protocol and cipher, as a trace field has them."""
    cipher: Any = transport.get_extra_info("cipher")
    return f"{cipher[1]} {cipher[0]}" if cipher else ""
