"""What accounts needs from the world."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.credits import Allocation
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

    def find_subuser(self, parent_id: AccountId, name: str) -> Account | None:
        """Return the parent's subuser of exactly that name, closed ones too."""
        ...

    def list_all(self) -> Sequence[Account]:
        """Return every account, by name: for operators only."""
        ...

    def list_subusers(self, parent_id: AccountId) -> Sequence[Account]:
        """Return the parent's subusers, by name, closed ones too."""
        ...

    def change_state(self, account_id: AccountId, *, to: AccountState, only_from: Collection[AccountState]) -> bool:
        """Move the account to a state if it is in one of ``only_from`` at that moment; return whether it was."""
        ...

    def change_subuser(
        self, parent_id: AccountId, subuser_id: AccountId, change: Callable[[Account], Account]
    ) -> Account | None:
        """Replace what a parent decides about its subuser by what ``change`` makes of it; return how it is then.

        That is ``disabled_at``, ``website_disabled_at``, ``addresses`` and ``monitor``; nothing else is written.
        Reading and writing are one transaction. None if the parent has no such subuser, or it is closed.
        """
        ...

    def find_allocation(self, account_id: AccountId) -> Allocation | None:
        """Return the account's credits; None where they are unlimited."""
        ...

    def change_allocation(
        self, account_id: AccountId, change: Callable[[Allocation | None], Allocation | None]
    ) -> Allocation | None:
        """Replace the account's credits by what ``change`` makes of them; return them. One transaction.

        What ``change`` raises comes out, and nothing is written.
        """
        ...

    def take_credits(self, account_id: AccountId, wanted: int, *, spare: Callable[[int], int], now: datetime) -> int:
        """Take credits from an account and from its parent, as far as these are limited; return how many.

        None are taken (0) unless both have at least ``wanted``. Of what the scarcer of them then has left over,
        ``spare`` says how many are taken along. One transaction: together, all processes never take more than
        there is.
        """
        ...

    def give_back_credits(self, account_id: AccountId, count: int, *, taken_at: datetime, now: datetime) -> None:
        """Return credits that were taken and not used, to those periods of account and parent that still go on."""
        ...

    def count_credits(self, account_id: AccountId, now: datetime) -> int | None:
        """Return how many the scarcer of account and parent has left; None where neither is limited."""
        ...


class SendingLimitsStore(Protocol):
    """What the operator has set for single accounts. What a call changed is on stable storage when it returns."""

    def find(self, account_id: AccountId) -> SendingLimits:
        """Return what was set for the account; nothing but None if nothing was."""
        ...

    def put(self, account_id: AccountId, limits: SendingLimits) -> None:
        """Set them, in place of all that were set. The account must exist."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """How far the people of an account have been told of its audit log: up to entry ``told`` of ``last``."""

    account_id: AccountId
    told: int
    last: int


class NoticeCursors(Protocol):
    """How far each account's audit log has been gone through for notices."""

    def list_behind(self, limit: int) -> Sequence[LogPlace]:
        """Return accounts of which there is more to go through."""
        ...

    def advance(self, account_id: AccountId, sequence: int) -> None:
        """Note that it has been gone through up to that entry; never goes back."""
        ...
