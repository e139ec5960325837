"""The listening sockets of the API in one mail worker, the connections made on them, and their end."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from gatepost.entrypoints.api.connection import APIConnection, ConnectionLimits
from gatepost.primitives.clock import Clock
from gatepost.standards.message.trace import format_date
from gatepost.telemetry.metrics import Metrics

BACKLOG: Final = 1024
NAME: Final = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """What all connections of a worker may take together, and each of them."""

    max_connections: int
    max_connections_per_address: int
    header_timeout: timedelta
    idle_timeout: timedelta
    handshake_timeout: timedelta


class APIListener:
    """Serves an ASGI application over HTTPS on sockets that are bound already."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        tls_context: Callable[[], ssl.SSLContext],
        limits: ListenerLimits,
        is_proxy: Callable[[IPv4Address | IPv6Address], bool],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Make a listener that does not listen yet; ``tls_context`` is asked at each handshake.

        The connections of a proxy are those of many clients, so they are bounded in all, and not by address.
        """
        self._is_proxy = is_proxy
        self._tls_context = tls_context
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._state = ServerState()
        self._per_address: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self._is_stopping = False
        self._date_alarm: asyncio.TimerHandle | None = None
        self._config = Config(
            app,
            http="httptools",
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whom to believe is decided where the request is (``forwarded``); here a header would say it to everybody.
            proxy_headers=False,
            timeout_keep_alive=int(limits.idle_timeout.total_seconds()),
        )
        self._config.load()

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections; the sockets are closed by ``stop``."""
        loop = asyncio.get_running_loop()
        self._write_date()
        for sock in sockets:
            server = await loop.create_server(
                self._make_connection,
                sock=sock,
                backlog=BACKLOG,
                ssl=self._front_context(),
                ssl_handshake_timeout=self._limits.handshake_timeout.total_seconds(),
            )
            self._servers.append(server)

    async def stop(self, *, drain_for: timedelta) -> None:
        """Stop accepting; let requests under way end, for so long; then end the connections that are left."""
        self._is_stopping = True
        for server in self._servers:
            server.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(tuple(self._state.tasks), timeout=drain_for.total_seconds())
        for connection in tuple(self._state.connections):
            connection.transport.close()
        if self._date_alarm is not None:
            self._date_alarm.cancel()

    @property
    def open_connections(self) -> int:
        """Connections of this listener."""
        return len(self._state.connections)

    def _make_connection(self) -> APIConnection:
        limits = ConnectionLimits(opened=self._opened, closed=self._closed, header_timeout=self._limits.header_timeout)
        return APIConnection(config=self._config, server_state=self._state, limits=limits)

    def _opened(self, address: str) -> bool:
        self._metrics.connections.add(NAME)
        limits = self._limits
        if self._is_stopping or len(self._state.connections) > limits.max_connections:
            self._metrics.connections_refused.add("too many connections")
            return False
        is_full = self._per_address[address] >= limits.max_connections_per_address
        if is_full and not self._is_proxy(ip_address(address.partition("%")[0])):
            self._metrics.connections_refused.add("too many connections of one address")
            return False
        self._per_address[address] += 1
        return True

    def _closed(self, address: str) -> None:
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]

    def _front_context(self) -> ssl.SSLContext:
        """Return a context that hands each handshake to the one that is current then.

        A server keeps the context it was made with; OpenSSL asks this callback in every handshake, whether or not the
        client names a host.
        """
        front = self._tls_context()

        def choose(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            handshake.context = self._tls_context()

        front.sni_callback = choose
        return front

    def _write_date(self) -> None:
        """Renew the Date field that all answers of the next second have (RFC 9110 §6.6.1)."""
        date = format_date(self._clock.now()).replace(b"+0000", b"GMT")
        self._state.default_headers[:] = [(b"date", date)]
        self._date_alarm = asyncio.get_running_loop().call_later(1, self._write_date)
