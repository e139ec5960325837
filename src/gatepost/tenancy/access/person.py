"""Person: a teammate in a console session, as the HTTP API's other kind of caller beside an API key."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.budget import Purse
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.console_session import Session, Step
from gatepost.tenancy.accounts.session_keeper import Held
from gatepost.tenancy.accounts.teammate import Role, Teammate
from gatepost.tenancy.audit.entry import Actor, ActorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A teammate with his session and his account, as they stood when looked up.

    Attributes:
        step: What is due before he may do anything else; None if nothing.
        token_hash: Of the token that was shown: what a renewal replaces.
    """

    teammate: Teammate
    account_state: AccountState
    session: Session
    step: Step | None
    token_hash: bytes = field(repr=False)

    @property
    def account_id(self) -> AccountId:
        """The one account he is in."""
        return self.teammate.account_id

    @property
    def scopes(self) -> frozenset[str]:
        """What he may do, by the names of the scope catalogue."""
        return scopes_of(self.teammate)

    @property
    def allowed_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Nothing beyond the account's own list, which sessions are held to as well."""
        return ()

    @property
    def allowed_authors(self) -> tuple[str, ...]:
        """Whatever the account may use."""
        return ()

    @property
    def allowed_recipient_domains(self) -> tuple[str, ...]:
        """Anybody."""
        return ()

    @property
    def purses(self) -> tuple[Purse, ...]:
        """None: a session sends nothing, and what its person makes has the limits that he gives it."""
        return ()

    @property
    def expires_at(self) -> datetime | None:
        """No end: what he makes outlives his session."""
        return None

    @property
    def held(self) -> Held:
        """His session as the use cases about people want it."""
        return Held(session=self.session, person=self.teammate, token_hash=self.token_hash)


Caller: TypeAlias = Principal | Person
"""Who calls the HTTP API."""


class CallerKind(Enum):
    """Who may call an operation."""

    KEY = "key"
    PERSON = "person"
    #: Somebody who has shown nothing yet: he is about to.
    NOBODY = "nobody"


def scopes_of(teammate: Teammate) -> frozenset[str]:
    """Return what a teammate may do: everything, but where his role says that scopes decide."""
    return teammate.scopes if teammate.role is Role.SCOPED else CATALOGUE


def id_of(caller: Caller) -> str:
    """Return the caller's id: a key's or a teammate's. The two cannot be taken for each other."""
    return caller.key_id if isinstance(caller, Principal) else caller.teammate.id


def actor_of(caller: Caller, origin: str) -> Actor:
    """Describe the caller for the audit log."""
    if isinstance(caller, Principal):
        return Actor(kind=ActorKind.KEY, id=caller.key_id, origin=origin, credential="api key")
    return Actor(kind=ActorKind.PERSON, id=caller.teammate.id, origin=origin, credential=caller.session.credential)
