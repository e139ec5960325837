"""Accounts at rest."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.standards.address import parse_mailbox
from gatepost.storage import credits as credit_rows
from gatepost.storage.database import Database
from gatepost.storage.schema import account_credits, accounts
from gatepost.tenancy.accounts.account import Account, AccountState, Monitor
from gatepost.tenancy.accounts.credits import Allocation
from gatepost.tenancy.accounts.ports import AccountNameTaken

_parents: Final = accounts.alias("parents")
_limits: Final = account_credits.alias("limits")

#: An account with its parent's state: read together, they are of one moment.
_SELECT: Final = (
    select(
        accounts,
        _parents.c.state.label("parent_state"),
        select(_limits.c.account_id)
        .where(_limits.c.account_id.in_([accounts.c.id, accounts.c.parent_id]))
        .exists()
        .label("is_metered"),
    )
    .outerjoin_from(accounts, _parents, accounts.c.parent_id == _parents.c.id)
    .order_by(accounts.c.name)
)


class SqlAccountStore:
    """Implements AccountStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, account: Account) -> None:
        """Store a new account."""
        statement = insert(accounts).values(
            id=account.id,
            name=account.name,
            state=account.state.value,
            created_at=account.created_at,
            parent_id=account.parent_id,
            email=account.email,
            **_subuser_columns(account),
        )
        try:
            with self._database.writing() as connection:
                connection.execute(statement)
        except IntegrityError as error:
            if self.find_by_name(account.name) is None:
                raise
            raise AccountNameTaken(account.name) from error

    def find(self, account_id: AccountId) -> Account | None:
        """Return the account of that id."""
        return self._find(accounts.c.id == account_id)

    def find_by_name(self, name: str) -> Account | None:
        """Return the account of exactly that name."""
        return self._find(accounts.c.name == name)

    def find_subuser(self, parent_id: AccountId, name: str) -> Account | None:
        """Return the parent's subuser of exactly that name."""
        return self._find(accounts.c.parent_id == parent_id, accounts.c.name == name)

    def list_all(self) -> Sequence[Account]:
        """Return every account, by name."""
        return self._list(_SELECT)

    def list_subusers(self, parent_id: AccountId) -> Sequence[Account]:
        """Return the parent's subusers, by name."""
        return self._list(_SELECT.where(accounts.c.parent_id == parent_id))

    def change_state(self, account_id: AccountId, *, to: AccountState, only_from: Collection[AccountState]) -> bool:
        """Move the account if it is in one of those states; return whether it was."""
        statement = (
            update(accounts)
            .where(accounts.c.id == account_id, accounts.c.state.in_([state.value for state in only_from]))
            .values(state=to.value)
        )
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1

    def change_subuser(
        self, parent_id: AccountId, subuser_id: AccountId, change: Callable[[Account], Account]
    ) -> Account | None:
        """Replace what a parent decides about its subuser."""
        with self._database.writing():
            subuser = self._find(accounts.c.parent_id == parent_id, accounts.c.id == subuser_id)
            if subuser is None or subuser.state is AccountState.CLOSED:
                return None
            with self._database.writing() as connection:
                connection.execute(
                    update(accounts)
                    .where(accounts.c.parent_id == parent_id, accounts.c.id == subuser_id)
                    .values(_subuser_columns(change(subuser)))
                )
            return self.find(subuser_id)

    def find_allocation(self, account_id: AccountId) -> Allocation | None:
        """Return the account's credits; None where they are unlimited."""
        with self._database.reading() as connection:
            return credit_rows.find(connection, account_id)

    def change_allocation(
        self, account_id: AccountId, change: Callable[[Allocation | None], Allocation | None]
    ) -> Allocation | None:
        """Replace the account's credits by what ``change`` makes of them; return them."""
        with self._database.writing() as connection:
            changed = change(credit_rows.find(connection, account_id))
            credit_rows.store(connection, account_id, changed)
            return changed

    def take_credits(self, account_id: AccountId, wanted: int, *, spare: Callable[[int], int], now: datetime) -> int:
        """Take credits from an account and from its parent; return how many."""
        with self._database.writing() as connection:
            return credit_rows.take(connection, self._chain(connection, account_id), wanted, spare=spare, now=now)

    def give_back_credits(self, account_id: AccountId, count: int, *, taken_at: datetime, now: datetime) -> None:
        """Return credits that were taken and not used."""
        with self._database.writing() as connection:
            credit_rows.give_back(connection, self._chain(connection, account_id), count, taken_at=taken_at, now=now)

    def count_credits(self, account_id: AccountId, now: datetime) -> int | None:
        """Return how many the scarcer of account and parent has left."""
        with self._database.reading() as connection:
            return credit_rows.count(connection, self._chain(connection, account_id), now=now)

    @staticmethod
    def _chain(connection: Connection, account_id: AccountId) -> list[AccountId]:
        parent = connection.execute(select(accounts.c.parent_id).where(accounts.c.id == account_id)).scalar()
        return [account_id] if parent is None else [account_id, AccountId(parent)]

    def _find(self, *conditions: ColumnElement[bool]) -> Account | None:
        with self._database.reading() as connection:
            row = connection.execute(_SELECT.where(*conditions)).one_or_none()
        return None if row is None else _account(row)

    def _list(self, statement: Select[Any]) -> list[Account]:
        with self._database.reading() as connection:
            return [_account(row) for row in connection.execute(statement)]


def _subuser_columns(account: Account) -> dict[str, Any]:
    return {
        "disabled_at": account.disabled_at,
        "website_disabled_at": account.website_disabled_at,
        "addresses": sorted(account.addresses),
        "monitor_email": str(account.monitor.mailbox) if account.monitor else None,
        "monitor_frequency": account.monitor.frequency if account.monitor else None,
    }


def _monitor(row: Row[Any]) -> Monitor | None:
    if row.monitor_email is None:
        return None
    mailbox = parse_mailbox(row.monitor_email.encode(), allow_utf8=False)
    return Monitor(mailbox=mailbox, frequency=row.monitor_frequency)


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        state=AccountState(row.state),
        created_at=row.created_at,
        parent_id=row.parent_id,
        parent_state=AccountState.ACTIVE if row.parent_state is None else AccountState(row.parent_state),
        email=row.email,
        disabled_at=row.disabled_at,
        website_disabled_at=row.website_disabled_at,
        addresses=tuple(row.addresses),
        monitor=_monitor(row),
        is_metered=row.is_metered,
    )
