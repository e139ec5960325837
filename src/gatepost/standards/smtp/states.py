"""What a client may say when, and what a decision leads to: the server's transitions, as data.

Two rules. Everything about the *order* of commands is in this file; what a listener offers at all (STARTTLS, AUTH) and
the limits are not. Every state in which commands are read has a row, every row has every command: None where it is
legal, else the reply it gets.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gatepost.standards.smtp.commands import Verb
from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    CredentialOffered,
    RecipientOffered,
    ServerEvent,
    TransactionOffered,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import (
    ALREADY_AUTHENTICATED,
    AUTH_NEEDS_TLS,
    AUTHENTICATED,
    EHLO_FIRST,
    HELP,
    NO_EXPN,
    NOT_IN_TRANSACTION,
    NOT_VERIFIED,
    OK,
    ONE_SENDER,
    RECIPIENT_ACCEPTED,
    RECIPIENT_FIRST,
    SEND_CONTENT,
    SENDER_ACCEPTED,
    SENDER_FIRST,
    TLS_ALREADY_ACTIVE,
    UNAUTHENTICATED_SENDER,
)


class State(StrEnum):
    """Where a session stands."""

    CONNECTED = "connected"
    """Before EHLO; also just after the TLS handshake."""
    HELO_ONLY = "helo only"
    """HELO was said, which offers nothing, so nobody can authenticate."""
    UNPROTECTED = "unprotected"
    """EHLO was said in the clear; STARTTLS is due."""
    UNAUTHENTICATED = "unauthenticated"
    """EHLO was said over TLS; AUTH is due."""
    READY = "ready"
    """A transaction may begin."""
    TRANSACTION = "transaction"
    """MAIL was accepted."""
    RECIPIENTS = "recipients"
    """At least one RCPT was accepted."""

    # What arrives in these is not a command.
    OPENING = "opening"
    """Nothing has been said yet, not even the greeting."""
    HANDSHAKE = "handshake"
    """Between the 220 of STARTTLS and the end of the TLS handshake."""
    EXCHANGE = "exchange"
    """Within AUTH."""
    CONTENT = "content"
    """Between 354 and the end of data."""
    ENDED = "ended"
    """Nothing more is read."""


_ANYTIME: Final[Mapping[Verb, Reply | None]] = dict.fromkeys(
    (Verb.EHLO, Verb.HELO, Verb.RSET, Verb.NOOP, Verb.QUIT, Verb.VRFY, Verb.EXPN, Verb.HELP)
)  # RFC 5321 §4.1.4: HELP, NOOP, RSET, VRFY, EXPN need no session; EHLO and QUIT never come amiss

_BEGUN: Final[Mapping[Verb, Reply | None]] = {
    **_ANYTIME,
    Verb.STARTTLS: NOT_IN_TRANSACTION,
    Verb.AUTH: NOT_IN_TRANSACTION,  # RFC 4954 §4
    Verb.MAIL: ONE_SENDER,  # RFC 5321 §4.1.4
    Verb.RCPT: None,
}

COMMANDS: Final[Mapping[State, Mapping[Verb, Reply | None]]] = {
    State.CONNECTED: {
        **_ANYTIME,
        **dict.fromkeys((Verb.STARTTLS, Verb.AUTH, Verb.MAIL, Verb.RCPT, Verb.DATA), EHLO_FIRST),
    },
    State.HELO_ONLY: {
        **_ANYTIME,
        **dict.fromkeys((Verb.STARTTLS, Verb.AUTH), EHLO_FIRST),
        **dict.fromkeys((Verb.MAIL, Verb.RCPT, Verb.DATA), UNAUTHENTICATED_SENDER),
    },
    State.UNPROTECTED: {
        **_ANYTIME,
        Verb.STARTTLS: None,
        Verb.AUTH: AUTH_NEEDS_TLS,
        **dict.fromkeys((Verb.MAIL, Verb.RCPT, Verb.DATA), UNAUTHENTICATED_SENDER),
    },
    State.UNAUTHENTICATED: {
        **_ANYTIME,
        Verb.STARTTLS: TLS_ALREADY_ACTIVE,
        Verb.AUTH: None,
        **dict.fromkeys((Verb.MAIL, Verb.RCPT, Verb.DATA), UNAUTHENTICATED_SENDER),
    },
    State.READY: {
        **_ANYTIME,
        Verb.STARTTLS: None,
        Verb.AUTH: ALREADY_AUTHENTICATED,  # RFC 4954 §4
        Verb.MAIL: None,
        Verb.RCPT: SENDER_FIRST,
        Verb.DATA: RECIPIENT_FIRST,
    },
    State.TRANSACTION: {**_BEGUN, Verb.DATA: RECIPIENT_FIRST},
    State.RECIPIENTS: {**_BEGUN, Verb.DATA: None},
}

ENDS_GROUP: Final = frozenset((Verb.EHLO, Verb.HELO, Verb.STARTTLS, Verb.AUTH, Verb.DATA))
"""Commands behind which no octet may have come: after their reply the meaning of what follows changes.

RFC 2920 §3.1 asks that of EHLO, DATA, VRFY, EXPN, TURN, QUIT and NOOP; RFC 3207 and RFC 4954 of STARTTLS and AUTH. We
insist where it keeps somebody out (an injected command, a smuggled message) and let the others pass, because clients
do put NOOP, VRFY or RSET in the middle of a group. What follows QUIT is never read.
"""

WITHOUT_ARGUMENT: Final = frozenset((Verb.STARTTLS, Verb.DATA, Verb.RSET))
"""Commands that are refused with an argument (RFC 5321 §4.1.1, RFC 3207 §4). One behind QUIT is overlooked."""

FIXED_REPLIES: Final[Mapping[Verb, Reply]] = {
    Verb.NOOP: OK,
    Verb.HELP: HELP,
    Verb.VRFY: NOT_VERIFIED,
    Verb.EXPN: NO_EXPN,
}
"""Commands that change nothing; the answer is the same for every argument, so nobody learns who exists."""

ACCEPTED: Final[Mapping[type[ServerEvent], tuple[State, Reply]]] = {
    CredentialOffered: (State.READY, AUTHENTICATED),
    TransactionOffered: (State.TRANSACTION, SENDER_ACCEPTED),
    RecipientOffered: (State.RECIPIENTS, RECIPIENT_ACCEPTED),
    ContentOffered: (State.CONTENT, SEND_CONTENT),
    ContentEnded: (State.READY, OK),
}
"""Where an acceptance leads, and how it is told unless the owner has other words."""

REFUSED: Final[Mapping[type[ServerEvent], State | None]] = {
    CredentialOffered: State.UNAUTHENTICATED,
    TransactionOffered: None,
    RecipientOffered: None,
    ContentOffered: None,  # RFC 5321 §4.1.1.4: the transaction stays open
    ContentEnded: State.READY,  # the transaction is over either way
}
"""Where a refusal leads; None: it changes nothing."""


def greeted(*, by_ehlo: bool, tls_active: bool, may_send: bool) -> State:
    """Say where EHLO or HELO leads.

    Args:
        by_ehlo: EHLO rather than HELO.
        tls_active: Whether the session is over TLS.
        may_send: Whether the client is authenticated, or need not be.
    """
    if may_send:
        return State.READY
    if not by_ehlo:
        return State.HELO_ONLY
    return State.UNAUTHENTICATED if tls_active else State.UNPROTECTED
