"""The server's side of an SMTP session, without I/O: octets in, events out; decisions in, octets out.

The owner's loop::

    session.receive(octets)
    while event := session.next_event():
        ...  # for an event that asks: session.accept() or session.refuse(reply), now or later
    write(session.take_output())

An event that asks pauses the session: what the peer has pipelined behind it waits unread, and ``next_event`` returns
None until the owner has decided. The order of commands is in ``states``; this module does what they mean.
"""
# Longer than a file should be, because it is one thing: reading what a command says is elsewhere already, and whatever
# else is here changes the same dozen fields, whose agreement is the point.

from typing import Final, assert_never

from gatepost.standards.smtp import status_codes
from gatepost.standards.smtp.authentication import AuthenticationExchange, begin_authentication
from gatepost.standards.smtp.commands import Command, Verb, parse_command
from gatepost.standards.smtp.data import ContentReader
from gatepost.standards.smtp.envelope import read_mail, read_rcpt
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.event_queue import EventQueue
from gatepost.standards.smtp.events import (
    BodyType,
    ContentEnded,
    ContentOffered,
    ContentReceived,
    CredentialOffered,
    RecipientOffered,
    ServerEvent,
    TLSRequested,
    TransactionAborted,
    TransactionOffered,
)
from gatepost.standards.smtp.extensions import ehlo_reply, helo_reply
from gatepost.standards.smtp.input_buffer import InputBuffer
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.session_settings import SessionSettings
from gatepost.standards.smtp.states import (
    ACCEPTED,
    COMMANDS,
    ENDS_GROUP,
    FIXED_REPLIES,
    REFUSED,
    WITHOUT_ARGUMENT,
    State,
    greeted,
)
from gatepost.standards.smtp.status_codes import EARLY_OCTETS

__all__ = ["ServerSession", "SessionSettings"]

MAX_WAITING_OCTETS: Final = 1 << 20
"""What may gather behind a decision. The owner stops reading meanwhile; this is for what was under way already."""


class ServerSession:
    """One session; its methods raise nothing for whatever the peer sends."""

    def __init__(self, settings: SessionSettings, *, tls_active: bool = False) -> None:
        self._settings = settings
        self._is_tls_active = tls_active
        self._state = State.OPENING
        self._input = InputBuffer()
        self._output: list[bytes] = []
        self._events = EventQueue()
        self._has_overrun = False
        self._greeting = ""
        self._is_extended = False  # greeted with EHLO: only then are PIPELINING and parameters agreed on
        self._is_authenticated = False
        self._exchange: AuthenticationExchange | None = None
        self._offer: TransactionOffered | None = None  # of the open transaction
        self._reader: ContentReader | None = None
        self._recipients = 0
        self._messages = 0
        self._errors = 0

    # What the owner may know.

    @property
    def is_waiting(self) -> bool:
        """Whether the owner owes a decision; it should not read from the peer meanwhile."""
        return self._events.asked is not None

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will be read; events and output may still be due."""
        return self._state is State.ENDED

    @property
    def is_authenticated(self) -> bool:
        """Whether a credential has been accepted."""
        return self._is_authenticated

    @property
    def is_tls_active(self) -> bool:
        """Whether the session is protected by TLS."""
        return self._is_tls_active

    @property
    def is_extended(self) -> bool:
        """Whether the client said EHLO, so the protocol is ESMTP; False for HELO (RFC 3848)."""
        return self._is_extended

    @property
    def greeting(self) -> str:
        """What the client said at EHLO or HELO: printable ASCII, maybe empty, not to be believed."""
        return self._greeting

    @property
    def has_transaction(self) -> bool:
        """Whether MAIL was accepted and the transaction has not ended since."""
        return self._offer is not None

    # What the owner does.

    def greet(self) -> None:
        """Queue the greeting, once. A peer that has spoken before is no SMTP client and is sent away instead."""
        self._state = State.CONNECTED
        if self._input:
            self._close(EARLY_OCTETS)
        else:
            self._say(status_codes.ready(self._settings.host_name))

    def receive(self, octets: bytes) -> None:
        """Take what came from the peer; read it with ``next_event``."""
        if self._state is State.ENDED:
            return
        if self._state is State.HANDSHAKE:
            # Octets in the clear behind STARTTLS. The 220 may be on its way, so nothing can be said any more.
            self._end()
        elif self._events.asked is not None and len(self._input) + len(octets) > MAX_WAITING_OCTETS:
            self._has_overrun = True
        else:
            self._input.append(octets)

    def next_event(self) -> ServerEvent | None:
        """Read on to the next event; None if octets or a decision are needed for it, or the session is over."""
        while not self._events and self._events.asked is None and self._advance():
            pass
        return self._events.take()

    def accept(self, reply: Reply | None = None) -> None:
        """Decide for what the last event asks; ignored once the session has ended.

        Args:
            reply: The positive reply; None for the event's standard one.

        Raises:
            RuntimeError: Nothing was asked, a mistake of the owner.
        """
        if self._state is State.ENDED:
            return
        event = self._events.answer()
        if self._is_out_of_step(event):
            self._close(EARLY_OCTETS)
            return
        self._state, standard_reply = ACCEPTED[type(event)]
        match event:
            case CredentialOffered():
                self._is_authenticated = True
            case TransactionOffered():
                self._offer = event
            case RecipientOffered():
                self._recipients += 1
            case ContentOffered():
                self._begin_content()
            case ContentEnded():
                self._forget_transaction()
                self._messages += 1
                self._errors = 0
        self._say(reply or standard_reply)
        self._go_on()

    def refuse(self, reply: Reply, *, close: bool = False) -> None:
        """Decide against what the last event asks; ignored once the session has ended.

        Args:
            reply: Why; a permanent one counts as an error.
            close: End the session after the reply.

        Raises:
            RuntimeError: Nothing was asked, a mistake of the owner.
        """
        if self._state is State.ENDED:
            return
        event = self._events.answer()
        self._state = REFUSED[type(event)] or self._state
        if isinstance(event, ContentEnded):
            self._forget_transaction()
        if close or self._is_out_of_step(event):
            self._close(reply)
        else:
            self._say_refusal(reply)
            self._go_on()

    def tls_established(self) -> None:
        """Begin anew after the handshake that ``TLSRequested`` asked for: nothing said in the clear counts any more.

        Ignored once the session has ended, which octets in the clear behind STARTTLS see to.

        Source: RFC 3207 §4.2.
        """
        if self._state is State.ENDED:
            return
        if self._state is not State.HANDSHAKE:
            raise RuntimeError("tls_established() answers TLSRequested and nothing else")
        self._events.answer()
        self._state = State.CONNECTED
        self._is_tls_active = True
        self._is_extended = False
        self._greeting = ""

    def end(self, reply: Reply) -> None:
        """End the session from our side: a time-out, a shutdown, no memory. Queues ``reply``, if it can be heard."""
        if self._state is State.HANDSHAKE:
            self._end()
        elif self._state is not State.ENDED:
            self._close(reply)

    def take_output(self) -> bytes:
        """Take what is to be written now, in one piece."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    # Reading.

    def _advance(self) -> bool:
        """Read one line, or what there is of a content; False if there is nothing to read."""
        if not self._input or self._state is State.OPENING:
            return False
        try:
            if self._reader is not None:
                self._read_content(self._reader)
                return True
            line = self._input.take_line()
            if line is None:
                return False
            if self._exchange is not None:
                self._authenticate(self._exchange, line)
            else:
                self._obey(line)
        except ProtocolViolation as violation:
            self._answer_violation(violation)
        return True

    def _obey(self, line: bytes) -> None:
        is_followed = len(self._input) > 0
        if is_followed and not self._is_extended:
            raise ProtocolViolation(EARLY_OCTETS, closes=True)
        command = parse_command(line)
        if is_followed and command.verb in ENDS_GROUP:
            raise ProtocolViolation(EARLY_OCTETS, closes=True)
        refusal = self._find_unavailable(command.verb) or COMMANDS[self._state][command.verb]
        if refusal is None and command.argument and command.verb in WITHOUT_ARGUMENT:
            refusal = status_codes.NO_ARGUMENT_TAKEN
        if refusal is None:
            self._do(command)
        else:
            self._say_refusal(refusal)

    def _do(self, command: Command) -> None:
        """Do what a command means, where it is legal."""
        match command.verb:
            case Verb.MAIL:
                self._mail(command.argument)
            case Verb.RCPT:
                self._rcpt(command.argument)
            case Verb.DATA:
                self._events.ask(ContentOffered())
            case Verb.RSET:
                self._reset()
            case Verb.EHLO | Verb.HELO:
                self._greet_back(command.argument, by_ehlo=command.verb is Verb.EHLO)
            case Verb.STARTTLS:
                self._begin_tls()
            case Verb.AUTH:
                self._begin_exchange(command.argument)
            case Verb.QUIT:
                self._close(status_codes.GOODBYE)
            case Verb.NOOP | Verb.VRFY | Verb.EXPN | Verb.HELP:
                self._say_refusal(FIXED_REPLIES[command.verb])
            case _:
                assert_never(command.verb)

    def _find_unavailable(self, verb: Verb) -> Reply | None:
        """Find out whether this listener does not offer the command at all, whatever the state."""
        if verb is Verb.AUTH and not self._settings.takes_auth:
            return status_codes.AUTH_NOT_OFFERED
        if verb is Verb.STARTTLS and self._is_tls_active:
            return status_codes.TLS_ALREADY_ACTIVE
        if verb is Verb.STARTTLS and not self._settings.offers_starttls:
            return status_codes.TLS_NOT_OFFERED
        return None

    def _read_content(self, reader: ContentReader) -> None:
        content = reader.read(self._input.take_all())
        refusal = reader.refusal
        if refusal is not None:
            self._abort_transaction()
        elif content:
            self._events.tell(ContentReceived(content))
        if not reader.is_complete:
            return
        self._reader = None
        self._input.append(reader.rest)
        if refusal is None:
            self._events.ask(ContentEnded())
        else:
            self._state = State.READY
            self._say_refusal(refusal)

    def _authenticate(self, exchange: AuthenticationExchange, line: bytes | None) -> None:
        if self._input:
            raise ProtocolViolation(EARLY_OCTETS, closes=True)
        step = exchange.respond(line)
        if isinstance(step, Reply):
            self._say(step)
        else:
            self._exchange = None
            self._events.ask(step)

    def _greet_back(self, argument: bytes, *, by_ehlo: bool) -> None:
        greeting = argument.decode("latin-1")
        if not argument.isascii() or not greeting.isprintable():
            raise ProtocolViolation(status_codes.BAD_GREETING)
        self._abort_transaction()  # RFC 5321 §4.1.4: EHLO clears everything, as RSET does
        self._greeting = greeting
        self._is_extended = by_ehlo
        settings = self._settings
        may_send = self._is_authenticated or not settings.takes_auth
        self._state = greeted(by_ehlo=by_ehlo, tls_active=self._is_tls_active, may_send=may_send)
        if not by_ehlo:
            self._say(helo_reply(settings.host_name))
            return
        self._say(
            ehlo_reply(
                settings.host_name,
                max_size_octets=settings.max_size_octets,
                offers_starttls=settings.offers_starttls and not self._is_tls_active,
                offers_auth=settings.takes_auth and self._is_tls_active,
            )
        )

    def _begin_tls(self) -> None:
        self._say(status_codes.BEGIN_TLS)
        self._state = State.HANDSHAKE
        self._events.ask(TLSRequested())

    def _begin_exchange(self, argument: bytes) -> None:
        self._exchange, initial_response = begin_authentication(argument)
        self._state = State.EXCHANGE
        self._authenticate(self._exchange, initial_response)

    def _mail(self, argument: bytes) -> None:
        settings = self._settings
        if self._messages >= settings.max_messages:
            self._close(status_codes.TOO_MANY_MESSAGES)
            return
        offer = read_mail(
            argument,
            max_size_octets=settings.max_size_octets,
            takes_auth=settings.takes_auth,
            is_extended=self._is_extended,
        )
        self._events.ask(offer)

    def _rcpt(self, argument: bytes) -> None:
        if self._recipients >= self._settings.max_recipients:
            self._say(status_codes.TOO_MANY_RECIPIENTS)
            return
        self._events.ask(read_rcpt(argument, allow_utf8=self._offer is not None and self._offer.smtputf8))

    def _reset(self) -> None:
        if self.has_transaction:
            self._abort_transaction()
            self._state = State.READY
        self._say(status_codes.FORGOTTEN)

    # What all of them need.

    def _is_out_of_step(self, event: ServerEvent) -> bool:
        """Tell whether octets came behind AUTH or DATA while their reply was still to be waited for."""
        return isinstance(event, (CredentialOffered, ContentOffered)) and len(self._input) > 0

    def _go_on(self) -> None:
        if self._has_overrun:
            self._close(EARLY_OCTETS)

    def _begin_content(self) -> None:
        assert self._offer is not None
        self._reader = ContentReader(
            max_size_octets=self._settings.max_size_octets,
            allows_8bit=self._offer.smtputf8
            or self._offer.body is BodyType.EIGHT_BIT_MIME
            or (self._offer.body is None and self._settings.takes_undeclared_8bit),
        )

    def _abort_transaction(self) -> None:
        if self._offer is not None:
            self._forget_transaction()
            self._events.tell(TransactionAborted())

    def _forget_transaction(self) -> None:
        self._offer = None
        self._recipients = 0

    def _say(self, reply: Reply) -> None:
        self._output.append(reply.octets)

    def _say_refusal(self, reply: Reply) -> None:
        """Refuse a command or a message; too many refusals for good end the session."""
        self._say(reply)
        if reply.is_permanent:
            self._errors += 1
            if self._errors >= self._settings.max_errors:
                self._close(status_codes.TOO_MANY_ERRORS)

    def _answer_violation(self, violation: ProtocolViolation) -> None:
        reply = violation.reply
        if self._exchange is not None:
            self._exchange = None
            self._state = State.UNAUTHENTICATED
            reply = status_codes.AUTH_LINE_TOO_LONG if reply is status_codes.LINE_TOO_LONG else reply
        if violation.closes:
            self._close(reply)
        else:
            self._say_refusal(reply)

    def _close(self, reply: Reply) -> None:
        if self._state is not State.ENDED:
            self._say(reply)
            self._end()

    def _end(self) -> None:
        self._events.end(aborts_transaction=self._offer is not None)
        self._forget_transaction()
        self._state = State.ENDED
        self._exchange = None
        self._reader = None
        self._input.clear()
