"""What is done to a shard when it is opened: after a crash, some attempts may have succeeded unseen."""

import sqlite3
from typing import Final

from gatepost.mailflow.events.event import EventType
from gatepost.storage.queue_sqlite.codec import EVENT_COLUMNS, encode_detail
from gatepost.storage.queue_sqlite.schema import MESSAGE_ID_OF_RECIPIENT
from gatepost.storage.spool import SpoolDirectory

_INTERRUPTED: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT ?, '{EventType.INTERRUPTED.value}', account_id, key_id,
        {MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ?
    FROM recipient WHERE state = 1
"""  # noqa: S608 - constants

_QUEUE_INTERRUPTED: Final = """
    UPDATE recipient SET state = CASE WHEN held_reason IS NULL THEN 0 ELSE 2 END, next_attempt_at = ? WHERE state = 1
"""

_LANES: Final = """
    SELECT account_id, domain, min(next_attempt_at), max(next_attempt_at)
    FROM recipient INDEXED BY recipient_queued WHERE state = 0 GROUP BY account_id, domain
"""

_SPOOLED: Final = """
    SELECT spool FROM message WHERE spool IS NOT NULL UNION SELECT spool FROM set_aside WHERE spool IS NOT NULL
"""


def recover(connection: sqlite3.Connection, *, now: int) -> int:
    """Queue again, due now, what was leased when the last process ended; return how many recipients.

    In one transaction, with an ``interrupted`` event each. It is committed before anything new is taken.
    """
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE store SET generation = generation + 1")
    detail = encode_detail({"reason": "the process ended while an attempt was under way"})
    connection.execute(_INTERRUPTED, (now, detail))
    interrupted = connection.execute(_QUEUE_INTERRUPTED, (now,)).rowcount
    connection.execute("COMMIT")
    return interrupted


def find_next_key(connection: sqlite3.Connection) -> int:
    """Return the key from which on messages can be inserted."""
    (highest,) = connection.execute("SELECT max(id) FROM message").fetchone()
    return (highest or 0) + 1


def find_lanes(connection: sqlite3.Connection) -> list[tuple[str, str, int, int]]:
    """Return account, domain, and the first and last instant at which something of that lane is due."""
    return connection.execute(_LANES).fetchall()


def find_next_start(connection: sqlite3.Connection) -> int | None:
    """Return when the first of what is scheduled is due; None if nothing is."""
    (first,) = connection.execute("SELECT min(due_at) FROM schedule").fetchone()
    return None if first is None else int(first)


def remove_stale_files(connection: sqlite3.Connection, spool: SpoolDirectory) -> int:
    """Remove spooled contents that no record names; return how many."""
    return spool.remove_all_but({name for (name,) in connection.execute(_SPOOLED)})
