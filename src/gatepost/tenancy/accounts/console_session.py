"""Console sessions: what a person who signs in gets, what it still lacks, and when it ends.

Signing in is a sequence of proofs, and what is due next follows from the session's facts and the person's alone:

- a second factor is enrolled, and this session has not shown it: FACTOR
- a new password has to be set, since the session began with a token: PASSWORD
- no second factor is enrolled: ENROLMENT
- nothing: the person is signed in

No way to begin a session skips a line: a password, a reset token, a set-up token and an invitation differ only in what
they find. A session that something is due in may do that thing, and end, and no more. Its token is replaced by each
proof and by each change of what it may do, so that one seen before is worth nothing after.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from gatepost.primitives.ids import AccountId, SessionId, TeammateId

IDLE_AFTER: Final = timedelta(minutes=30)
ABSOLUTE_AFTER: Final = timedelta(hours=12)
"""NIST SP 800-63B, AAL2: 30 minutes without use, 12 hours in all."""

UNFINISHED_AFTER: Final = timedelta(minutes=15)
"""How long signing in may take."""

PROOF_FRESH_FOR: Final = timedelta(minutes=10)
"""How long a proof of the second factor opens what must not be done with a session that somebody else got hold of."""

PENDING_FOR: Final = timedelta(minutes=10)
"""How long a challenge, or a secret that is not confirmed yet, waits for its answer."""

TOUCH_AFTER: Final = timedelta(minutes=1)
"""How exact "last seen" is: each note of it is a commit."""


class Step(Enum):
    """What has to be done next before a session may do anything else."""

    FACTOR = "factor"
    PASSWORD = "password"  # noqa: S105 - a step, not a password
    ENROLMENT = "enrolment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as it rests, without its token.

    Attributes:
        opened_by: What began it: ``password``, ``reset token``, ``set-up token``, ``invitation``.
        factor: By which second factor it was proved, in the words of the audit log; "" for not yet.
        proved_at: When the second factor was last shown in it.
        is_password_due: Whether a new password has to be set.
        expires_at: Its absolute end.
        peer: Address of the client that opened it.
        client: What that client called itself.
    """

    id: SessionId
    account_id: AccountId
    teammate_id: TeammateId
    opened_at: datetime
    opened_by: str
    expires_at: datetime
    last_seen_at: datetime
    factor: str = ""
    proved_at: datetime | None = None
    is_password_due: bool = False
    peer: str = ""
    client: str = ""

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended by itself: too old, too long without use, or never finished."""
        if now >= self.expires_at or now >= self.last_seen_at + IDLE_AFTER:
            return True
        return not self.factor and now >= self.opened_at + UNFINISHED_AFTER

    def is_fresh(self, now: datetime) -> bool:
        """Whether the second factor was shown a short while ago."""
        return self.proved_at is not None and now < self.proved_at + PROOF_FRESH_FOR

    @property
    def credential(self) -> str:
        """By what the person is known in it, for the audit log: ``password, totp``."""
        return f"{self.opened_by}, {self.factor}" if self.factor else self.opened_by


def next_step(session: Session, *, has_factor: bool) -> Step | None:
    """Return what is due; None once the person is signed in."""
    if not session.factor and has_factor:
        return Step.FACTOR
    if session.is_password_due:
        return Step.PASSWORD
    return None if session.factor else Step.ENROLMENT
