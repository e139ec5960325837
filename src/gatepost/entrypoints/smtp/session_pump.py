"""Events of a ServerSession to a handler, its answers back: the pump, without the socket.

The connection hands it octets and afterwards looks at ``state`` and ``take_output``.
"""

from collections.abc import Callable
from enum import Enum
from typing import cast

from gatepost.entrypoints.smtp.ports import Answer, Deciding, SessionHandler
from gatepost.entrypoints.smtp.time_limits import Phase, Progress
from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    ContentReceived,
    ServerEvent,
    SessionEnded,
    TLSRequested,
    TransactionAborted,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession


class PumpState(Enum):
    """Whose move it is."""

    #: The peer's.
    READY = "ready"
    #: The handler's: a coroutine of its own is at work.
    DECIDING = "deciding"
    #: The connection's: send the output, then begin the TLS handshake.
    HANDSHAKE_DUE = "handshake due"
    #: The connection's: send the output, then hang up.
    ENDED = "ended"


class SessionPump:
    """One session and its handler."""

    __slots__ = ("_asking", "_handler", "_now", "_progress", "_session", "_start", "_takes_auth", "state")

    def __init__(
        self,
        *,
        session: ServerSession,
        handler: SessionHandler,
        progress: Progress,
        takes_auth: bool,
        now: Callable[[], float],
        start: Callable[[Deciding], None],
    ) -> None:
        """Begin with the greeting in the output.

        Args:
            session: A new one, not yet greeted.
            handler: Decides what it asks.
            progress: Is told of each phase, for the time limits.
            takes_auth: Whether a client is a stranger until it has authenticated.
            now: The event loop's clock.
            start: Runs a decision and calls ``decide`` with its outcome, never before returning.
        """
        self._session = session
        self._handler = handler
        self._progress = progress
        self._takes_auth = takes_auth
        self._now = now
        self._start = start
        self._asking: ServerEvent | None = None
        self.state = PumpState.READY
        session.greet()
        self._rest()

    @property
    def is_in_transaction(self) -> bool:
        """Whether a MAIL was accepted and its transaction has not ended since."""
        return self._session.has_transaction

    def receive(self, octets: bytes) -> None:
        """Take octets from the peer."""
        self._session.receive(octets)
        self._run()

    def decide(self, answer: Answer) -> None:
        """Take the outcome of a decision that was started."""
        event, self._asking = self._asking, None
        if event is None:
            return
        self.state = PumpState.READY
        self._tell(event, answer)
        self._run()

    def tls_established(self) -> None:
        """The handshake that was due is complete."""
        self._session.tls_established()
        self.state = PumpState.READY
        self._rest()

    def end(self, reply: Reply) -> None:
        """Say a last word; a decision under way is no longer waited for."""
        self._asking = None
        self._session.end(reply)
        self._run()

    def take_output(self) -> bytes:
        """Return what is to be sent."""
        return self._session.take_output()

    def close(self) -> None:
        """The connection is gone."""
        self._handler.close()

    def _run(self) -> None:
        next_event, handle = self._session.next_event, self._handler.handle
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is ContentReceived:
                self._progress.content_octets += len(cast("ContentReceived", event).octets)
            elif kind is TLSRequested:
                self.state = PumpState.HANDSHAKE_DUE
                return
            elif kind is TransactionAborted:
                self._rest()
            elif kind is SessionEnded:
                self.state = PumpState.ENDED
            answer = handle(event)
            if type(answer) is Answer:
                self._tell(event, answer)
            elif answer is not None:
                self._wait_for(event, cast("Deciding", answer))
                return

    def _tell(self, event: ServerEvent, answer: Answer) -> None:
        reply = answer.reply
        if reply is None or reply.is_positive:
            self._session.accept(reply)
            self._note_accepted(event)
        else:
            self._session.refuse(reply, close=answer.closes)
        if type(event) is ContentEnded:
            self._rest()

    def _note_accepted(self, event: ServerEvent) -> None:
        kind = type(event)
        if kind is ContentOffered:
            self._progress.enter(Phase.CONTENT, self._now())
        elif self._progress.phase is Phase.STRANGER:
            self._rest()

    def _rest(self) -> None:
        """Enter the phase between transactions."""
        is_stranger = self._takes_auth and not self._session.is_authenticated
        self._progress.enter(Phase.STRANGER if is_stranger else Phase.COMMAND, self._now())

    def _wait_for(self, event: ServerEvent, decision: Deciding) -> None:
        self._asking = event
        self.state = PumpState.DECIDING
        self._progress.enter(Phase.DECISION, self._now())
        self._start(decision)
