"""A change indicator of the control plane that costs a few microseconds."""

import sqlite3
from pathlib import Path
from threading import Lock
from typing import Final

from gatepost.primitives.errors import Transient


class SqliteAccessVersion:
    """Implements the AccessVersion port with ``PRAGMA data_version``, on a connection of its own.

    SQLite changes that number for a connection when any *other* connection has committed, in this process or
    another. This one never writes, so it sees every commit, our own stores' included, and needs no counter beside it.
    The answer comes from the WAL index in shared memory: a commit is seen from the moment it is one.
    """

    def __init__(self, path: Path) -> None:
        # In autocommit the statement ends with its only row, and with it the snapshot: the next call looks afresh.
        self._connection: Final = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only=ON")
        self._cursor: Final = self._connection.cursor()
        self._lock: Final = Lock()

    def version(self) -> int:
        """Return a number that differs from the last one returned if anything was committed in between."""
        try:
            with self._lock:
                (number,) = self._cursor.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise Transient(f"the control-plane database did not answer: {error}") from error
        return int(number)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
