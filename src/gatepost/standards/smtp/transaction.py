"""One mail transaction as a client sees it: what is to be sent, and what became of it (RFC 5321 §3.3)."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.dot_stuffing import DotStuffer
from gatepost.standards.smtp.peer_extensions import PeerExtensions
from gatepost.standards.smtp.replies import Reply

_PATH_ENDING = frozenset(' "\\<>')


class Stage(Enum):
    """How far a client has come; the value is the word for it in events and logs."""

    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "EHLO"
    STARTTLS = "STARTTLS"
    HANDSHAKE = "TLS handshake"
    IDLE = "idle"
    RESET = "RSET"
    MAIL = "MAIL"
    RECIPIENT = "RCPT"
    DATA = "DATA"
    CONTENT = "content"
    #: The final dot is on its way: from here to its reply nobody knows whether the message was taken.
    FINAL_DOT = "final dot"
    QUIT = "QUIT"


class FailureKind(Enum):
    """Why a session ended before its owner ended it; the value is the word for it in events and logs."""

    UNREACHABLE = "unreachable"
    #: A negative reply where only a positive one lets the session go on.
    REFUSED = "refused"
    #: 421: the peer ends the session (RFC 5321 §3.8).
    SHUTTING_DOWN = "peer shut down"
    CLOSED = "connection closed"
    TIMED_OUT = "timed out"
    #: What the peer sent is no SMTP.
    VIOLATION = "protocol violation"
    #: The handshake failed, or TLS was required and is not to be had.
    TLS = "TLS failed"
    #: Our own fault, such as content that cannot be read back.
    LOCAL = "local error"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFailure:
    """The end of a session: at which stage, why, and the peer's words if it had any."""

    kind: FailureKind
    stage: Stage
    reply: Reply | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What MAIL and RCPT are to say. ``forward_paths`` has at least one; ``size_octets`` is before dot-stuffing."""

    reverse_path: Mailbox | None
    forward_paths: tuple[Mailbox, ...]
    size_octets: int
    eight_bit_mime: bool = False
    smtputf8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """The peer's replies; None where there was none.

    Attributes:
        recipients: One for each forward-path, in order.
        content: The reply to the final dot, or a refusal that came while the content was on its way.
        dot_sent: The final dot was handed to the transport. With ``content`` None: nobody knows.
        failure: Set when the session ended with the transaction.
    """

    mail: Reply | None
    recipients: tuple[Reply | None, ...]
    data: Reply | None
    content: Reply | None
    dot_sent: bool
    failure: SessionFailure | None = None


class OpenTransaction:
    """A transaction under way, in the hands of the session: the replies gathered so far."""

    __slots__ = ("_count", "_recipients", "content", "data", "dot_sent", "has_recipient", "mail", "stuffer")

    def __init__(self, count: int) -> None:
        """Begin with ``count`` recipients to be answered."""
        self.mail: Reply | None = None
        self.data: Reply | None = None
        self.content: Reply | None = None
        self.dot_sent = False
        self.has_recipient = False
        self.stuffer = DotStuffer()
        self._count = count
        self._recipients: list[Reply] = []

    def take_recipient(self, reply: Reply) -> None:
        """Note the reply to the next RCPT."""
        self._recipients.append(reply)
        self.has_recipient = self.has_recipient or reply.is_positive

    @property
    def is_hopeless(self) -> bool:
        """Every recipient was refused."""
        return len(self._recipients) == self._count and not self.has_recipient

    def result(self, failure: SessionFailure | None) -> TransactionResult:
        """Return what is known at this moment."""
        missing = (None,) * (self._count - len(self._recipients))
        return TransactionResult(
            mail=self.mail,
            recipients=(*self._recipients, *missing),
            data=self.data,
            content=self.content,
            dot_sent=self.dot_sent,
            failure=failure,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeouts:
    """How long a client waits at each stage; the defaults are the minimum of RFC 5321 §4.5.3.2.

    Attributes:
        connect: For one address; the RFC sets none.
        handshake: For TLS; the RFC sets none.
        content: Without any progress while the content is written.
        final_dot: Less would make duplicates: a peer may be slow to commit.
    """

    connect: timedelta = timedelta(seconds=30)
    greeting: timedelta = timedelta(minutes=5)
    command: timedelta = timedelta(minutes=5)
    handshake: timedelta = timedelta(seconds=60)
    data: timedelta = timedelta(minutes=2)
    content: timedelta = timedelta(minutes=3)
    final_dot: timedelta = timedelta(minutes=10)
    quit: timedelta = timedelta(seconds=5)
    _seconds: dict[Stage, float] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        special = {
            Stage.CONNECT: self.connect,
            Stage.GREETING: self.greeting,
            Stage.HANDSHAKE: self.handshake,
            Stage.DATA: self.data,
            Stage.CONTENT: self.content,
            Stage.FINAL_DOT: self.final_dot,
            Stage.QUIT: self.quit,
        }
        self._seconds.update({stage: special.get(stage, self.command).total_seconds() for stage in Stage})

    def seconds(self, stage: Stage) -> float:
        """Return the time allowed at a stage, as an event loop wants it."""
        return self._seconds[stage]


def serialize_path(mailbox: Mailbox | None) -> bytes:
    """Write a reverse-path or forward-path (RFC 5321 §4.1.2).

    Raises:
        ValueError: It holds what could end the path or the command line. The address parser lets nothing of that
            through; this is the last door.
    """
    if mailbox is None:
        return b"<>"
    text = mailbox.local_part + mailbox.domain
    if not text.isprintable() or not _PATH_ENDING.isdisjoint(text):
        raise ValueError("address cannot be written into a command")
    return b"<" + mailbox.octets + b">"


def serialize_mail(transaction: Transaction, extensions: PeerExtensions) -> bytes:
    """Write the MAIL command with the parameters that the peer knows (RFC 1870, 6152, 6531)."""
    command = b"MAIL FROM:" + serialize_path(transaction.reverse_path)
    if extensions.size:
        command += b" SIZE=%d" % transaction.size_octets
    if transaction.eight_bit_mime and extensions.eight_bit_mime:
        command += b" BODY=8BITMIME"
    if transaction.smtputf8 and extensions.smtputf8:
        command += b" SMTPUTF8"
    return command + b"\r\n"


def serialize_rcpt(forward_path: Mailbox) -> bytes:
    """Write a RCPT command."""
    return b"RCPT TO:" + serialize_path(forward_path) + b"\r\n"
