"""Invitations: how a person comes into an account. Good for 7 days, once, for one address."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gatepost.primitives.ids import AccountId, InvitationId
from gatepost.tenancy.accounts.teammate import Role

VALID_FOR: Final = timedelta(days=7)
MAX_TEAMMATES: Final = 1000
"""Persons and open invitations of one account together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation as it rests, without its token."""

    id: InvitationId
    account_id: AccountId
    email: str
    role: Role
    scopes: frozenset[str] = frozenset()
    created_at: datetime
    expires_at: datetime
