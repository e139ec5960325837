"""Batches at rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from gatepost.mailflow.queue.batches import KEPT_FOR, VALID_FOR, BatchDecision, NotDecided
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import mail_batches, scheduled_sends


class SqlBatchStore:
    """Implements BatchStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, account_id: AccountId, batch_id: str, now: datetime, *, at_most: int) -> bool:
        """Store a new batch, and forget old ones."""
        forgotten = (mail_batches.c.account_id == account_id, mail_batches.c.created_at < now - KEPT_FOR)
        old = select(mail_batches.c.id).where(*forgotten)
        count = select(func.count()).select_from(mail_batches).where(mail_batches.c.account_id == account_id)
        with self._database.writing() as connection:
            connection.execute(
                delete(scheduled_sends).where(
                    scheduled_sends.c.account_id == account_id, scheduled_sends.c.batch_id.in_(old)
                )
            )
            connection.execute(delete(mail_batches).where(*forgotten))
            if connection.execute(count).scalar_one() >= at_most:
                return False
            connection.execute(insert(mail_batches).values(account_id=account_id, id=batch_id, created_at=now))
        return True

    def is_valid(self, account_id: AccountId, batch_id: str, now: datetime) -> bool:
        """Return whether mail can be put into the batch."""
        with self._database.reading() as connection:
            created_at = _created_at(connection, account_id, batch_id)
        return created_at is not None and now < created_at + VALID_FOR

    def is_known(self, account_id: AccountId, batch_id: str) -> bool:
        """Return whether the batch is the account's."""
        with self._database.reading() as connection:
            return _created_at(connection, account_id, batch_id) is not None

    def list_decisions(self, account_id: AccountId) -> Sequence[BatchDecision]:
        """Return what the account has decided."""
        statement = (
            select(scheduled_sends)
            .where(scheduled_sends.c.account_id == account_id)
            .order_by(scheduled_sends.c.decided_at, scheduled_sends.c.batch_id)
        )
        with self._database.reading() as connection:
            return [
                BatchDecision(batch_id=row.batch_id, status=BatchStatus(row.status))
                for row in connection.execute(statement)
            ]

    def find_status(self, account_id: AccountId, batch_id: str) -> BatchStatus | None:
        """Return what was decided about the batch."""
        with self._database.reading() as connection:
            return _find_status(connection, account_id, batch_id)

    def decide(
        self, account_id: AccountId, batch_id: str, status: BatchStatus, now: datetime, *, at_most: int
    ) -> NotDecided | None:
        """Store the first decision about a batch."""
        count = select(func.count()).select_from(scheduled_sends).where(scheduled_sends.c.account_id == account_id)
        with self._database.writing() as connection:
            if _created_at(connection, account_id, batch_id) is None:
                return NotDecided.UNKNOWN_BATCH
            if _find_status(connection, account_id, batch_id) is not None:
                return NotDecided.DECIDED_BEFORE
            if connection.execute(count).scalar_one() >= at_most:
                return NotDecided.TOO_MANY
            connection.execute(
                insert(scheduled_sends).values(
                    account_id=account_id, batch_id=batch_id, status=status.value, decided_at=now
                )
            )
        return None

    def change(self, account_id: AccountId, batch_id: str, status: BatchStatus, now: datetime) -> bool:
        """Replace a decision."""
        statement = (
            update(scheduled_sends)
            .where(scheduled_sends.c.account_id == account_id, scheduled_sends.c.batch_id == batch_id)
            .values(status=status.value, decided_at=now)
        )
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1

    def undo(self, account_id: AccountId, batch_id: str) -> bool:
        """Take a decision back."""
        statement = delete(scheduled_sends).where(
            scheduled_sends.c.account_id == account_id, scheduled_sends.c.batch_id == batch_id
        )
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1


def _created_at(connection: Connection, account_id: AccountId, batch_id: str) -> datetime | None:
    statement = select(mail_batches.c.created_at).where(
        mail_batches.c.account_id == account_id, mail_batches.c.id == batch_id
    )
    return connection.execute(statement).scalar_one_or_none()


def _find_status(connection: Connection, account_id: AccountId, batch_id: str) -> BatchStatus | None:
    statement = select(scheduled_sends.c.status).where(
        scheduled_sends.c.account_id == account_id, scheduled_sends.c.batch_id == batch_id
    )
    found = connection.execute(statement).scalar_one_or_none()
    return None if found is None else BatchStatus(found)
