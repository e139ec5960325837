"""Which engine the control plane rests on, and what the two have to do for us.

All that differs between them is behind ``ControlEngine``, in ``sqlite`` and ``postgresql``; the stores are written
once, in what both understand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatepost.primitives.errors import Misconfigured, Transient


class VersionConnection(Protocol):
    """An AccessVersion (``tenancy.access.ports``) that has a connection of its own."""

    def version(self) -> int:
        """Return a number that differs from the one before if a commit came in between."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class ControlEngine(Protocol):
    """One engine, with the durability and the isolation that ``Database`` promises."""

    @property
    def place(self) -> str:
        """What errors call the database; never holds a password."""
        ...

    @property
    def reads(self) -> Engine:
        """Whose transactions see one snapshot, and change nothing."""
        ...

    @property
    def writes(self) -> Engine:
        """Whose transactions are on stable storage once committed."""
        ...

    def create(self) -> None:
        """Make an empty database if there is none and the engine lets us. Raises ``Misconfigured``."""
        ...

    def require_fit(self) -> None:
        """Raise ``Misconfigured`` if there is no database, or it would not keep what is committed."""
        ...

    def lock(self, connection: Connection) -> None:
        """Make a transaction just begun on ``writes`` the only one that writes, until it ends."""
        ...

    def lock_for_migration(self, connection: Connection) -> None:
        """As ``lock``, when there may be no tables yet."""
        ...

    def open_version(self) -> VersionConnection:
        """Open what tells of changes."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...


def open_engine(url: str) -> ControlEngine:
    """Choose the engine that a ``database_url`` names. Nothing is connected yet.

    Raises:
        Misconfigured: It names none that we have. The URL itself may hold a password; it stays out of the text.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Misconfigured("database_url cannot be read; write sqlite:////absolute/path/control.db") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        from gatepost.storage.sqlite import SqliteEngine

        return SqliteEngine(parsed.database)
    if backend == "postgresql" and parsed.drivername in ("postgresql", "postgresql+psycopg"):
        try:
            from gatepost.storage.postgresql import PostgresqlEngine
        except ImportError as error:
            raise Misconfigured(
                f"database_url names PostgreSQL, and its driver cannot be loaded ({error}): install psycopg 3, as "
                "`pip install 'gatepost[postgresql]'` does"
            ) from error
        return PostgresqlEngine(parsed)
    raise Misconfigured(
        "database_url must be sqlite:////absolute/path/control.db or postgresql+psycopg://user@host/database: there is "
        "no other engine"
    )


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn what the engine raises into our errors; ``IntegrityError`` passes, for the store that expects it."""
    try:
        yield
    except IntegrityError:
        raise
    except OperationalError as error:
        raise Transient(f"the control-plane database {place} did not answer: {error.orig}") from error
    except PoolTimeout as error:
        raise Transient(f"the control-plane database {place} is asked too much at a time: {error}") from error
    except DatabaseError as error:
        raise Misconfigured(f"{place} cannot be read as the control-plane database: {error.orig}") from error
