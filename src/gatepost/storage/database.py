"""The control-plane database: engine and unit of work.

SQLite today; stores use nothing that PostgreSQL has not, and everything about the engine is in this file and in
``access_version``. Every connection runs in WAL mode with ``synchronous=FULL``: what is committed is on stable
storage.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.storage.schema import SCHEMA_REVISION

BUSY_TIMEOUT_SECONDS: Final = 5.0
"""How long a statement waits for another process's write before it gives up as ``Transient``."""


class Database:
    """One process's way to the control plane. Open it after forking; share it between threads as you like.

    Raises:
        Misconfigured: The URL is not one we can open, the file is missing, or its schema is older than this program.
    """

    def __init__(self, url: str) -> None:
        self.path: Final = sqlite_path(url)
        if not self.path.is_file():
            raise Misconfigured(f"no control-plane database at {self.path}: run `gatepost init`, or mend database_url")
        self._engine: Final = make_engine(self.path)
        self._writing_engine: Final = self._engine.execution_options(gatepost_begin="BEGIN IMMEDIATE")
        self._present: Final = _Present()
        self._require_schema()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a unit of work that sees one consistent snapshot and changes nothing.

        Inside ``writing``, it sees what that has changed so far.
        """
        with translated(self.path):
            if (present := self._present.connection) is not None:
                yield present
                return
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a unit of work that commits when the block ends well, and leaves no trace when it raises.

        It is the only writer while it lasts, so what it reads stays true until it commits. When the block has been
        left, the changes are on stable storage.

        Inside another one of the same thread it is a part of that: undone alone if it raises, and durable only when
        the outermost block has been left. So the changes of several stores become one.

        Raises:
            Transient: The database is busy, full or failing; nothing was changed.
        """
        with translated(self.path):
            if (present := self._present.connection) is not None:
                with present.begin_nested():
                    yield present
                return
            with self._writing_engine.begin() as connection:
                self._present.connection = connection
                try:
                    yield connection
                finally:
                    self._present.connection = None

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _require_schema(self) -> None:
        try:
            with self.reading() as connection:
                revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except (Transient, Misconfigured) as error:
            self.close()
            raise Misconfigured(f"{self.path} holds no control plane: run `gatepost migrate` ({error})") from error
        if not isinstance(revision, str) or revision < SCHEMA_REVISION:
            self.close()
            raise Misconfigured(
                f"{self.path} has schema {revision}, {SCHEMA_REVISION} is needed: run `gatepost migrate`"
            )


class _Present(local):
    """The connection of the unit of work that this thread is in."""

    connection: Connection | None = None


def sqlite_path(url: str) -> Path:
    """Return the file a ``database_url`` names; raise ``Misconfigured`` for anything but ``sqlite:///…``."""
    try:
        parsed: URL = make_url(url)
    except ArgumentError as error:
        # The URL itself may hold a password; it stays out of the text.
        raise Misconfigured("database_url cannot be read; write sqlite:////absolute/path/control.db") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise Misconfigured(
            "database_url must be sqlite:////absolute/path/control.db: this version has no other engine"
        )
    return Path(parsed.database)


def make_engine(path: Path) -> Engine:
    """Make an engine on an SQLite file with our durability, and with transactions that begin when we say."""
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def create_file(path: Path) -> None:
    """Make an empty database file that only its owner can read, unless there is one; SQLite's ``-wal`` and ``-shm``
    take over its permissions."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Misconfigured(f"cannot create {path}: {error.strerror}") from error


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # None stops the driver from opening transactions by its own rules; _begin opens them.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes cannot wait for another writer: SQLite refuses at once
    # (SQLITE_BUSY_SNAPSHOT). Writers therefore say so at the start.
    connection.exec_driver_sql(connection.get_execution_options().get("gatepost_begin", "BEGIN"))


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the engine raises into our errors; ``IntegrityError`` passes, for the store that expects it."""
    try:
        yield
    except IntegrityError:
        raise
    except OperationalError as error:
        raise Transient(f"the control-plane database {path} did not answer: {error.orig}") from error
    except DatabaseError as error:
        raise Misconfigured(f"{path} cannot be read as the control-plane database: {error.orig}") from error
