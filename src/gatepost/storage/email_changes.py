"""Addresses of people that wait for proof, at rest."""

from typing import Any, Final

from sqlalchemy import delete, insert

from gatepost.primitives.ids import SessionId
from gatepost.storage.database import Database
from gatepost.storage.schema import email_changes
from gatepost.tenancy.accounts.person_ports import EmailChange
from gatepost.tenancy.accounts.teammate import Teammate


class SqlEmailChangeStore:
    """Implements EmailChangeStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def put(self, change: EmailChange, token_hash: bytes) -> None:
        """Store one in the place of the person's last."""
        mine = email_changes.c.teammate_id == change.teammate_id
        with self._database.writing() as connection:
            connection.execute(delete(email_changes).where(mine, email_changes.c.account_id == change.account_id))
            connection.execute(
                insert(email_changes).values(
                    teammate_id=change.teammate_id,
                    account_id=change.account_id,
                    session_id=change.session_id,
                    token_hash=token_hash,
                    email=change.email,
                    expires_at=change.expires_at,
                )
            )

    def take(self, person: Teammate, session_id: SessionId, token_hash: bytes) -> EmailChange | None:
        """Take it away and return it, expired or not, if that session asked for it."""
        statement = delete(email_changes).where(
            _of(person), email_changes.c.session_id == session_id, email_changes.c.token_hash == token_hash
        )
        with self._database.writing() as connection:
            row = connection.execute(statement.returning(*email_changes.c)).one_or_none()
        if row is None:
            return None
        return EmailChange(
            account_id=row.account_id,
            teammate_id=row.teammate_id,
            session_id=row.session_id,
            email=row.email,
            expires_at=row.expires_at,
        )

    def drop(self, person: Teammate) -> None:
        """Forget the person's."""
        with self._database.writing() as connection:
            connection.execute(delete(email_changes).where(_of(person)))


def _of(person: Teammate) -> Any:
    return (email_changes.c.account_id == person.account_id) & (email_changes.c.teammate_id == person.id)
