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
    """One account's claim to one domain. ``name`` is lower-case A-labels.

    Attributes:
        assigned_to: Subusers of the account that may send as the domain too, while it is VERIFIED.
    """

    name: str
    account_id: AccountId
    state: DomainState
    dkim_keys: tuple[DKIMKey, ...]
    created_at: datetime
    verified_at: datetime | None = None
    assigned_to: frozenset[AccountId] = frozenset()

    def may_be_used_by(self, account_id: AccountId) -> bool:
        """Say whether the account holds the claim, or its parent does and has assigned it."""
        return account_id == self.account_id or account_id in self.assigned_to


class DomainTaken(Exception):
    """The claim exists already, or another account has verified the name."""
