"""The control plane on PostgreSQL, for several machines.

Every writing transaction begins by raising the number in the one row of ``access_version``. The row's lock makes
writers take turns, as they do on SQLite; and since it is held until the commit, the number grows in the order of
commits: whoever reads it after a commit has returned reads a higher one.
"""

from threading import Lock
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text, update
from sqlalchemy.engine import URL

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.storage.postgresql_connection import ANSWER_IN_LOOP_SECONDS, ServerWatch, WatchedConnection
from gatepost.storage.schema import access_version
from gatepost.telemetry.logger import get_logger

LOCK_TIMEOUT_SECONDS: Final = 5
"""How long a statement waits for another process's write before it gives up as ``Transient``."""

_POOL_TIMEOUT_SECONDS: Final = 2
_STATEMENT_TIMEOUT_SECONDS: Final = 15
_MIGRATION_LOCK: Final = 0x67617465706F7374
"""The advisory lock of ``gatepost migrate``: "gatepost" as a number."""

_RAISE_VERSION: Final = update(access_version).values(version=access_version.c.version + 1)
_NO_ROW: Final = "the control-plane database has lost its row of access_version: restore it from a backup"


log = get_logger()


class PostgresqlEngine:
    """Implements ControlEngine."""

    def __init__(self, url: URL) -> None:
        url = url.set(drivername="postgresql+psycopg")
        self.place: Final = f"postgresql://{url.host or url.query.get('host') or ''}/{url.database or ''}"
        _, arguments = create_engine(url).dialect.create_connect_args(url)
        self.watch: Final = ServerWatch({**arguments, **_SESSION}, on_change=self._note_change)
        # A connection that a restart of the server has broken is found out before it is used. READ COMMITTED: each
        # statement sees what was committed before it, and behind the lock that is all there is.
        self.writes: Final[Engine] = create_engine(
            url,
            creator=self.watch.connect,
            pool_pre_ping=True,
            pool_timeout=_POOL_TIMEOUT_SECONDS,
            isolation_level="READ COMMITTED",
        )
        self.reads: Final[Engine] = self.writes.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def create(self) -> None:
        """Nothing to do: databases are made by the server's administrator."""

    def require_fit(self) -> None:
        """Require a server that keeps what it has committed."""
        with self.reads.connect() as connection:
            for setting in ("fsync", "full_page_writes"):
                if connection.execute(text(f"SHOW {setting}")).scalar() != "on":
                    raise Misconfigured(
                        f"the server of {self.place} runs with {setting} = off: a crash may lose or corrupt what it "
                        "has committed; set it to on"
                    )

    def lock(self, connection: Connection) -> None:
        """Take the version's row."""
        if connection.execute(_RAISE_VERSION).rowcount != 1:
            raise Misconfigured(_NO_ROW)

    def lock_for_migration(self, connection: Connection) -> None:
        """Take a lock that needs no table."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})

    def open_version(self) -> "PostgresqlAccessVersion":
        """Open what tells of changes."""
        return PostgresqlAccessVersion(self.watch, self.place)

    def close(self) -> None:
        """Let go of every connection."""
        self.watch.close()
        self.reads.dispose()

    def _note_change(self, is_answering: bool) -> None:
        if is_answering:
            log.warning("database_answers_again", place=self.place)
        else:
            log.error("database_does_not_answer", place=self.place, effect="no mail is accepted until it does")


class PostgresqlAccessVersion:
    """Implements the AccessVersion port by asking the server each time: exact on every machine, for a round trip.

    A connection that broke, as each does when the server restarts, is opened anew at once, and the numbers go on
    elsewhere: behind a fail-over to a server that lacks the last commits, the same number could stand for something
    else.
    """

    def __init__(self, watch: ServerWatch, place: str) -> None:
        self._watch: Final = watch
        self._place: Final = place
        self._lock: Final = Lock()
        self._generation = 0
        self._is_closed = False
        self._connection: WatchedConnection | None = None

    def version(self) -> int:
        """Return a number that differs from the last one returned if anything was committed in between."""
        with self._lock:
            try:
                number = self._ask()
            except psycopg.Error as error:
                self._disconnect()
                raise Transient(f"the control-plane database {self._place} did not answer: {error}") from error
        return (self._generation << 64) + number

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._is_closed = True
            self._disconnect()

    def _ask(self) -> int:
        if self._connection is not None:
            try:
                return _select_version(self._connection)
            except psycopg.OperationalError:
                self._disconnect()
                # A silent server is asked no second time: whoever asks has waited long enough.
                self._watch.require_answering()
        return _select_version(self._connect())

    def _connect(self) -> WatchedConnection:
        if self._is_closed:
            raise psycopg.InterfaceError("it has been closed")
        self._connection = self._watch.connect(autocommit=True)
        # Threads that ask share this connection with the event loop.
        self._connection.answer_seconds = ANSWER_IN_LOOP_SECONDS
        self._generation += 1
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _select_version(connection: WatchedConnection) -> int:
    row = connection.execute("SELECT version FROM access_version", prepare=True).fetchone()
    if row is None:
        raise Misconfigured(_NO_ROW)
    return int(row[0])


_SESSION: Final[dict[str, Any]] = {
    # After a fail-over, several hosts in the URL: only the one that takes writes will do, for reading too.
    "target_session_attrs": "read-write",
    "application_name": "gatepost",
    # A host that has gone without a word, found out in some ten seconds (over TCP).
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
    "options": f"-c synchronous_commit=on -c lock_timeout={LOCK_TIMEOUT_SECONDS}s "
    f"-c statement_timeout={_STATEMENT_TIMEOUT_SECONDS}s -c idle_in_transaction_session_timeout=60s",
}
