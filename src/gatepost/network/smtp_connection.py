"""Sockets and TLS under a ClientSession: an ``asyncio.Protocol``, without a task or an await for each step.

The session says what to write; what it waits for sets the deadline.
"""

import asyncio
import ssl
from collections.abc import Iterator
from typing import cast

from gatepost.mailflow.delivery.ports import ConnectFailed
from gatepost.network.deadline import Deadline
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
        self._deadline = Deadline(self._loop, self._time_out)
        #: What ``wait_ready`` and ``start_tls`` wait for: True at TLSAgreed, False at SessionReady.
        self._step: asyncio.Future[bool] | None = None
        self._result: asyncio.Future[TransactionResult] | None = None
        self._failure: SessionFailure | None = None
        self._pieces: Iterator[bytes] | None = None
        self._next_piece: bytes | None = None
        self._may_write = True

    @property
    def extensions(self) -> PeerExtensions:
        """What the peer offered at its last EHLO."""
        return self._session.extensions

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may be sent."""
        return self._session.is_ready and self.is_open

    @property
    def is_open(self) -> bool:
        """Whether the peer still has a connection of ours."""
        return self._transport is not None and not self._transport.is_closing()

    async def wait_ready(self) -> None:
        """Wait until EHLO has been answered; raises ``ConnectFailed``."""
        self._move_deadline()
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
        self._deadline.cancel()
        seconds = self._timeouts.seconds(Stage.HANDSHAKE)
        try:
            secured = await self._loop.start_tls(
                self._transport, self, context, server_hostname=host, ssl_handshake_timeout=seconds
            )
        except (OSError, ValueError) as error:
            # SSLError, a time-out and a reset are OSErrors; a host name that TLS cannot name is a ValueError.
            detail = error.reason if isinstance(error, ssl.SSLError) and error.reason else type(error).__name__
            raise connect_failed(FailureKind.TLS, Stage.HANDSHAKE, detail) from error
        if secured is None:
            raise connect_failed(FailureKind.TLS, Stage.HANDSHAKE, "connection closed")
        self._transport = secured
        self._limit_writes()
        self.tls = _describe_tls(secured)
        self._session.tls_established()
        self._flush()
        self._move_deadline()
        await self._next_step()

    async def send(self, transaction: Transaction, content: Iterator[bytes]) -> TransactionResult:
        """Carry out one transaction; never raises for what the peer does. Cancelled, it cuts the connection."""
        self.transactions += 1
        if not self.is_usable:
            return _unsent(transaction, self._failure)
        self._pieces = content
        self._result = self._loop.create_future()
        self._session.begin(transaction)
        self._flush()
        self._move_deadline()
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
        self._move_deadline()

    def abort(self) -> None:
        """Cut the connection."""
        self._deadline.cancel()
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the greeting's deadline runs from here."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no instances of it
        self._limit_writes()

    def data_received(self, data: bytes) -> None:
        """Hand octets to the session and do what it says; only a whole reply moves the deadline."""
        replies_before = self._session.replies_taken
        for event in self._session.receive(data):
            self._act(event)
        self._flush()
        if self._session.replies_taken > replies_before:
            self._move_deadline()

    def eof_received(self) -> None:
        """The peer will say no more: close."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, if it has not ended yet."""
        self._deadline.cancel()
        self._end(FailureKind.CLOSED, type(exc).__name__ if exc else "")

    def pause_writing(self) -> None:
        """Read no more content: the peer is slow."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on with the content."""
        self._may_write = True
        self._write_content()
        self._move_deadline()

    # ---- the session's events

    def _act(self, event: ClientEvent) -> None:
        if isinstance(event, TransactionEnded):
            if self._result is not None and not self._result.done():
                self._result.set_result(event.result)
        elif isinstance(event, ContentWanted):
            self._begin_content()
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

    def _begin_content(self) -> None:
        """Read the first piece; each is written when the next is known, so that the last and the dot go together."""
        try:
            self._next_piece = next(self._pieces, b"") if self._pieces is not None else b""
        except Exception as error:  # noqa: BLE001 - content that cannot be read is our fault, not the peer's
            self._end(FailureKind.LOCAL, type(error).__name__)
        else:
            self._write_content()

    def _write_content(self) -> None:
        """Write content while the transport takes it."""
        try:
            while self._may_write and self._next_piece is not None and self._session.stage is Stage.CONTENT:
                assert self._transport is not None
                assert self._pieces is not None
                octets = self._session.write_content(self._next_piece)
                self._next_piece = next(self._pieces, None)
                if self._next_piece is None:
                    octets += self._session.end_content()
                self._transport.write(octets)
        except Exception as error:  # noqa: BLE001 - as above
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

    def _move_deadline(self) -> None:
        if not self._session.is_over:
            self._deadline.move(self._timeouts.seconds(self._session.stage))

    def _time_out(self) -> None:
        if self._session.stage is not Stage.IDLE:
            self._end(FailureKind.TIMED_OUT)


def connect_failed(kind: FailureKind, stage: Stage, detail: str = "") -> ConnectFailed:
    """Say why there is no session."""
    return ConnectFailed(SessionFailure(kind=kind, stage=stage, detail=detail))


def _unsent(transaction: Transaction, failure: SessionFailure | None) -> TransactionResult:
    """The connection had died before MAIL."""
    return TransactionResult(
        mail=None,
        recipients=(None,) * len(transaction.forward_paths),
        data=None,
        content=None,
        dot_sent=False,
        failure=failure or SessionFailure(kind=FailureKind.CLOSED, stage=Stage.IDLE),
    )


def _describe_tls(transport: asyncio.BaseTransport) -> str:
    secured = transport.get_extra_info("ssl_object")
    return f"{secured.version()} {secured.cipher()[0]}"
