"""An authenticated domain: a name an account has proved to control, and the keys that sign under it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm

DomainId = NewType("DomainId", int)
"""A claim, by the number that the store gave it; never given to another one."""

UNNUMBERED = DomainId(0)
"""What a claim has before it is stored."""


class DomainState(Enum):
    """Where a claim stands. Several accounts may have one name PENDING; only one can have it VERIFIED."""

    PENDING = "pending"
    VERIFIED = "verified"


class KeyState(Enum):
    """Where a DKIM key stands in its life, in this order (``rotation``)."""

    #: Published, not yet seen by everybody: it does not sign.
    NEXT = "next"
    #: It signs.
    ACTIVE = "active"
    #: It signs no more; what it signed may still be under way, so it stays published.
    RETIRED = "retired"
    #: Published as withdrawn (an empty ``p=``); the private key is destroyed.
    EMPTIED = "emptied"


@dataclass(frozen=True, slots=True, kw_only=True)
class DKIMKey:
    """A key pair as it rests.

    Attributes:
        sealed_private_key: PKCS #8 DER, encrypted by the keyring; never the key itself. Empty once EMPTIED.
        public_key: Base64, as the ``p=`` tag publishes it; "" once EMPTIED.
        changed_at: When it got into its state; None for when it was created.
    """

    selector: str
    algorithm: SigningAlgorithm
    sealed_private_key: bytes
    public_key: str
    created_at: datetime
    state: KeyState = KeyState.ACTIVE
    changed_at: datetime | None = None

    @property
    def since(self) -> datetime:
        """Since when it has been in its state."""
        return self.changed_at or self.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedDomain:
    """One account's claim to one domain. ``name`` is lower-case A-labels.

    Attributes:
        dkim_keys: All of them, in the order in which they sign.
        return_path: The label below the name to which bounces go, such as ``em1234``; "" if the claim has none.
        label: Where the claim's records stand in our own zone, for automatic security: drawn at random, and never
            another claim's, so that a CNAME that was left behind leads nowhere. None with manual security.
        is_default: Whether it signs for authors whose domain no claim matches.
        custom_spf: Whether the return path's SPF record names ``addresses`` instead of all of ours.
        addresses: The sending addresses for that record.
        checked_at: When its records were last looked for; None if not since it was made.
        failing_since: Since when a record that it needs is gone; None if none is.
        records_found: Which records were right when they were last looked for, by the plan's ``key``; None if that was
            not noted.
        rotation_requested_at: When somebody last asked for new keys; those drawn since then are new.
        rotation_is_urgent: Whether that was because a key may be known to others: the old ones end at once.
        assigned_to: Subusers of the account that may send as the domain too, while it is VERIFIED.
    """

    name: str
    account_id: AccountId
    state: DomainState
    dkim_keys: tuple[DKIMKey, ...]
    created_at: datetime
    id: DomainId = UNNUMBERED
    verified_at: datetime | None = None
    return_path: str = ""
    label: str | None = None
    is_default: bool = False
    custom_spf: bool = False
    addresses: tuple[str, ...] = ()
    checked_at: datetime | None = None
    failing_since: datetime | None = None
    records_found: frozenset[str] | None = None
    rotation_requested_at: datetime | None = None
    rotation_is_urgent: bool = False

    assigned_to: frozenset[AccountId] = frozenset()

    @property
    def is_automatic(self) -> bool:
        """The customer has published CNAMEs into our zone, where we rotate keys by ourselves."""
        return self.label is not None

    @property
    def signing_keys(self) -> tuple[DKIMKey, ...]:
        """The keys that sign now, in order."""
        return tuple([key for key in self.dkim_keys if key.state is KeyState.ACTIVE])

    def may_be_used_by(self, account_id: AccountId) -> bool:
        """Say whether the account holds the claim, or its parent does and has assigned it."""
        return account_id == self.account_id or account_id in self.assigned_to


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneChange:
    """What has changed in our own zone since a serial.

    Attributes:
        serial: Of the zone as it is now; it grows with each change, for all processes and machines alike.
        changed: The claims whose records are new or others.
        labels: Of all claims that stand in the zone now: what has another label is gone.
    """

    serial: int
    changed: tuple[AuthenticatedDomain, ...]
    labels: frozenset[str]


class DomainTaken(Exception):
    """The claim exists already, or another account has verified the name."""
