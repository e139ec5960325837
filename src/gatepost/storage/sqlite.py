"""The control plane on SQLite: one file, in WAL mode with ``synchronous=FULL``."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from gatepost.primitives.errors import Misconfigured
from gatepost.storage.access_version import SqliteAccessVersion

BUSY_TIMEOUT_SECONDS: Final = 5.0
"""How long a statement waits for another process's write before it gives up as ``Transient``."""


class SqliteEngine:
    """Implements ControlEngine. Commits reach stable storage, and transactions begin when we say."""

    def __init__(self, path: str | Path) -> None:
        self.path: Final = Path(path)
        self.place: Final = str(path)
        self.reads: Final[Engine] = create_engine(
            URL.create("sqlite", database=self.place), connect_args={"timeout": BUSY_TIMEOUT_SECONDS}
        )
        self.writes: Final[Engine] = self.reads.execution_options(gatepost_begin="BEGIN IMMEDIATE")
        event.listen(self.reads, "connect", _prepare)
        event.listen(self.reads, "begin", _begin)

    def create(self) -> None:
        """Make an empty file that only its owner can read, unless there is one.

        SQLite's ``-wal`` and ``-shm`` take over its permissions.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise Misconfigured(f"cannot create {self.path}: {error.strerror}") from error

    def require_fit(self) -> None:
        """Require the file."""
        if not self.path.is_file():
            raise Misconfigured(f"no control-plane database at {self.path}: run `gatepost init`, or mend database_url")

    def lock(self, connection: Connection) -> None:
        """Nothing to do: ``BEGIN IMMEDIATE`` is the lock."""

    def lock_for_migration(self, connection: Connection) -> None:
        """Nothing to do: ``BEGIN IMMEDIATE`` is the lock."""

    def open_version(self) -> SqliteAccessVersion:
        """Open what tells of changes."""
        return SqliteAccessVersion(self.path)

    def close(self) -> None:
        """Let go of every connection."""
        self.reads.dispose()


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # None stops the driver from opening transactions by its own rules; _begin opens them.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes cannot wait for another writer: SQLite refuses at once
    # (SQLITE_BUSY_SNAPSHOT). Writers therefore say so at the start.
    connection.exec_driver_sql(connection.get_execution_options().get("gatepost_begin", "BEGIN"))
