"""Limits of accounts at rest."""

from dataclasses import asdict
from typing import Final

from sqlalchemy import delete, insert, select

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import sending_limits
from gatepost.tenancy.accounts.sending_limits import UNLIMITED, SendingLimits


class SqlSendingLimitsStore:
    """Implements SendingLimitsStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def find(self, account_id: AccountId) -> SendingLimits:
        """Return what was set for the account."""
        statement = select(sending_limits).where(sending_limits.c.account_id == account_id)
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return UNLIMITED
        return SendingLimits(
            messages_per_minute=row.messages_per_minute,
            messages_per_hour=row.messages_per_hour,
            recipients_per_minute=row.recipients_per_minute,
            recipients_per_hour=row.recipients_per_hour,
        )

    def put(self, account_id: AccountId, limits: SendingLimits) -> None:
        """Set them, in place of all that were set."""
        with self._database.writing() as connection:
            connection.execute(delete(sending_limits).where(sending_limits.c.account_id == account_id))
            if limits != UNLIMITED:
                connection.execute(insert(sending_limits).values(account_id=account_id, **asdict(limits)))
