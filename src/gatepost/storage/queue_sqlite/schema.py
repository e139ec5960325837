"""Tables of a shard, and connections to it."""

import sqlite3
from pathlib import Path
from typing import Final

from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.primitives.errors import Misconfigured, RelayError, Transient
from gatepost.storage.queue_sqlite.codec import find_names

VERSION: Final = 3

STATE_CODES: Final = {
    RecipientState.QUEUED: 0,
    RecipientState.LEASED: 1,
    RecipientState.HELD: 2,
    RecipientState.SCHEDULED: 3,
}
"""As stored; only live recipients have a row."""

STATES: Final = {code: state for state, code in STATE_CODES.items()}

MAX_RECIPIENTS: Final = 1 << 16
"""Of one message: a recipient's key is its message's key times this, plus its position."""

MESSAGE_ID_OF_RECIPIENT: Final = (
    "coalesce((SELECT message_id FROM message WHERE message.id = recipient.id / 65536), '(lost)')"
)
"""Of a row of ``recipient``. That a message's row is missing must not keep its recipients from being accounted for."""

_BUSY_TIMEOUT_MS = 5000


class ShardNotMade(Misconfigured):
    """The file is there and has no tables yet: its worker is about to make them. Nothing can be queued in it."""


_TABLES = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,        -- all instants are Unix milliseconds
    size_octets INTEGER NOT NULL,        -- of the content
    content_checksum INTEGER NOT NULL,
    checksum INTEGER NOT NULL,           -- over all the rest of this row (codec.py)
    spool TEXT,                          -- name of the file that holds the content, if this row does not
    head BLOB NOT NULL,                  -- author, envelope, origin, options
    content BLOB,
    processed_detail TEXT NOT NULL       -- of its ``processed`` events: what outlives this row of author and origin
);
CREATE TABLE recipient (                 -- live ones only
    id INTEGER PRIMARY KEY,              -- message.id * 65536 + position
    state INTEGER NOT NULL,              -- 0 queued, 1 leased, 2 held, 3 scheduled
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    local_part TEXT NOT NULL,
    domain TEXT NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,           -- begun
    last_reply TEXT NOT NULL DEFAULT '',
    held_reason TEXT                     -- also set on a leased one that is marked: it will be held, not queued
);
CREATE INDEX recipient_queued ON recipient (account_id, domain, next_attempt_at) WHERE state = 0;
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    local_part TEXT NOT NULL,
    domain TEXT NOT NULL,
    detail TEXT NOT NULL                 -- a JSON object of strings
);
CREATE INDEX event_message ON event (message_id);
CREATE TABLE books (                     -- recipients; what is queued and held is counted from the rows
    account_id TEXT PRIMARY KEY,
    accepted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    bounced INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE set_aside (                 -- records that could not be read back, for a person to look at
    message_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    account_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    spool TEXT,
    head BLOB,
    content BLOB
);
CREATE TABLE store (                     -- one row
    generation INTEGER NOT NULL          -- grows with each opening, and overwrites a commit whose flush failed
);
INSERT INTO store VALUES (0);
"""

#: Of version 2.
_TABLES_OF_SENDERS = """
CREATE TABLE message_options (           -- kept as long as the message's events, which carry them
    message_id TEXT PRIMARY KEY,
    accepted_at INTEGER NOT NULL,
    options TEXT NOT NULL                -- a JSON object
) WITHOUT ROWID;
CREATE TABLE schedule (                  -- messages whose time has not come, or whose batch is paused
    message_key INTEGER PRIMARY KEY,     -- message.id
    account_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,              -- '' for none
    due_at INTEGER NOT NULL
);
CREATE INDEX schedule_due ON schedule (due_at, account_id, batch_id);
CREATE TABLE request (                   -- carried out, not to be carried out again
    key_id TEXT NOT NULL,
    token TEXT NOT NULL,
    account_id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    message_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (key_id, token)
) WITHOUT ROWID;
CREATE INDEX request_at ON request (at);
"""

#: Of version 3: in whose name the mail is, beside each recipient, for a message's row ends with its content.
_NAMES_OF_SENDERS = """
ALTER TABLE recipient ADD COLUMN author TEXT;
ALTER TABLE recipient ADD COLUMN reverse_path TEXT;  -- if it is neither the author's address nor the null one
"""

#: Rows from before version 3 are read once. What cannot be read back has no names, and is never sent either.
_FILL_IN_NAMES = """
UPDATE recipient SET
    author = (SELECT author_of(head) FROM message WHERE message.id = recipient.id / 65536),
    reverse_path = (SELECT reverse_path_of(head) FROM message WHERE message.id = recipient.id / 65536);
"""

_UPGRADES: Final = {
    0: _TABLES + _TABLES_OF_SENDERS + _NAMES_OF_SENDERS,
    1: _TABLES_OF_SENDERS + _NAMES_OF_SENDERS + _FILL_IN_NAMES,
    2: _NAMES_OF_SENDERS + _FILL_IN_NAMES,
}
"""By the version found, what makes the present one of it, in one transaction."""


# Beside the version: a program that does not know it does without, and one that does makes it.
_SUSPECT: Final = """
CREATE TABLE IF NOT EXISTS suspect (     -- recipients that were with delivery when the process ended, not on request
    id INTEGER PRIMARY KEY,
    crashes INTEGER NOT NULL             -- since an attempt at it last came to an end
)
"""


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open a shard for its one writer, making the tables if the file is empty; transactions are explicit.

    Raises:
        Misconfigured: The file is damaged, or of another version.
    """
    try:
        connection = _connect(path)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        raise damaged(path, error) from error
    return connection


def connect_checkpointer(path: Path) -> sqlite3.Connection:
    """Open a second connection of the writing process, for checkpoints alone."""
    connection = _connect(path)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a shard to read, from any process, whether or not its writer runs.

    Raises:
        ShardNotMade: It holds no tables yet.
        Misconfigured: There is no shard, it is damaged, or this version or this user cannot read it.
        Transient: It cannot be read at the moment.
    """
    if not path.exists():
        raise Misconfigured(f"{path} does not exist: there is no queue yet; is this the right state directory?")
    try:
        connection = _connect(path)
    except sqlite3.DatabaseError as error:
        raise unreadable(path, error) from error
    try:
        connection.execute("PRAGMA query_only=ON")
        if _version(connection) == 0:
            raise ShardNotMade(f"{path} holds no tables yet: wait until its worker has started")
        _check_version(connection, path)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise unreadable(path, error) from error
        raise
    return connection


def unreadable(path: Path, error: sqlite3.Error) -> RelayError:
    """Say why a shard could not be read, and what to do."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return damaged(path, error)
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH}:
        return Misconfigured(f"{path} cannot be opened ({error}): run this as the user of the service, or as root")
    return Transient(f"{path} cannot be read now ({error}): try again")


def damaged(path: Path, error: sqlite3.Error) -> Misconfigured:
    """Say what a person must do about a shard that SQLite cannot read."""
    return Misconfigured(
        f"{path} is damaged ({error}). Stop the relay, move the file and its -wal and -shm companions aside "
        f"(do not delete them), recover what can be read with `sqlite3 {path.name} .recover | sqlite3 new.db`, put "
        "new.db in its place or start with an empty queue, and check the disk."
    )


def _connect(path: Path) -> sqlite3.Connection:
    # Not mode=ro for readers: who reads a write-ahead log must be able to make its index when no writer runs.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    # A damaged text must lead to a broken record, not to an error in the middle of reading others.
    connection.text_factory = _decode
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    return connection


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA page_size=8192")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA cache_size=-32768")
    connection.execute("PRAGMA temp_store=MEMORY")
    upgrade = _UPGRADES.get(_version(connection))
    if upgrade is not None:
        connection.create_function("author_of", 1, lambda head: find_names(head)[0])
        connection.create_function("reverse_path_of", 1, lambda head: find_names(head)[1])
        connection.executescript(f"BEGIN IMMEDIATE; {upgrade} PRAGMA user_version={VERSION}; COMMIT;")
    _check_version(connection, path)
    connection.execute(_SUSPECT)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version != VERSION:
        raise Misconfigured(
            f"{path} is a queue of version {version}; this program reads version {VERSION}. An older one is brought up "
            "to date when the service starts"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
