"""Why something about a person was refused. Wording is put to it where it leaves the program."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from gatepost.primitives.decision import Deny


class PersonDenial(Enum):
    """The reasons."""

    #: No such person, no password, or a wrong one: nobody is told which.
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a reason, not a password
    #: Asked for again, of somebody who is signed in.
    WRONG_OLD_PASSWORD = "wrong old password"  # noqa: S105 - a reason, not a password
    WRONG_FACTOR = "wrong factor"
    #: The code would have been right some minutes earlier or later.
    CLOCK_OUT_OF_STEP = "clock out of step"
    TOO_MANY_ATTEMPTS = "too many attempts"
    #: Unknown, used, or expired.
    TOKEN_NOT_VALID = "token not valid"  # noqa: S105 - a reason, not a token
    NETWORK_NOT_ALLOWED = "network not allowed"
    ACCOUNT_CLOSED = "account closed"
    #: The parent keeps its subuser's people off; the subuser's keys go on.
    WEBSITE_BARRED = "website barred"
    #: Ended, or its token was replaced.
    SESSION_NOT_VALID = "session not valid"
    #: Something else has to be done first; detail says what.
    STEP_DUE = "step due"
    #: The second factor was not shown lately.
    PROOF_NEEDED = "proof needed"
    #: The policy refuses the new password; detail says why.
    PASSWORD_NOT_TAKEN = "password not taken"  # noqa: S105 - a reason, not a password
    #: Detail says which field.
    NAME_TAKEN = "name taken"
    #: A person keeps at least one second factor.
    LAST_FACTOR = "last factor"
    #: No enrolment has been begun in this session, or too long ago.
    NOTHING_PENDING = "nothing pending"
    UNKNOWN = "unknown"
    #: There are as many as there may be.
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class TooManyAttempts(Deny):
    """Guesses are not looked at for a while."""

    retry_after: timedelta = timedelta(0)
