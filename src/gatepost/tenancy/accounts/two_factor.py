"""Second factors: what a person shows beside his password.

Each proof is good once, whatever two processes do at the same moment: a one-time password moves the last used step, a
passkey its counter and takes away the challenge it answers, a recovery code is burnt; each of these is one conditional
statement, and only who changed the row has proved anything.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from gatepost.primitives.secret import Secret


class FactorKind(Enum):
    """By what a second factor was shown; the value goes into the audit log."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery code"


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpFactor:
    """An authenticator application; its secret is sealed."""

    sealed_secret: bytes
    enrolled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A WebAuthn credential.

    Attributes:
        id: The credential's id, base64url.
        name: What its owner calls it.
        public_key: COSE, as the authenticator gave it.
        sign_count: The authenticator's counter at its last use; 0 for ever where it has none, as synced ones have not.
    """

    id: str
    name: str
    public_key: bytes
    sign_count: int
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CodeProof:
    """A code from an authenticator application."""

    code: str


@dataclass(frozen=True, slots=True)
class RecoveryProof:
    """A recovery code."""

    code: Secret[str]


@dataclass(frozen=True, slots=True)
class PasskeyProof:
    """An assertion: the JSON that a browser made (WebAuthn Level 3 §5.1, ``toJSON``)."""

    credential: bytes


Proof: TypeAlias = CodeProof | RecoveryProof | PasskeyProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What a person has enrolled. Recovery codes stand in for a factor, and are none by themselves."""

    has_totp: bool
    passkeys: tuple[Passkey, ...]
    recovery_codes_left: int

    @property
    def has_any(self) -> bool:
        """Whether there is a second factor."""
        return self.has_totp or bool(self.passkeys)

    @property
    def count(self) -> int:
        """How many there are: the last one is not removed."""
        return int(self.has_totp) + len(self.passkeys)
