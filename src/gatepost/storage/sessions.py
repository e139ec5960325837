"""Console sessions at rest, the networks people come from, and the attempts that are counted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from gatepost.primitives.ids import SessionId
from gatepost.storage.database import Database
from gatepost.storage.schema import console_sessions, known_networks, sign_in_attempts
from gatepost.tenancy.accounts.attempt_limit import KNOWN_FOR, AttemptKind, Counted
from gatepost.tenancy.accounts.console_session import IDLE_AFTER, Session
from gatepost.tenancy.accounts.teammate import Teammate

_HIDDEN: Final = {"token_hash", "pending", "pending_at"}
_COLUMNS: Final = tuple(column for column in console_sessions.c if column.name not in _HIDDEN)
#: Longer than any window of ``attempt_limit``.
_ATTEMPTS_KEPT_FOR: Final = timedelta(days=2)


class SqlSessionStore:
    """Implements SessionStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def add(self, session: Session, token_hash: bytes) -> None:
        """Store a new session, and drop those that ended by themselves."""
        c = console_sessions.c
        ended = (c.expires_at <= session.opened_at) | (c.last_seen_at <= session.opened_at - IDLE_AFTER)
        with self._database.writing() as connection:
            connection.execute(delete(console_sessions).where(ended))
            connection.execute(
                insert(console_sessions).values(
                    id=session.id,
                    account_id=session.account_id,
                    teammate_id=session.teammate_id,
                    opened_at=session.opened_at,
                    opened_by=session.opened_by,
                    expires_at=session.expires_at,
                    peer=session.peer,
                    client=session.client,
                    token_hash=token_hash,
                    **_changing(session),
                )
            )

    def find(self, token_hash: bytes) -> Session | None:
        """Return the session of that token, ended by itself or not."""
        with self._database.reading() as connection:
            statement = select(*_COLUMNS).where(console_sessions.c.token_hash == token_hash)
            row = connection.execute(statement).one_or_none()
        return None if row is None else _session(row)

    def list_all(self, person: Teammate) -> Sequence[Session]:
        """Return the person's sessions, the latest first."""
        statement = select(*_COLUMNS).where(_of(person)).order_by(console_sessions.c.opened_at.desc())
        with self._database.reading() as connection:
            return [_session(row) for row in connection.execute(statement)]

    def renew(self, session: Session, old_hash: bytes, new_hash: bytes) -> bool:
        """Store what changed in a session and give it another token, if it has the old one."""
        statement = update(console_sessions).where(_is(session), console_sessions.c.token_hash == old_hash)
        return self._change(statement.values(token_hash=new_hash, **_changing(session))) == 1

    def touch(self, session: Session, at: datetime) -> None:
        """Note that it was used."""
        self._change(update(console_sessions).where(_is(session)).values(last_seen_at=at))

    def end(self, person: Teammate, session_id: SessionId) -> bool:
        """End one."""
        return self._change(delete(console_sessions).where(_of(person), console_sessions.c.id == session_id)) == 1

    def end_all(self, person: Teammate, *, but: SessionId | None = None) -> int:
        """End all of a person's, but one."""
        return self._change(delete(console_sessions).where(_of(person), console_sessions.c.id != (but or "")))

    def put_pending(self, session: Session, sealed: bytes, at: datetime) -> None:
        """Keep a challenge, or a secret to be confirmed, in the place of any other."""
        self._change(update(console_sessions).where(_is(session)).values(pending=sealed, pending_at=at))

    def find_pending(self, session: Session) -> tuple[bytes, datetime] | None:
        """Return it and leave it."""
        statement = select(console_sessions.c.pending, console_sessions.c.pending_at).where(_is(session))
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None or row.pending is None else (row.pending, row.pending_at)

    def take_pending(self, session: Session, sealed: bytes) -> bool:
        """Take it away, if it is still that one."""
        statement = update(console_sessions).where(_is(session), console_sessions.c.pending == sealed)
        return self._change(statement.values(pending=None, pending_at=None)) == 1

    def remember_network(self, person: Teammate, network: str, at: datetime) -> None:
        """Note from where a person signed in."""
        mine = known_networks.c.teammate_id == person.id
        with self._database.writing() as connection:
            connection.execute(
                delete(known_networks).where(
                    mine, (known_networks.c.network == network) | (known_networks.c.last_at < at - KNOWN_FOR)
                )
            )
            connection.execute(insert(known_networks).values(teammate_id=person.id, network=network, last_at=at))

    def knows_network(self, person: Teammate, network: str, since: datetime) -> bool:
        """Say whether he signed in from there since then."""
        statement = select(1).where(
            known_networks.c.teammate_id == person.id,
            known_networks.c.network == network,
            known_networks.c.last_at >= since,
        )
        with self._database.reading() as connection:
            return connection.execute(statement).first() is not None

    def _change(self, statement: Any) -> int:
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount


class SqlAttemptStore:
    """Implements AttemptStore: a row for each guess that may still count."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def reserve(self, attempt: bytes, kind: AttemptKind, counted: Sequence[Counted], at: datetime) -> timedelta | None:
        """Count a guess before it is looked at; or say how long to wait."""
        c = sign_in_attempts.c
        with self._database.writing() as connection:
            connection.execute(delete(sign_in_attempts).where(c.at < at - _ATTEMPTS_KEPT_FOR))
            waits = [wait for each in counted for wait in _find_waits(connection, kind, each, at)]
            if waits:
                return max(waits)
            rows = [{"id": attempt, "subject": each.subject, "kind": kind.value, "at": at} for each in counted]
            if rows:
                connection.execute(insert(sign_in_attempts), rows)
        return None

    def is_spent(self, kind: AttemptKind, counted: Counted, at: datetime) -> bool:
        """Say whether no further guess would be looked at, as far as that subject goes."""
        with self._database.reading() as connection:
            return bool(_find_waits(connection, kind, counted, at))

    def forgive(self, attempt: bytes) -> None:
        """Count it no more."""
        with self._database.writing() as connection:
            connection.execute(delete(sign_in_attempts).where(sign_in_attempts.c.id == attempt))


def _find_waits(connection: Connection, kind: AttemptKind, counted: Counted, at: datetime) -> list[timedelta]:
    """Return how long to wait for each window of a subject that is full."""
    c, waits = sign_in_attempts.c, []
    for window in counted.windows:
        # A clock set back must not forget what was counted before.
        latest = select(c.at).where(c.kind == kind.value, c.subject == counted.subject, c.at > at - window.time)
        row = connection.execute(latest.order_by(c.at.desc()).offset(window.count - 1).limit(1)).first()
        if row is not None:
            waits.append(min(row.at, at) + window.time - at)
    return waits


def _of(person: Teammate) -> Any:
    return (console_sessions.c.account_id == person.account_id) & (console_sessions.c.teammate_id == person.id)


def _is(session: Session) -> Any:
    return (console_sessions.c.account_id == session.account_id) & (console_sessions.c.id == session.id)


def _changing(session: Session) -> dict[str, Any]:
    return {
        "factor": session.factor,
        "proved_at": session.proved_at,
        "is_password_due": session.is_password_due,
        "last_seen_at": session.last_seen_at,
    }


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        account_id=row.account_id,
        teammate_id=row.teammate_id,
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        expires_at=row.expires_at,
        last_seen_at=row.last_seen_at,
        factor=row.factor,
        proved_at=row.proved_at,
        is_password_due=row.is_password_due,
        peer=row.peer,
        client=row.client,
    )
