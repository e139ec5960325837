"""What the API needs of others."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeAlias

from gatepost.mailflow.submission.accept import RefusedAt
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.principal import Principal

PeerAddress: TypeAlias = IPv4Address | IPv6Address


class Access(Protocol):
    """Who may do what."""

    def authenticate(
        self, username: str, password: Secret[bytes], peer: PeerAddress, *, scope: str | None, client: str
    ) -> Principal | Deny:
        """Check a credential offered from an address, for an act that needs ``scope``; microseconds.

        ``client`` is what it says of itself.
        """
        ...

    def recheck(self, principal: Principal, peer: PeerAddress, *, scope: str | None) -> Principal | Deny:
        """Look the right up anew; microseconds."""
        ...


class Door(Protocol):
    """The one door every message goes through."""

    async def accept_all(self, submissions: Sequence[Submission]) -> tuple[MessageId, ...] | RefusedAt:
        """Refuse, or make all of them durable.

        Raises:
            Transient: They could not be stored now.
            Permanent: They can never be stored.
        """
        ...

    def check_all(self, submissions: Sequence[Submission]) -> RefusedAt | None:
        """Say what ``accept_all`` would refuse; keep nothing."""
        ...


class RightsChanged(Protocol):
    """Makes a committed change of rights exact: tells every mail worker, this one too.

    Raises ``Transient`` if one of them could not be told; calling again is harmless.
    """

    async def settle(self) -> None:
        """Return when no worker accepts anything under an old right any more."""
        ...

    async def settle_and_hold(self, account_id: AccountId, key_id: KeyId, *, reason: str) -> None:
        """As ``settle``; and everything that is queued under the key is held."""
        ...
