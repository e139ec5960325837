"""Refusals → status and body: the only place where the API's wording for them lives.

The body is ``{"errors": [{"message", "field", "help"}]}``, as clients of the dialect read it. What is wrong with a
field of a request is worded where it is checked (``v3/*_checks``), because the text is the rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil
from typing import Final, cast

import msgspec

from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Permanent, Transient
from gatepost.tenancy.access.budget import BudgetSpent
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.access.sending_rate import OverLimit
from gatepost.tenancy.accounts.denial import PersonDenial, TooManyAttempts


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong; ``field`` is a dotted path with array indexes, null where it is none field's fault.

    ``error_id`` stands only where the dialect has one, and is ours: a word for programs.
    """

    message: str
    field: str | None = None
    help: str | None = None
    error_id: str | msgspec.UnsetType = msgspec.UNSET


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """What every refusal says."""

    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A refusal: HTTP status, what is wrong, further header fields."""

    status: int
    errors: tuple[FieldError, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(status: int, message: str, *, at: str | None = None, headers: Mapping[str, str] | None = None) -> Problem:
    """Make a refusal that says one thing."""
    return Problem(status=status, errors=(FieldError(message=message, field=at),), headers=headers or {})


def invalid(errors: Sequence[FieldError]) -> Problem:
    """Make the refusal of a body that is wrong in these fields."""
    return Problem(status=400, errors=tuple(errors))


_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}

NO_CREDENTIAL: Final = problem(401, "Permission denied, wrong credentials", headers=_CHALLENGE)
KEYS_ONLY: Final = problem(403, "access forbidden: this takes an API key, not a session")
PEOPLE_ONLY: Final = problem(403, "access forbidden: this takes a person's session, not an API key; POST /v3/sessions")
FORBIDDEN: Final = problem(403, "access forbidden")
#: Whether there is no such subuser, it is somebody else's, or it was deleted: the answer is the same.
NOT_ON_BEHALF: Final = problem(403, "access forbidden: your account has no subuser of that name", at="on-behalf-of")
NEVER_ON_BEHALF: Final = problem(
    403, "access forbidden: this is not done on behalf of a subuser; use a key of its own", at="on-behalf-of"
)
NOT_FOUND: Final = problem(404, "not found")
TOO_SLOW: Final = problem(408, "the request took too long to arrive", headers={"Connection": "close"})
TOO_LARGE: Final = problem(413, "content too large", headers={"Connection": "close"})
NOT_JSON: Final = problem(415, "Content-Type should be application/json.")
NOT_PLAIN: Final = problem(415, "Content-Encoding is not supported: send the body as it is.")
NOT_UTF8: Final = problem(415, "Invalid UTF8 in request")
BAD_REQUEST: Final = problem(400, "Bad Request")
IN_FLIGHT: Final = problem(
    409, "a request with this Idempotency-Key is being carried out: try again", headers={"Retry-After": "1"}
)
NO_MAIL: Final = problem(
    503,
    "the service cannot write mail of its own: ask its operator to set `author` in [system_mail]; nothing was changed",
)
NO_MAIL_THERE: Final = problem(400, "no mail can be sent to that address: its domain takes none", at="email")
INTERNAL_ERROR: Final = problem(500, "internal server error")
NO_ROOM: Final = problem(
    503, "no room for the request at the moment; try again", headers={"Retry-After": "5", "Connection": "close"}
)

_SENDER_IDENTITY: Final = (
    "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved."
)
_KEY_NOT_VALID: Final = problem(
    401, "The provided authorization grant is invalid, expired, or revoked", headers=_CHALLENGE
)
TOO_MANY: Final = problem(429, "too many requests", headers={"Retry-After": "60"})

_ACCESS: Final[dict[AccessDenial, Problem]] = {
    AccessDenial.BAD_CREDENTIAL: NO_CREDENTIAL,
    AccessDenial.PASSWORD_NOT_TAKEN: NO_CREDENTIAL,
    AccessDenial.KEY_NOT_VALID: _KEY_NOT_VALID,
    AccessDenial.TOO_MANY_ATTEMPTS: TOO_MANY,
    AccessDenial.ADDRESS_NOT_LISTED: FORBIDDEN,
    AccessDenial.NETWORK_NOT_ALLOWED: FORBIDDEN,
    AccessDenial.SCOPE_MISSING: FORBIDDEN,
    AccessDenial.ACCOUNT_NOT_ACTIVE: FORBIDDEN,
    # Sending alone is refused for these; what the account has queued elsewhere is worth keeping.
    AccessDenial.ACCOUNT_UNDER_REVIEW: problem(
        503, "the account is under review: no mail is taken until that has ended", headers={"Retry-After": "3600"}
    ),
    AccessDenial.CREDITS_EXCEEDED: problem(401, "Maximum credits exceeded"),
}
#: What these say where mail is to be sent.
_MAY_NOT_SEND: Final = problem(401, "Authenticated user is not authorized to send mail")
_SEND_DENIALS: Final = frozenset(
    {
        AccessDenial.ADDRESS_NOT_LISTED,
        AccessDenial.NETWORK_NOT_ALLOWED,
        AccessDenial.SCOPE_MISSING,
        AccessDenial.ACCOUNT_NOT_ACTIVE,
    }
)

#: Status, field, text; ``{detail}`` is where the denial's own words go.
_SUBMISSION: Final[dict[SubmissionDenial, tuple[int, str | None, str]]] = {
    SubmissionDenial.HEADER_MALFORMED: (400, "headers", "The headers make no valid message{detail}"),
    SubmissionDenial.HEADER_TOO_LONG: (400, "headers", "The header section is too long{detail}"),
    SubmissionDenial.AUTHOR_AMBIGUOUS: (400, "from", "The from object must name one address{detail}"),
    SubmissionDenial.AUTHOR_NOT_VERIFIED: (
        403,
        "from",
        _SENDER_IDENTITY + " Authenticate its domain (POST /v3/whitelabel/domains), or prove that one address"
        " by POST /v3/verified_senders{detail}",
    ),
    SubmissionDenial.AUTHOR_NOT_ALLOWED: (
        403,
        "from",
        _SENDER_IDENTITY + " This API key may not be used with that address{detail}",
    ),
    SubmissionDenial.SENDER_NOT_VERIFIED: (
        403,
        "headers",
        _SENDER_IDENTITY
        + " A Sender or Resent header names neither a verified domain nor a verified single sender of your"
        " account{detail}",
    ),
    SubmissionDenial.REVERSE_PATH_NOT_VERIFIED: (403, "from", _SENDER_IDENTITY + "{detail}"),
    SubmissionDenial.RECIPIENT_NOT_ROUTABLE: (
        400,
        "personalizations.{position}",
        "The recipient's domain is none that mail could be delivered to{detail}",
    ),
    SubmissionDenial.RECIPIENT_NOT_ALLOWED: (
        403,
        "personalizations.{position}",
        "This API key may not be used to write to that recipient{detail}",
    ),
    SubmissionDenial.EIGHT_BIT_NOT_DECLARED: (400, "headers", "The headers hold octets above 127{detail}"),
    SubmissionDenial.LOOP: (400, "headers", "Too many Received fields: the message goes in a circle{detail}"),
    SubmissionDenial.X_SMTPAPI: (
        400,
        "headers",
        "The X-SMTPAPI header is not taken here: use the fields of the request{detail}",
    ),
}


#: What is done next about what is due in a session.
_STEPS: Final = {
    "factor": "the second factor is due: POST /v3/sessions/factor",
    "password": "a new password is due: PUT /v3/user/password",
    "enrolment": "a second factor has to be enrolled first: POST /v3/user/factors/totp or /v3/user/factors/passkeys",
}

#: Status, field, text; ``{detail}`` is where the denial's own words go.
_PERSON: Final[dict[PersonDenial, tuple[int, str | None, str]]] = {
    PersonDenial.WRONG_PASSWORD: (401, None, "the user name or the password is wrong"),
    PersonDenial.WRONG_OLD_PASSWORD: (
        401,
        "old_password",
        "old_password is not your present password; if you forgot it, have it reset: POST /v3/password_resets",
    ),
    PersonDenial.WRONG_FACTOR: (
        401,
        None,
        "the second factor is wrong, or was used already: wait for the next code, or use a recovery code",
    ),
    PersonDenial.CLOCK_OUT_OF_STEP: (
        401,
        "code",
        "the code is of another time: set the clock of your phone, or use a recovery code",
    ),
    PersonDenial.TOO_MANY_ATTEMPTS: (429, None, "too many attempts: none is looked at for another {detail}"),
    PersonDenial.TOKEN_NOT_VALID: (
        401,
        "token",
        "the token is unknown, used already, or expired: have another one sent",
    ),
    PersonDenial.NETWORK_NOT_ALLOWED: (
        403,
        None,
        "access forbidden: the account may not be used from your address; whoever runs this service can change that",
    ),
    PersonDenial.ACCOUNT_CLOSED: (
        403,
        None,
        "access forbidden: the account is closed, for good; ask whoever runs this service",
    ),
    PersonDenial.WEBSITE_BARRED: (
        403,
        None,
        "access forbidden: the parent account keeps the people of this subuser out; its owner can let you in again",
    ),
    PersonDenial.SESSION_NOT_VALID: (401, None, "the session has ended: sign in again"),
    PersonDenial.STEP_DUE: (403, None, "{detail}"),
    PersonDenial.PROOF_NEEDED: (403, None, "show your second factor again: POST /v3/sessions/factor"),
    PersonDenial.PASSWORD_NOT_TAKEN: (400, "new_password", "{detail}"),
    PersonDenial.NAME_TAKEN: (400, "{detail}", "{detail} is already in use"),
    PersonDenial.LAST_FACTOR: (400, None, "this is your last second factor: enrol another one first"),
    PersonDenial.NOTHING_PENDING: (
        400,
        None,
        "nothing was begun in this session, or too long ago: begin again with POST to the same path",
    ),
    PersonDenial.UNKNOWN: (404, None, "not found"),
    PersonDenial.TOO_MANY: (403, None, "there are as many as there may be"),
}


#: What a person is told beyond what a key is: he can ask somebody.
_ACCESS_OF_PEOPLE: Final = {
    AccessDenial.SCOPE_MISSING: problem(
        403, "access forbidden: your rights in this account do not go so far; GET /v3/scopes shows them"
    ),
    AccessDenial.ACCOUNT_NOT_ACTIVE: problem(
        403, "access forbidden: the account is suspended, and can only be looked at; ask whoever runs this service"
    ),
}


def problem_of_person(denial: Deny, *, password_field: str = "new_password") -> Problem:  # noqa: S107 - a field's name
    """Put the refusal of a person, or of what he wants, into words."""
    if isinstance(denial.reason, AccessDenial):
        return _ACCESS_OF_PEOPLE.get(denial.reason) or problem_of_access(denial, sends_mail=False)
    reason = cast("PersonDenial", denial.reason)
    status, at, text = _PERSON[reason]
    detail = _STEPS.get(denial.detail, denial.detail)
    if isinstance(denial, TooManyAttempts):
        detail = _spell(denial.retry_after)
    at = password_field if at == "new_password" else at and at.replace("{detail}", detail)
    made = problem(status, text.replace("{detail}", detail), at=at, headers=_CHALLENGE if status == 401 else None)
    if isinstance(denial, TooManyAttempts):
        return replace(made, headers={"Retry-After": str(max(1, ceil(denial.retry_after.total_seconds())))})
    return made


def _spell(wait: timedelta) -> str:
    """Say how long, as somebody who waits wants to know it."""
    minutes = ceil(wait / timedelta(minutes=1))
    return f"{minutes} min" if minutes < 120 else f"{ceil(minutes / 60)} h"


def problem_of_access(denial: Deny, *, sends_mail: bool) -> Problem:
    """Put a refusal of access into words; its detail never leaves.

    Raises:
        KeyError: The reason is none of access: a mistake of ours, met by the edge's broad handler.
    """
    reason = cast("AccessDenial", denial.reason)
    return _MAY_NOT_SEND if sends_mail and reason in _SEND_DENIALS else _ACCESS[reason]


def problem_of_submission(denial: Deny, position: int) -> Problem:
    """Put the refusal of the message for one personalization into words."""
    if isinstance(denial.reason, AccessDenial):
        return problem_of_access(denial, sends_mail=True)
    if isinstance(denial, BudgetSpent):
        wait = max(1, ceil(denial.retry_after.total_seconds()))
        text = f"{denial.reason.value.capitalize()}: this API key may send {denial.detail}"
        return problem(429, text, headers={"Retry-After": str(wait)})
    if isinstance(denial, OverLimit):
        seconds = ceil(denial.retry_after.total_seconds())
        return problem(429, f"too many requests: {denial.detail}", headers={"Retry-After": str(seconds)})
    status, at, text = _SUBMISSION[cast("SubmissionDenial", denial.reason)]
    detail = f": {denial.detail}" if denial.detail else ""
    return problem(status, text.replace("{detail}", detail), at=at and at.replace("{position}", str(position)))


def problem_of_trouble(trouble: Transient | Permanent) -> Problem:
    """Put a store's trouble into words: whether it is worth to come again."""
    if isinstance(trouble, Permanent):
        return problem(500, "the message cannot be stored")
    if isinstance(trouble, StoreUnavailable) and trouble.trouble is StoreTrouble.NO_ROOM:
        return problem(507, "the service has no room for mail at the moment; try again", headers={"Retry-After": "60"})
    return problem(503, "the service cannot store this at the moment; try again", headers={"Retry-After": "5"})


def too_many_requests(retry_after_seconds: int) -> Problem:
    """Make the refusal of a request beyond a key's rate."""
    return problem(429, "too many requests", headers={"Retry-After": str(retry_after_seconds)})


def forwarded_malformed(header: str, reason: str) -> Problem:
    """Make the refusal of a request of which a listed proxy does not say who made it."""
    return problem(400, f"the {header} header of the proxy in front of this service cannot be read: {reason}")


def method_not_allowed(allowed: Sequence[str]) -> Problem:
    """Make the refusal of a method that the path does not have."""
    text = "POST method allowed only" if tuple(allowed) == ("POST",) else "method not allowed"
    return problem(405, text, headers={"Allow": ", ".join(allowed)})
