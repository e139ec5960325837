"""Deny reason → Reply: the only place where a refusal is put into words for SMTP.

The words of the dialect (compatible with SendGrid's, which applications look for) follow an enhanced status code
(RFC 3463, RFC 5248). A reply is one line of at most 512 octets (RFC 5321 §4.5.3.1.5) in ASCII: what a client wrote
is escaped and cut before it is echoed. Nobody is told which part of a credential was wrong.
"""

from enum import Enum
from typing import Final, cast

from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Permanent, Transient
from gatepost.primitives.ids import MessageId
from gatepost.standards.smtp.replies import Reply
from gatepost.tenancy.access.budget import BudgetDenial
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.access.sending_rate import LimitDenial

MAX_DETAIL_CHARACTERS: Final = 160
"""Of a refusal's detail, so many characters are echoed, counted after escaping."""

NO_ROOM: Final = Reply(452, "4.3.1", "No room for the message at the moment; try again later")
STORE_TROUBLE: Final = Reply(451, "4.3.0", "The message could not be stored; try again later")
NOT_STORABLE: Final = Reply(554, "5.3.0", "The message cannot be stored")
INTERNAL_ERROR: Final = Reply(451, "4.3.0", "Requested action aborted: local error in processing; try again later")
SESSION_BROKEN: Final = Reply(421, "4.3.0", "Local error in processing; closing the connection, try again later")
TOO_MANY_SESSIONS: Final = Reply(421, "4.7.0", "Too many connections; try again later")
IDLE_TOO_LONG: Final = Reply(421, "4.4.2", "Timeout: nothing was received for too long; closing the connection")
CONTENT_TOO_SLOW: Final = Reply(421, "4.4.2", "Timeout: the message arrives too slowly; closing the connection")
SESSION_TOO_LONG: Final = Reply(421, "4.4.2", "The session has lasted too long; connect again to go on")
SHUTTING_DOWN: Final = Reply(421, "4.3.2", "The service is restarting; connect again to go on")
CANNOT_AUTHENTICATE: Final = Reply(451, "4.3.0", "Authentication failed: Could not authenticate")


_SENDER_IDENTITY: Final = (
    "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved."
)
_NOT_AUTHORIZED: Final = Reply(535, "5.7.8", "Authentication failed: Authenticated user is not authorized to send mail")
_NOT_FROM_THERE: Final = Reply(451, "4.7.1", "Authentication failed: Could not authenticate")

_ACCESS: Final[dict[AccessDenial, Reply]] = {
    AccessDenial.BAD_CREDENTIAL: Reply(535, "5.7.8", "Authentication failed: Bad username / password"),
    AccessDenial.KEY_NOT_VALID: Reply(
        535, "5.7.8", "Authentication failed: The provided authorization grant is invalid, expired, or revoked"
    ),
    # Given for any user name but ``apikey``, whether or not an account has it: it tells nothing about who exists.
    AccessDenial.PASSWORD_NOT_TAKEN: Reply(
        535,
        "5.7.8",
        "Authentication failed: Basic authentication is not allowed with 2FA enabled;"
        " use the user name apikey and an API key",
    ),
    # Transient in the dialect: a mail server keeps its queue while somebody mends the list, the account's or the key's.
    AccessDenial.ADDRESS_NOT_LISTED: _NOT_FROM_THERE,
    AccessDenial.NETWORK_NOT_ALLOWED: _NOT_FROM_THERE,
    AccessDenial.SCOPE_MISSING: _NOT_AUTHORIZED,
    AccessDenial.ACCOUNT_NOT_ACTIVE: _NOT_AUTHORIZED,
    # Transient: a mail server keeps its queue until the review has ended, or the credits have come back (the dialect).
    AccessDenial.ACCOUNT_UNDER_REVIEW: Reply(
        451, "4.7.1", "Authentication failed: The account is under review; try again later"
    ),
    AccessDenial.CREDITS_EXCEEDED: Reply(451, "4.7.1", "Authentication failed: Maximum credits exceeded"),
    AccessDenial.TOO_MANY_ATTEMPTS: Reply(421, "4.7.0", "Too many failed authentication attempts; try again later"),
}

_SUBMISSION: Final[dict[SubmissionDenial, Reply]] = {
    SubmissionDenial.HEADER_MALFORMED: Reply(
        550, "5.6.0", "The header section does not keep to RFC 5322 and is not taken{detail}"
    ),
    SubmissionDenial.HEADER_TOO_LONG: Reply(552, "5.3.4", "The header section is too long{detail}"),
    SubmissionDenial.AUTHOR_AMBIGUOUS: Reply(
        550, "5.7.1", _SENDER_IDENTITY + " The message needs exactly one From field with one plain address{detail}"
    ),
    SubmissionDenial.AUTHOR_NOT_VERIFIED: Reply(
        550,
        "5.7.1",
        _SENDER_IDENTITY + " Verify the domain of the From field (gatepost domain add, then verify), or that one"
        " address by POST /v3/verified_senders{detail}",
    ),
    SubmissionDenial.AUTHOR_NOT_ALLOWED: Reply(
        550, "5.7.1", _SENDER_IDENTITY + " This API key may not be used with that From address{detail}"
    ),
    SubmissionDenial.SENDER_NOT_VERIFIED: Reply(
        550,
        "5.7.1",
        _SENDER_IDENTITY + " The Sender field must name a verified domain or single sender of your account; or"
        " leave it out{detail}",
    ),
    SubmissionDenial.REVERSE_PATH_NOT_VERIFIED: Reply(
        550,
        "5.7.1",
        _SENDER_IDENTITY + " The address given at MAIL FROM must lie in a verified domain of your account, or be a"
        " verified single sender{detail}",
    ),
    SubmissionDenial.RECIPIENT_NOT_ROUTABLE: Reply(
        550, "5.1.2", "The recipient's domain is none that mail could be delivered to{detail}"
    ),
    SubmissionDenial.RECIPIENT_NOT_ALLOWED: Reply(
        550, "5.7.1", "This API key may not be used to write to that recipient{detail}"
    ),
    SubmissionDenial.EIGHT_BIT_NOT_DECLARED: Reply(
        554,
        "5.6.3",
        "Octets above 127 need BODY=8BITMIME at MAIL FROM, and SMTPUTF8 if they are in the header section{detail}",
    ),
    SubmissionDenial.LOOP: Reply(554, "5.4.6", "Too many Received fields: the message goes in a circle{detail}"),
    SubmissionDenial.X_SMTPAPI: Reply(554, "5.6.0", "The X-SMTPAPI field cannot be carried out{detail}"),
}

# 451 is what RFC 5321 §4.3.2 has for each of MAIL, RCPT and the end of data: a mail server keeps the message.
_BUDGET: Final[dict[BudgetDenial, Reply]] = {
    BudgetDenial.MESSAGES: Reply(451, "4.7.1", "The message budget of this API key is spent{detail}"),
    BudgetDenial.NEW_RECIPIENTS: Reply(
        451, "4.7.1", "The budget of this API key for first-time recipients is spent{detail}"
    ),
}

# 451, never 452: on that clients send the same message again at once, with fewer recipients. Never 5xx: nobody loses
# a message for having been too quick.
_LIMIT: Final[dict[LimitDenial, Reply]] = {
    LimitDenial.ACCOUNT_LIMIT: Reply(451, "4.7.1", "Too much mail for now{detail}"),
    LimitDenial.ADDRESS_LIMIT: Reply(451, "4.7.1", "Too much mail from your address for now{detail}"),
}

_REFUSALS: Final = cast("dict[Enum, Reply]", _ACCESS | _SUBMISSION | _LIMIT | _BUDGET)

_NOT_IN_REPLIES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def reply_to_denial(denial: Deny) -> Reply:
    """Put a refusal into words.

    An AccessDenial's detail never leaves: it would be said to somebody who has not proved who they are. That of the
    others is appended, escaped and bounded.

    Raises:
        KeyError: The reason belongs to none of the enums: a mistake of ours, met by the edge's broad handler.
    """
    reply = _REFUSALS[denial.reason]
    if isinstance(denial.reason, AccessDenial):
        return reply
    detail = f" ({_escape(denial.detail)})" if denial.detail else ""
    return Reply(reply.code, reply.enhanced, reply.text.replace("{detail}", detail))


def reply_to_trouble(trouble: Transient | Permanent) -> Reply:
    """Put a store's trouble into words: whether, and when, it is worth to come again."""
    if isinstance(trouble, Permanent):
        return NOT_STORABLE
    if isinstance(trouble, StoreUnavailable) and trouble.trouble is StoreTrouble.NO_ROOM:
        return NO_ROOM
    return STORE_TROUBLE


def queued(message_id: MessageId) -> Reply:
    """The 250 after the end of data; applications read the id from it."""
    return Reply(250, "2.0.0", f"Ok: queued as {message_id}")


def _escape(detail: str) -> str:
    """Make what a client may have written fit for one ASCII line: nothing in it ends the line or moves a cursor."""
    visible = detail.translate(_NOT_IN_REPLIES).encode("ascii", "backslashreplace").decode("ascii")
    if len(visible) <= MAX_DETAIL_CHARACTERS:
        return visible
    return visible[: MAX_DETAIL_CHARACTERS - 3] + "..."
