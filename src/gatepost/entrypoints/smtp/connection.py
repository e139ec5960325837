"""One connection: octets between a socket and a session, TLS in between, and the patience with a peer.

What arrives passes through one *stage* after another: the PROXY preamble where a listed proxy speaks, TLS where it is
on, the session, and at the end a stage that throws away. Replies leave in one write a batch. Nothing here awaits: the
decision that takes time, accepting a message, is a task whose end moves the session on.

Back-pressure: while a decision is awaited or the peer does not read our replies, the next read's worth of octets is
held and the socket is not read.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, TypeAlias, cast

from gatepost.entrypoints.smtp import reply_texts
from gatepost.entrypoints.smtp.ports import Answer, ConnectionOwner, Deciding
from gatepost.entrypoints.smtp.session_caps import PeerAddress
from gatepost.entrypoints.smtp.session_pump import PumpState, SessionPump
from gatepost.entrypoints.smtp.time_limits import Overrun, Phase
from gatepost.entrypoints.smtp.tls_layer import TLSFailure, TLSLayer
from gatepost.entrypoints.smtp.watch import Watch
from gatepost.standards.proxy_protocol import parse_preamble
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.ip_allowlist import unmapped

log = get_logger()

_SLICE_OCTETS: Final = 8192
"""Outside a content, octets are handed on in slices of this, so that a flood of short commands neither holds the
event loop for long nor piles up replies that nobody reads."""

_OVERRUN_REPLIES: Final = {
    Overrun.IDLE: reply_texts.IDLE_TOO_LONG,
    Overrun.CONTENT_RATE: reply_texts.CONTENT_TOO_SLOW,
    Overrun.SESSION: reply_texts.SESSION_TOO_LONG,
}

Stage: TypeAlias = Callable[[bytes], None]


class ServerConnection(asyncio.Protocol):
    """One connection, from ``connection_made`` to ``connection_lost``; the view its handler has of it."""

    def __init__(self, owner: ConnectionOwner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._watch = Watch(owner.settings.limits, loop, self._overrun)
        self._transport = cast("asyncio.Transport", None)  # the event loop sets it before it calls anything else
        self._stage: Stage = self._take_preamble
        self._held = b""
        self._preamble = b""
        self._proxy: PeerAddress | None = None
        self._peer: PeerAddress | None = None
        self._session: ServerSession | None = None
        self._pump: SessionPump | None = None
        self._tls: TLSLayer | None = None
        self._is_writing_paused = False
        self._is_draining = False
        self._has_peer_ended = False
        self._is_hung_up = False

    # ------------------------------------------------------------ what a handler may see

    @property
    def peer_address(self) -> PeerAddress:
        """The client's address, behind proxies too."""
        assert self._peer is not None
        return self._peer

    @property
    def greeting(self) -> str:
        """What the client said at EHLO; "" before."""
        return self._session.greeting if self._session is not None else ""

    @property
    def tls(self) -> str:
        """Protocol and cipher; "" without TLS."""
        return self._tls.description if self._tls is not None else ""

    # ------------------------------------------------------------ what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find out who it is, and begin with the first stage."""
        self._transport = cast("asyncio.Transport", transport)
        has_room = self._owner.connection_opened(self)
        peername = transport.get_extra_info("peername")
        try:
            if not peername:
                self._transport.abort()  # gone before it was here
            elif not has_room:
                self._turn_away("over_total", reply_texts.TOO_MANY_SESSIONS)
            else:
                self._arrive(unmapped(ip_address(peername[0].partition("%")[0])))
        except Exception as error:  # noqa: BLE001 - the edge: whatever is wrong here ends this connection only
            self._fail(error)

    def data_received(self, data: bytes) -> None:
        """Pass octets on, or hold them while somebody else has to move first."""
        self._watch.progress.read_at = self._loop.time()
        if self._is_hung_up:
            # Read on after the last word, so that the kernel has no reason to reset the connection before it arrives.
            return
        if self._held or self._must_wait():
            self._hold(self._held + data)
        else:
            self._take(data)

    def eof_received(self) -> bool:
        """The peer sends no more: answer what it has said, then close."""
        self._has_peer_ended = True
        return not self._is_hung_up and (self._must_wait() or bool(self._held))

    def pause_writing(self) -> None:
        """The peer does not read our replies: take no more commands."""
        self._is_writing_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._is_writing_paused = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the event loop's signature
        """Let go of everything; a decision under way goes on without us."""
        self._is_hung_up = True
        self._held = b""
        self._watch.cancel()
        if self._pump is not None:
            self._pump.close()
        if self._tls is not None:
            # We and our parts refer to each other: the rest of us waits for the cycle collector.
            self._tls.release()
        self._owner.connection_closed(self, self._peer)

    # ------------------------------------------------------------ what the listener calls

    def drain(self) -> None:
        """Take no further transaction: end now, or when the one under way has ended."""
        self._is_draining = True
        if not self._is_hung_up and (self._pump is None or not self._pump.is_in_transaction):
            self.end(reply_texts.SHUTTING_DOWN)

    def end(self, reply: Reply) -> None:
        """Say a last word, if somebody listens who would understand it, and hang up."""
        if self._is_hung_up:
            return
        if self._pump is None or self._pump.state is PumpState.HANDSHAKE_DUE:
            self._transport.abort()
            return
        try:
            self._pump.end(reply)
            self._move()
        except Exception:
            log.exception("connection_end_failed", peer=str(self._peer))
            self._transport.abort()

    # ------------------------------------------------------------ stages

    def _take(self, octets: bytes) -> None:
        if len(octets) > _SLICE_OCTETS and self._watch.progress.phase is not Phase.CONTENT:
            self._hold(octets[_SLICE_OCTETS:])
            self._loop.call_soon(self._go_on)
            octets = octets[:_SLICE_OCTETS]
        try:
            self._stage(octets)
        except Exception as error:  # noqa: BLE001 - as in connection_made
            self._fail(error)

    def _take_preamble(self, octets: bytes) -> None:
        self._preamble += octets
        try:
            preamble = parse_preamble(self._preamble)
        except ProtocolViolation as violation:
            # Required of a listed proxy: a client that could leave it out would have the proxy's address.
            self._turn_away("preamble", violation.reply)
            return
        if preamble is None:
            return
        rest, self._preamble = self._preamble[preamble.size_octets :], b""
        source = preamble.source
        self._meet(cast("PeerAddress", self._proxy) if source is None else unmapped(source.address))
        if rest and not self._is_hung_up:
            self._take(rest)

    def _take_handshake(self, octets: bytes) -> None:
        tls = cast("TLSLayer", self._tls)
        try:
            plaintext = tls.receive(octets)
        except TLSFailure as failure:
            self._owner.metrics.tls_handshakes.add("failed")
            log.debug("tls_handshake_failed", peer=str(self._peer), reason=str(failure))
            self._hang_up()
            return
        if not tls.is_established:
            self._write(tls.take_output())
            return
        self._owner.metrics.tls_handshakes.add("done")
        self._stage = self._take_records
        if self._pump is None:
            self._open_session()
        else:
            self._pump.tls_established()
        self._watch.look_later()
        self._take_plaintext(plaintext)

    def _take_records(self, octets: bytes) -> None:
        try:
            plaintext = cast("TLSLayer", self._tls).receive(octets)
        except TLSFailure as failure:
            log.debug("tls_failed", peer=str(self._peer), reason=str(failure))
            self._hang_up()
            return
        self._take_plaintext(plaintext)

    def _take_plaintext(self, octets: bytes) -> None:
        pump = cast("SessionPump", self._pump)
        if octets:
            pump.receive(octets)
        self._move()
        if self._tls is not None and self._tls.is_closed:
            # close_notify: the layer reads nothing that follows, as plain text least of all.
            self._has_peer_ended = True
            if pump.state is not PumpState.DECIDING:
                self._hang_up()

    # ------------------------------------------------------------ from connection to session

    def _arrive(self, address: PeerAddress) -> None:
        if any(address in network for network in self._owner.settings.proxies):
            self._proxy = address
            self._watch.begin(Phase.PREAMBLE)
        else:
            self._meet(address)

    def _meet(self, address: PeerAddress) -> None:
        self._peer = address
        if not self._owner.client_known(address):
            self._turn_away("over_address", reply_texts.TOO_MANY_SESSIONS)
        elif self._owner.settings.implicit_tls:
            self._begin_handshake()
        else:
            self._stage = self._take_plaintext
            self._watch.begin(Phase.STRANGER)
            self._open_session()
            self._move()

    def _turn_away(self, reason: str, reply: Reply) -> None:
        self._owner.metrics.connections_refused.add(reason)
        if not self._owner.settings.implicit_tls:
            self._write(reply.octets)
        self._hang_up(lingers=False)

    def _begin_handshake(self) -> None:
        self._tls = TLSLayer(self._owner.tls_context())
        self._stage = self._take_handshake
        self._watch.begin(Phase.HANDSHAKE)

    def _open_session(self) -> None:
        settings = self._owner.settings.session
        self._session = ServerSession(settings, tls_active=self._tls is not None)
        self._pump = SessionPump(
            session=self._session,
            handler=self._owner.open_handler(self),
            progress=self._watch.progress,
            takes_auth=settings.takes_auth,
            now=self._loop.time,
            start=self._start,
        )

    # ------------------------------------------------------------ the session's moves

    def _move(self) -> None:
        """Send what the session wants said, and do what it waits for."""
        pump = cast("SessionPump", self._pump)
        octets = pump.take_output()
        if self._tls is not None:
            if octets:
                self._tls.send(octets)
            octets = self._tls.take_output()
        self._write(octets)
        state = pump.state
        if state is PumpState.ENDED:
            self._hang_up()
        elif state is PumpState.HANDSHAKE_DUE:
            self._begin_handshake()
        elif self._is_draining and state is PumpState.READY and not pump.is_in_transaction:
            self.end(reply_texts.SHUTTING_DOWN)

    def _start(self, decision: Deciding) -> None:
        self._owner.run(decision).add_done_callback(self._decided)

    def _decided(self, task: "asyncio.Task[Answer]") -> None:
        answer = Answer(reply_texts.INTERNAL_ERROR)
        if task.cancelled():
            log.warning("decision_cancelled", peer=str(self._peer))
        elif (error := task.exception()) is not None:
            log.error("decision_failed", peer=str(self._peer), exc_info=error)
        else:
            answer = task.result()
        if self._is_hung_up:
            return
        try:
            cast("SessionPump", self._pump).decide(answer)
            self._move()
        except Exception as error:  # noqa: BLE001 - as in connection_made
            self._fail(error)
        self._go_on()

    def _fail(self, error: Exception) -> None:
        """After an exception of ours: a last word if that still works; the process lives on."""
        log.error("connection_failed", peer=str(self._peer), exc_info=error)
        self._owner.metrics.connections_ended.add("failure")
        self.end(reply_texts.SESSION_BROKEN)

    # ------------------------------------------------------------ flow

    def _must_wait(self) -> bool:
        """Whether somebody else has to move before octets of the peer are looked at."""
        pump = self._pump
        return self._is_writing_paused or self._is_hung_up or (pump is not None and pump.state is PumpState.DECIDING)

    def _hold(self, octets: bytes) -> None:
        self._held = octets
        self._transport.pause_reading()

    def _take_held(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._take(held)

    def _go_on(self) -> None:
        """Take what was held, and read again, unless somebody still has to move first."""
        if self._must_wait():
            return
        self._take_held()
        if self._held or self._must_wait():
            return
        if self._has_peer_ended:
            self._hang_up()
        else:
            self._transport.resume_reading()

    def _write(self, octets: bytes) -> None:
        if octets and not self._transport.is_closing():
            self._transport.write(octets)

    def _hang_up(self, *, lingers: bool = True) -> None:
        """Say that we are done, and read on for a moment: closing on unread octets could lose our last reply.

        Not ``lingers``: in a flood of connections we turn away, that each is gone at once is worth more.
        """
        if self._is_hung_up:
            return
        self._is_hung_up = True
        self._held = b""
        self._watch.end(self._transport.abort)
        if self._tls is not None:
            self._tls.close()
            self._write(self._tls.take_output())
        if self._has_peer_ended or not lingers:
            self._transport.close()
        elif not self._transport.is_closing():
            with suppress(OSError):  # asyncio's own loop raises if the peer is gone already; uvloop does not
                self._transport.write_eof()
            self._transport.resume_reading()

    def _overrun(self, overrun: Overrun) -> None:
        self._owner.metrics.connections_ended.add(overrun.value)
        log.debug("connection_timed_out", peer=str(self._peer), limit=overrun.value)
        if overrun in _OVERRUN_REPLIES:
            self.end(_OVERRUN_REPLIES[overrun])
        else:
            self._transport.abort()
