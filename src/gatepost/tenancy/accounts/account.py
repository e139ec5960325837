"""An account: one tenant, its state and its place under another one."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox


class AccountState(Enum):
    """Where an account stands; ``state_effects`` has what follows from it. In order: each is worse than those above."""

    ACTIVE = "active"
    #: Somebody looks into what it sends: nothing more is taken for now, and what is queued is held.
    UNDER_REVIEW = "under review"
    #: Nothing new is taken; what is queued is held until an operator releases it.
    SUSPENDED = "suspended"
    #: As suspended, for good.
    CLOSED = "closed"


def worst(*states: AccountState) -> AccountState:
    """Return the one of these states that permits the least."""
    order = list(AccountState)
    return max(states, key=order.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Who gets copies of a subuser's mail, and of how many messages one is copied."""

    mailbox: Mailbox
    frequency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One tenant. ``name`` is unique, and may be used wherever an id is asked for.

    Attributes:
        state: Its own, which only an operator changes; what counts is ``effective_state``.
        parent_id: The account that it is a subuser of; None for one that stands by itself. There is one level.
        parent_state: The parent's own state when this was read.
        email: Where whoever is responsible for a subuser is reached; "" where none was given.
        disabled_at: Since when the parent has it disabled; None while it has not.
        website_disabled_at: Since when the parent keeps its people off the website; sending goes on.
        addresses: The sending addresses that the parent has assigned to it.
        monitor: Where the parent has some of its mail copied to; None for nowhere.
        is_metered: Whether its credits, or its parent's, are limited.
    """

    id: AccountId
    name: str
    state: AccountState
    created_at: datetime
    parent_id: AccountId | None = None
    parent_state: AccountState = AccountState.ACTIVE
    email: str = ""
    disabled_at: datetime | None = None
    website_disabled_at: datetime | None = None
    addresses: tuple[str, ...] = ()
    monitor: Monitor | None = None
    is_metered: bool = False

    @property
    def takes_people(self) -> bool:
        """Whether its people may sign in, and use the sessions that they have."""
        return self.website_disabled_at is None

    @property
    def effective_state(self) -> AccountState:
        """The worst of its own state, its parent's, and, while the parent has it disabled, suspended."""
        disabled = AccountState.SUSPENDED if self.disabled_at is not None else AccountState.ACTIVE
        return worst(self.state, self.parent_state, disabled)
