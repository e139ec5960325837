"""What the API needs of others."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeAlias

from gatepost.mailflow.submission.accept import RefusedAt
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.people import Need
from gatepost.tenancy.access.person import Caller, Person
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import Account

PeerAddress: TypeAlias = IPv4Address | IPv6Address


class Access(Protocol):
    """Who may do what."""

    def authenticate(
        self,
        username: str,
        password: Secret[bytes],
        peer: PeerAddress,
        *,
        scope: str | None,
        method: AuthMethod,
        client: str,
    ) -> Principal | Deny:
        """Check a credential offered from an address, for an act that needs ``scope``; microseconds.

        ``client`` is what it says of itself.
        """
        ...

    def recheck(self, principal: Principal, peer: PeerAddress, *, scope: str | None) -> Principal | Deny:
        """Look the right up anew; microseconds."""
        ...


class Sessions(Protocol):
    """Whose session a token is, and what that person may do."""

    def identify(self, token: Secret[bytes], peer: PeerAddress, need: Need) -> Person | Deny:
        """Look a session up; may write down that it was used."""
        ...

    def recheck(self, person: Person, peer: PeerAddress, need: Need) -> Person | Deny:
        """Look everything up anew."""
        ...


class Callers(Protocol):
    """Looks up anew what a caller may do: asked as the last thing before an act."""

    def recheck(self, caller: Caller, peer: PeerAddress, *, scope: str | None) -> Caller | Deny:
        """Return the caller as he stands now, or why he may not do that any more."""
        ...


class Door(Protocol):
    """The one door every message goes through."""

    async def accept_all(
        self, submissions: Sequence[Submission], *, token: tuple[str, bytes] | None = None
    ) -> tuple[MessageId, ...] | RefusedAt:
        """Refuse, or make all of them durable, and with them the record of the request that ``token`` names.

        Raises:
            Transient: They could not be stored now.
            Permanent: They can never be stored.
        """
        ...

    def check_all(self, submissions: Sequence[Submission]) -> RefusedAt | None:
        """Say what ``accept_all`` would refuse; keep nothing."""
        ...


class Subusers(Protocol):
    """Who is whose subuser."""

    def find_subuser(self, parent_id: AccountId, name: str) -> Account | None:
        """Return the parent's subuser of exactly that name, closed ones too."""
        ...

    def list_subusers(self, parent_id: AccountId) -> Sequence[Account]:
        """Return the parent's subusers, by name, closed ones too."""
        ...


class RightsChanged(Protocol):
    """Makes a committed change of rights exact: tells every mail worker, this one too.

    Raises ``Transient`` if one of them could not be told; calling again is harmless.
    """

    async def settle(self) -> None:
        """Return when no worker accepts anything under an old right any more."""
        ...

    async def settle_and_hold(self, account_id: AccountId, key_id: KeyId | None, *, reason: str) -> None:
        """As ``settle``; and everything that is queued under the key, or without one for the account, is held."""
        ...

    async def settle_domain(self, account_ids: Iterable[AccountId], name: str, *, reason: str) -> None:
        """As ``settle``, for a change of who may send in a domain's name, of these accounts.

        What they have queued in a name at or below it that they may not use any more is held, nothing else; what was
        held until the domain's records are back goes on if they may use it.
        """
        ...

    async def settle_address(self, account_id: AccountId, address: str, *, reason: str) -> None:
        """As ``settle``, for an address that was proved by itself: what is queued in its name is held if it must."""
        ...
