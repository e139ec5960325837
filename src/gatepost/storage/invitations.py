"""Invitations and reset tokens at rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update

from gatepost.primitives.ids import AccountId, InvitationId
from gatepost.storage.database import Database
from gatepost.storage.schema import invitations, reset_tokens
from gatepost.tenancy.accounts.invitation import Invitation
from gatepost.tenancy.accounts.person_ports import ResetKind, ResetToken
from gatepost.tenancy.accounts.teammate import Role, Teammate

_COLUMNS: Final = tuple(column for column in invitations.c if column.name != "token_hash")


class SqlInvitationStore:
    """Implements InvitationStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, invitation: Invitation, token_hash: bytes) -> None:
        """Store one."""
        statement = insert(invitations).values(
            id=invitation.id,
            account_id=invitation.account_id,
            token_hash=token_hash,
            email=invitation.email,
            role=invitation.role.value,
            scopes=sorted(invitation.scopes),
            created_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )
        with self._database.writing() as connection:
            connection.execute(statement)

    def find(self, account_id: AccountId, invitation_id: InvitationId) -> Invitation | None:
        """Return the account's invitation of that id, expired or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(_is(account_id, invitation_id))).one_or_none()
        return None if row is None else _invitation(row)

    def find_by_token(self, token_hash: bytes) -> Invitation | None:
        """Return the invitation of that token, expired or not, and leave it."""
        with self._database.reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(invitations.c.token_hash == token_hash)).one_or_none()
        return None if row is None else _invitation(row)

    def list_all(self, account_id: AccountId) -> Sequence[Invitation]:
        """Return the account's invitations, oldest first, expired ones too."""
        statement = select(*_COLUMNS).where(invitations.c.account_id == account_id)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(invitations.c.created_at, invitations.c.id))
            return [_invitation(row) for row in rows]

    def renew(self, invitation: Invitation, token_hash: bytes) -> bool:
        """Give it another token and end."""
        statement = update(invitations).where(_is(invitation.account_id, invitation.id))
        with self._database.writing() as connection:
            values = statement.values(token_hash=token_hash, expires_at=invitation.expires_at)
            return connection.execute(values).rowcount == 1

    def withdraw(self, account_id: AccountId, invitation_id: InvitationId) -> bool:
        """Forget it."""
        with self._database.writing() as connection:
            return connection.execute(delete(invitations).where(_is(account_id, invitation_id))).rowcount == 1

    def take(self, token_hash: bytes) -> Invitation | None:
        """Take the invitation of that token away and return it."""
        statement = delete(invitations).where(invitations.c.token_hash == token_hash).returning(*_COLUMNS)
        with self._database.writing() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _invitation(row)


class SqlResetStore:
    """Implements ResetStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def put(self, token: ResetToken, token_hash: bytes, now: datetime) -> None:
        """Store one beside those of that person that have not ended."""
        with self._database.writing() as connection:
            connection.execute(
                delete(reset_tokens).where(
                    reset_tokens.c.account_id == token.account_id,
                    reset_tokens.c.teammate_id == token.teammate_id,
                    reset_tokens.c.expires_at <= now,
                )
            )
            connection.execute(
                insert(reset_tokens).values(
                    token_hash=token_hash,
                    account_id=token.account_id,
                    teammate_id=token.teammate_id,
                    kind=token.kind.value,
                    expires_at=token.expires_at,
                )
            )

    def take(self, token_hash: bytes) -> ResetToken | None:
        """Take it away and return it."""
        statement = delete(reset_tokens).where(reset_tokens.c.token_hash == token_hash).returning(*reset_tokens.c)
        with self._database.writing() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        return ResetToken(
            account_id=row.account_id,
            teammate_id=row.teammate_id,
            kind=ResetKind(row.kind),
            expires_at=row.expires_at,
        )

    def drop(self, person: Teammate) -> None:
        """Forget all of a person's."""
        with self._database.writing() as connection:
            connection.execute(
                delete(reset_tokens).where(
                    reset_tokens.c.account_id == person.account_id, reset_tokens.c.teammate_id == person.id
                )
            )


def _is(account_id: AccountId, invitation_id: InvitationId) -> Any:
    return (invitations.c.account_id == account_id) & (invitations.c.id == invitation_id)


def _invitation(row: Row[Any]) -> Invitation:
    return Invitation(
        id=row.id,
        account_id=row.account_id,
        email=row.email,
        role=Role(row.role),
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
