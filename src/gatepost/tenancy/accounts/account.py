"""An account: one tenant, its state and what that state permits."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gatepost.primitives.ids import AccountId


class AccountState(Enum):
    """Whether an account's mail is taken and delivered."""

    ACTIVE = "active"
    #: Nothing new is taken; what is queued is held until an operator releases it.
    SUSPENDED = "suspended"
    #: As suspended, for good.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One tenant. ``name`` is unique, chosen by the operator, and may be used wherever an id is asked for."""

    id: AccountId
    name: str
    state: AccountState
    created_at: datetime
