"""Listening sockets of one kind, the connections made on them, and their end."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from ssl import SSLContext

from gatepost.entrypoints.smtp import reply_texts
from gatepost.entrypoints.smtp.connection import ServerConnection
from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.ports import Answer, Connection, Deciding, OpenHandler, SessionHandler, SessionView
from gatepost.entrypoints.smtp.session_caps import PeerAddress, SessionCaps
from gatepost.telemetry.metrics import Metrics

BACKLOG = 1024


class SMTPListener:
    """Serves SMTP on some sockets, all in one way; a ``ConnectionOwner``."""

    def __init__(
        self,
        *,
        name: str,
        settings: ConnectionSettings,
        open_handler: OpenHandler,
        tls_context: Callable[[], SSLContext],
        caps: SessionCaps,
        metrics: Metrics,
    ) -> None:
        """Make a listener that does not listen yet.

        Args:
            settings: How each connection is served.
            name: For logs and metrics: "submission", "submissions".
            open_handler: Makes the handler of a new session.
            tls_context: Is asked at each handshake, so that a reloaded certificate serves from the next one on.
            caps: May be shared by the listeners of a process.
            metrics: Where to count.
        """
        self._name = name
        self._settings = settings
        self._open_handler = open_handler
        self._tls_context = tls_context
        self._caps = caps
        self._metrics = metrics
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._decisions: set[asyncio.Task[Answer]] = set()
        self._is_empty = asyncio.Event()
        self._is_stopping = False

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that are bound already; they are closed by ``stop``."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            server = await loop.create_server(lambda: ServerConnection(self, loop), sock=sock, backlog=BACKLOG)
            self._servers.append(server)

    async def stop(self, *, drain_for: timedelta) -> None:
        """Stop accepting; let transactions under way end, for so long; then end the sessions that are left.

        A message being accepted is waited for in any case, and its client told: else it would send it once more.
        """
        self._is_stopping = True
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.drain()
        await self._wait_until_empty(drain_for)
        while self._decisions:
            await asyncio.wait(self._decisions)
        for connection in tuple(self._connections):
            connection.end(reply_texts.SHUTTING_DOWN)
        await self._wait_until_empty(2 * self._settings.limits.closing_timeout)

    @property
    def open_connections(self) -> int:
        """Connections of this listener."""
        return len(self._connections)

    # ------------------------------------------------------------ what connections ask

    @property
    def settings(self) -> ConnectionSettings:
        """How to serve."""
        return self._settings

    @property
    def metrics(self) -> Metrics:
        """Where to count."""
        return self._metrics

    def tls_context(self) -> SSLContext:
        """Return the context for a handshake that begins now."""
        return self._tls_context()

    def open_handler(self, view: SessionView) -> SessionHandler:
        """Make the handler of a new session."""
        return self._open_handler(view)

    def connection_opened(self, connection: Connection) -> bool:
        """Count a connection; return whether there is room for it."""
        self._connections.add(connection)
        self._is_empty.clear()
        self._metrics.connections.add(self._name)
        has_room = self._caps.enter() and not self._is_stopping
        self._metrics.sessions.set(self._caps.open_sessions)
        return has_room

    def client_known(self, address: PeerAddress) -> bool:
        """Count a client's session; return whether it may have one more."""
        return self._caps.enter_from(address)

    def connection_closed(self, connection: Connection, address: PeerAddress | None) -> None:
        """Count it out."""
        self._connections.discard(connection)
        self._caps.leave()
        self._metrics.sessions.set(self._caps.open_sessions)
        if address is not None:
            self._caps.leave_from(address)
        if not self._connections:
            self._is_empty.set()

    def run(self, decision: Deciding) -> asyncio.Task[Answer]:
        """Start a decision; it is run to its end whatever becomes of the connection."""
        task = asyncio.get_running_loop().create_task(decision)
        self._decisions.add(task)
        task.add_done_callback(self._decisions.discard)
        return task

    async def _wait_until_empty(self, limit: timedelta) -> None:
        if not self._connections:
            return
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self._is_empty.wait()
        except TimeoutError:
            return
