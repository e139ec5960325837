"""What accounts needs from the world."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.sending_limits import SendingLimits


class AccountNameTaken(Exception):
    """There is an account of that name already."""


class AccountStore(Protocol):
    """Accounts at rest. What a call changed is on stable storage when it returns."""

    def add(self, account: Account) -> None:
        """Store a new account. Raises ``AccountNameTaken``."""
        ...

    def find(self, account_id: AccountId) -> Account | None:
        """Return the account of that id."""
        ...

    def find_by_name(self, name: str) -> Account | None:
        """Return the account of exactly that name."""
        ...

    def list_all(self) -> Sequence[Account]:
        """Return every account, by name: for operators only."""
        ...

    def change_state(self, account_id: AccountId, *, to: AccountState, only_from: Collection[AccountState]) -> bool:
        """Move the account to a state if it is in one of ``only_from`` at that moment; return whether it was."""
        ...


class SendingLimitsStore(Protocol):
    """What the operator has set for single accounts. What a call changed is on stable storage when it returns."""

    def find(self, account_id: AccountId) -> SendingLimits:
        """Return what was set for the account; nothing but None if nothing was."""
        ...

    def put(self, account_id: AccountId, limits: SendingLimits) -> None:
        """Set them, in place of all that were set. The account must exist."""
        ...
