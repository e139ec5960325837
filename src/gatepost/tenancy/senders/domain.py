"""An authenticated domain: a name an account has proved to control, and the keys that sign under it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm


class DomainState(Enum):
    """Where a domain stands. Several accounts may have one name PENDING; only one can have it VERIFIED."""

    PENDING = "pending"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class DKIMKey:
    """A signing key as it rests.

    Attributes:
        sealed_private_key: PKCS #8 DER, encrypted by the keyring; never the key itself.
        public_key: Base64, as the ``p=`` tag publishes it.
    """

    selector: str
    algorithm: SigningAlgorithm
    sealed_private_key: bytes
    public_key: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedDomain:
    """One account's claim to one domain. ``name`` is lower-case A-labels."""

    name: str
    account_id: AccountId
    state: DomainState
    dkim_keys: tuple[DKIMKey, ...]
    created_at: datetime
    verified_at: datetime | None = None


class DomainTaken(Exception):
    """The claim exists already, or another account has verified the name."""
