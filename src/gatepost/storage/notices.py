"""How far audit logs have been gone through for notices, at rest."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, cast, func, insert, select, update

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import accounts, audit_heads, notice_cursors
from gatepost.tenancy.accounts.ports import LogPlace


class SqlNoticeCursors:
    """Implements NoticeCursors."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def list_behind(self, limit: int) -> Sequence[LogPlace]:
        """Return accounts of which there is more to go through."""
        told = func.coalesce(notice_cursors.c.sequence, 0)
        # Cast, as in the log itself: whatever somebody has put there must not stop the notices of others.
        last = cast(audit_heads.c.sequence, BigInteger)
        statement = (
            select(accounts.c.id, told.label("told"), last.label("last"))
            .join(audit_heads, audit_heads.c.account_id == accounts.c.id)
            .outerjoin(notice_cursors, notice_cursors.c.account_id == accounts.c.id)
            .where(last > told)
            .order_by(accounts.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [LogPlace(account_id=row.id, told=row.told, last=row.last) for row in connection.execute(statement)]

    def advance(self, account_id: AccountId, sequence: int) -> None:
        """Note that it has been gone through up to that entry."""
        mine = notice_cursors.c.account_id == account_id
        with self._database.writing() as connection:
            if connection.execute(select(notice_cursors.c.sequence).where(mine)).first() is None:
                connection.execute(insert(notice_cursors).values(account_id=account_id, sequence=sequence))
            else:
                further = update(notice_cursors).where(mine, notice_cursors.c.sequence < sequence)
                connection.execute(further.values(sequence=sequence))
