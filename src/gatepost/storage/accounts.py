"""Accounts at rest."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import accounts
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.ports import AccountNameTaken


class SqlAccountStore:
    """Implements AccountStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, account: Account) -> None:
        """Store a new account."""
        statement = insert(accounts).values(
            id=account.id, name=account.name, state=account.state.value, created_at=account.created_at
        )
        try:
            with self._database.writing() as connection:
                connection.execute(statement)
        except IntegrityError as error:
            raise AccountNameTaken(account.name) from error

    def find(self, account_id: AccountId) -> Account | None:
        """Return the account of that id."""
        with self._database.reading() as connection:
            row = connection.execute(select(accounts).where(accounts.c.id == account_id)).one_or_none()
        return None if row is None else _account(row)

    def find_by_name(self, name: str) -> Account | None:
        """Return the account of exactly that name."""
        with self._database.reading() as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).one_or_none()
        return None if row is None else _account(row)

    def list_all(self) -> Sequence[Account]:
        """Return every account, by name."""
        with self._database.reading() as connection:
            return [_account(row) for row in connection.execute(select(accounts).order_by(accounts.c.name))]

    def change_state(self, account_id: AccountId, *, to: AccountState, only_from: Collection[AccountState]) -> bool:
        """Move the account if it is in one of those states; return whether it was."""
        statement = (
            update(accounts)
            .where(accounts.c.id == account_id, accounts.c.state.in_([state.value for state in only_from]))
            .values(state=to.value)
        )
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1


def _account(row: Row[Any]) -> Account:
    return Account(id=row.id, name=row.name, state=AccountState(row.state), created_at=row.created_at)
