"""Sockets and TLS under a ClientSession: an ``asyncio.Protocol``, without a task or an await for each step.

The session says what to write; what it waits for sets the deadline. One timer a connection looks at the deadline when
it fires, so that moving it costs nothing.
"""

import asyncio
import ssl
from collections.abc import Iterator

from gatepost.mailflow.delivery.ports import ConnectFailed
from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.network.delivery_tls import DeliveryTLS
from gatepost.standards.smtp.client import ClientSession
from gatepost.standards.smtp.client_events import (
    ClientEvent,
    ContentWanted,
    SessionFailed,
    SessionReady,
    TLSAgreed,
    TransactionEnded,
)
from gatepost.standards.smtp.peer_extensions import PeerExtensions
from gatepost.standards.smtp.transaction import (
    ClientTimeouts,
    FailureKind,
    SessionFailure,
    Stage,
    Transaction,
    TransactionResult,
)

_WRITE_LIMIT_OCTETS = 1 << 18
"""Content waiting in the transport beyond which no more is read from disk."""


class SMTPConnector:
    """Implements the Connector port."""

    def __init__(
        self,
        *,
        greeting_name: str,
        tls: DeliveryTLS,
        timeouts: ClientTimeouts | None = None,
        source_address: str | None = None,
    ) -> None:
        """Say ``greeting_name`` at EHLO; connect from ``source_address`` if given."""
        self._greeting_name = greeting_name
        self._tls = tls
        self._timeouts = timeouts or ClientTimeouts()
        self._local_address = (source_address, 0) if source_address else None

    async def connect(self, hop: NextHop) -> "SMTPConnection":
        """Connect, wait for the greeting, say EHLO, make TLS as ``hop.tls`` demands.

        Raises:
            ConnectFailed: It did not come to that; nothing is left open.
        """
        connection = await self._open(hop)
        try:
            await connection.wait_ready()
            if hop.tls is not TLSRequirement.NONE:
                await self._secure(connection, hop)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _open(self, hop: NextHop) -> "SMTPConnection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeouts.seconds(Stage.CONNECT)):
                _, connection = await loop.create_connection(
                    lambda: SMTPConnection(ClientSession(greeting_name=self._greeting_name), self._timeouts),
                    hop.address,
                    hop.port,
                    local_addr=self._local_address,
                )
        except TimeoutError:
            raise _connect_failed(FailureKind.TIMED_OUT, Stage.CONNECT) from None
        except OSError as error:
            raise _connect_failed(FailureKind.UNREACHABLE, Stage.CONNECT, error.strerror or "") from error
        return connection

    async def _secure(self, connection: "SMTPConnection", hop: NextHop) -> None:
        if connection.extensions.starttls:
            await connection.start_tls(self._tls.context_for(hop.tls), hop.host)
        if connection.tls or hop.tls is TLSRequirement.OPPORTUNISTIC:
            return
        offered = "refused" if connection.extensions.starttls else "not offered"
        raise _connect_failed(FailureKind.TLS, Stage.STARTTLS, f"STARTTLS {offered}, but TLS is required")


class SMTPConnection(asyncio.Protocol):
    """One connection; implements the Connection port."""

    def __init__(self, session: ClientSession, timeouts: ClientTimeouts) -> None:
        """Carry a session that has not seen its greeting."""
        self.tls = ""
        self.transactions = 0
        self._session = session
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        #: What ``wait_ready`` and ``start_tls`` wait for: True at TLSAgreed, False at SessionReady.
        self._step: asyncio.Future[bool] | None = None
        self._result: asyncio.Future[TransactionResult] | None = None
        self._failure: SessionFailure | None = None
        self._pieces: Iterator[bytes] | None = None
        self._may_write = True

    @property
    def extensions(self) -> PeerExtensions:
        """What the peer offered at its last EHLO."""
        return self._session.extensions

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may be sent."""
        return self._session.is_ready and self._transport is not None and not self._transport.is_closing()

    async def wait_ready(self) -> None:
        """Wait until EHLO has been answered; raises ``ConnectFailed``."""
        self._arm()
        await self._next_step()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Say STARTTLS, make the handshake, say EHLO again; ``tls`` stays "" if the peer refuses.

        Raises:
            ConnectFailed: The session or the handshake failed.
        """
        self._session.start_tls()
        self._flush()
        if not await self._next_step():
            return
        assert self._transport is not None
        self._disarm()
        seconds = self._timeouts.seconds(Stage.HANDSHAKE)
        try:
            secured = await self._loop.start_tls(
                self._transport, self, context, server_hostname=host, ssl_handshake_timeout=seconds
            )
        except (ssl.SSLError, OSError) as error:
            # A time-out and a reset in the middle of the handshake are OSErrors too.
            detail = error.reason if isinstance(error, ssl.SSLError) and error.reason else type(error).__name__
            raise _connect_failed(FailureKind.TLS, Stage.HANDSHAKE, detail) from error
        if secured is None:
            raise _connect_failed(FailureKind.TLS, Stage.HANDSHAKE, "connection closed")
        self._transport = secured
        self._limit_writes()
        self.tls = _describe_tls(secured)
        self._session.tls_established()
        self._flush()
        self._arm()
        await self._next_step()

    async def send(self, transaction: Transaction, content: Iterator[bytes]) -> TransactionResult:
        """Carry out one transaction; never raises for what the peer does. Cancelled, it cuts the connection."""
        self.transactions += 1
        self._pieces = content
        self._result = self._loop.create_future()
        self._session.begin(transaction)
        self._flush()
        self._arm()
        try:
            return await self._result
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._result = None
            self._pieces = None

    def close(self) -> None:
        """Say QUIT if the session is ready, and close when that is answered or a moment later."""
        if self._transport is None or self._transport.is_closing():
            return
        if not self._session.is_ready:
            self._transport.abort()
            return
        self._session.quit()
        self._flush()
        self._arm()

    def abort(self) -> None:
        """Cut the connection."""
        self._disarm()
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the greeting's deadline runs from here."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._limit_writes()

    def data_received(self, data: bytes) -> None:
        """Hand octets to the session and do what it says."""
        for event in self._session.receive(data):
            self._act(event)
        self._flush()
        self._set_deadline()

    def eof_received(self) -> None:
        """The peer will say no more: close."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, if it has not ended yet."""
        self._disarm()
        self._end(FailureKind.CLOSED, type(exc).__name__ if exc else "")

    def pause_writing(self) -> None:
        """Read no more content: the peer is slow."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on with the content."""
        self._may_write = True
        self._write_content()
        self._set_deadline()

    # ---- the session's events

    def _act(self, event: ClientEvent) -> None:
        if isinstance(event, TransactionEnded):
            if self._result is not None and not self._result.done():
                self._result.set_result(event.result)
        elif isinstance(event, ContentWanted):
            self._write_content()
        elif isinstance(event, SessionReady):
            self._step_done(agreed=False)
        elif isinstance(event, TLSAgreed):
            # What follows belongs to TLS: nothing more may be read here before the handshake has taken over.
            assert self._transport is not None
            self._transport.pause_reading()
            self._step_done(agreed=True)
        else:
            self._session_failed(event)

    def _session_failed(self, event: SessionFailed) -> None:
        self._failure = event.failure
        if self._step is not None and not self._step.done():
            self._step.set_exception(ConnectFailed(event.failure))
        if self._transport is not None:
            self._transport.abort()

    def _write_content(self) -> None:
        """Write content while the transport takes it; the final dot follows the last piece at once."""
        if self._pieces is None or self._session.stage is not Stage.CONTENT:
            return
        assert self._transport is not None
        try:
            while self._may_write:
                piece = next(self._pieces, None)
                if piece is None:
                    self._transport.write(self._session.end_content())
                    return
                self._transport.write(self._session.write_content(piece))
        except Exception as error:  # noqa: BLE001 - content that cannot be read is our fault, not the peer's
            self._end(FailureKind.LOCAL, type(error).__name__)

    def _end(self, kind: FailureKind, detail: str = "") -> None:
        for event in self._session.fail(kind, detail=detail):
            self._act(event)

    async def _next_step(self) -> bool:
        if self._failure is not None:
            raise ConnectFailed(self._failure)
        if self._session.is_ready:
            return False
        self._step = self._loop.create_future()
        return await self._step

    def _step_done(self, *, agreed: bool) -> None:
        if self._step is not None and not self._step.done():
            self._step.set_result(agreed)

    def _flush(self) -> None:
        output = self._session.take_output()
        if output and self._transport is not None:
            self._transport.write(output)

    def _limit_writes(self) -> None:
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=_WRITE_LIMIT_OCTETS)

    # ---- the deadline

    def _arm(self) -> None:
        self._set_deadline()
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._check_deadline)
        elif self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._check_deadline)

    def _set_deadline(self) -> None:
        self._deadline = self._loop.time() + self._timeouts.seconds(self._session.stage)

    def _check_deadline(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check_deadline)
        elif self._session.stage is not Stage.IDLE:
            self._end(FailureKind.TIMED_OUT)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _connect_failed(kind: FailureKind, stage: Stage, detail: str = "") -> ConnectFailed:
    return ConnectFailed(SessionFailure(kind=kind, stage=stage, detail=detail))


def _describe_tls(transport: asyncio.BaseTransport) -> str:
    secured = transport.get_extra_info("ssl_object")
    return f"{secured.version()} {secured.cipher()[0]}"
