"""What a ServerSession tells its owner. Those marked *asks* pause the session until the owner has decided."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox


class BodyType(Enum):
    """The BODY parameter of MAIL (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"


@dataclass(frozen=True, slots=True)
class TLSRequested:
    """STARTTLS was given and 220 is in the output. *Asks*: handshake, then ``tls_established()``.

    Nothing the peer sent before the handshake is ever read as a command: the session has already refused and
    closed if octets followed STARTTLS in the clear (RFC 3207 §6, CVE-2011-0411).
    """


@dataclass(frozen=True, slots=True)
class CredentialOffered:
    """A SASL exchange ended with a user name and a secret. *Asks*: ``accept()`` or ``refuse(reply, close=True)``."""

    mechanism: str
    username: str
    password: Secret[bytes]


@dataclass(frozen=True, slots=True)
class TransactionOffered:
    """MAIL. *Asks*. ``reverse_path`` is None for the null reverse-path ``<>``; ``body`` is None if nothing was said."""

    reverse_path: Mailbox | None
    size_octets: int | None
    body: BodyType | None
    smtputf8: bool


@dataclass(frozen=True, slots=True)
class RecipientOffered:
    """RCPT. *Asks*."""

    forward_path: Mailbox


@dataclass(frozen=True, slots=True)
class ContentOffered:
    """DATA. *Asks*: ``accept()`` answers 354; a refusal leaves the transaction open (RFC 5321 §4.1.1.4)."""


@dataclass(frozen=True, slots=True)
class ContentReceived:
    """Some octets of the content, dots unstuffed, checked: CRLF line ends only, no NUL, lines within the limit."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class ContentEnded:
    """The end of data, exactly CRLF.CRLF. *Asks*: ``accept(reply)`` only once the message is on stable storage.

    The transaction is over whatever is decided.
    """


@dataclass(frozen=True, slots=True)
class TransactionAborted:
    """RSET, EHLO, a violation or the end of the session ended a transaction: let go of what was collected."""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Nothing more will be read: write the output, then close the connection."""


ServerEvent: TypeAlias = (
    TLSRequested
    | CredentialOffered
    | TransactionOffered
    | RecipientOffered
    | ContentOffered
    | ContentReceived
    | ContentEnded
    | TransactionAborted
    | SessionEnded
)
