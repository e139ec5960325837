"""What is done to a shard when it is opened: after a crash, some attempts may have succeeded unseen."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.mailflow.events.event import EventType
from gatepost.storage.queue_sqlite.bulk import key_list
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

MAX_CRASHES: Final = 3
"""A recipient in hand at so many crashes, with no attempt that came to an end between them, is tried no more."""

_APART: Final = timedelta(seconds=2) // timedelta(milliseconds=1)
_APART_IN_ALL: Final = timedelta(minutes=10) // timedelta(milliseconds=1)

# A lease is known by its first recipient; the others are of the same message and destination.
_BLAME: Final = """
    INSERT INTO suspect (id, crashes)
    SELECT DISTINCT other.id, 1
    FROM json_each(?) AS hand
    JOIN recipient AS first ON first.id = hand.value
    JOIN recipient AS other ON other.id BETWEEN first.id / 65536 * 65536 AND first.id / 65536 * 65536 + 65535
    WHERE other.state = 1 AND other.domain = first.domain
    ON CONFLICT (id) DO UPDATE SET crashes = crashes + 1
"""

_DELETE_STALE: Final = "DELETE FROM suspect WHERE id NOT IN (SELECT id FROM recipient)"

_CONVICTED: Final = f"id IN (SELECT id FROM suspect WHERE crashes >= {MAX_CRASHES}) AND state = 0"  # noqa: S608

_CONVICTED_EVENTS: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT ?, '{EventType.HELD.value}', account_id, key_id,
        {MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ?
    FROM recipient WHERE {_CONVICTED}
"""  # noqa: S608 - constants

_HOLD_CONVICTED: Final = f"UPDATE recipient SET state = 2, held_reason = ?1, last_reply = ?1 WHERE {_CONVICTED}"  # noqa: S608

# Whoever releases them has them tried as often again.
_FORGET_CONVICTED: Final = f"DELETE FROM suspect WHERE crashes >= {MAX_CRASHES}"  # noqa: S608

_SET_APART: Final = """
    UPDATE recipient SET next_attempt_at = ?1 + place * ?2
    FROM (
        SELECT suspect.id AS suspect_id, dense_rank() OVER (ORDER BY suspect.id / 65536, domain) - 1 AS place
        FROM suspect JOIN recipient USING (id) WHERE crashes > 1 AND state = 0
    )
    WHERE recipient.id = suspect_id
"""

_LANES: Final = """
    SELECT account_id, domain, min(next_attempt_at), max(next_attempt_at)
    FROM recipient INDEXED BY recipient_queued WHERE state = 0 GROUP BY account_id, domain
"""

_SPOOLED: Final = """
    SELECT spool FROM message WHERE spool IS NOT NULL UNION SELECT spool FROM set_aside WHERE spool IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was done at an opening.

    Attributes:
        interrupted: How many recipients were found leased, and were queued again.
        set_aside: How many of them were held, since the process had ended with them in hand once too often.
        suspects: Keys of the recipients that were in hand at a crash and may be tried again.
    """

    interrupted: int
    set_aside: int
    suspects: set[int]


def recover(connection: sqlite3.Connection, *, now: int, in_hand: Sequence[int]) -> Recovered:
    """Queue again, due now, what was leased when the last process ended.

    In one transaction, with an ``interrupted`` event each. It is committed before anything new is taken.

    What was with delivery at that moment (``in_hand``: keys of first recipients) may be why the process ended. After a
    second time such recipients are tried one after another instead of all at once, so that the one that does it is
    alone when it does it again; after ``MAX_CRASHES`` times it is held.
    """
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE store SET generation = generation + 1")
    connection.execute(_BLAME, (key_list(in_hand),))
    detail = encode_detail({"reason": "the process ended while an attempt was under way"})
    connection.execute(_INTERRUPTED, (now, detail))
    interrupted = connection.execute(_QUEUE_INTERRUPTED, (now,)).rowcount
    set_aside = _judge_suspects(connection, now)
    suspects = {key for (key,) in connection.execute("SELECT id FROM suspect")}
    connection.execute("COMMIT")
    return Recovered(interrupted=interrupted, set_aside=set_aside, suspects=suspects)


def forget_suspects(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Note that attempts at these recipients have come to an end: whatever ends the process, they do not."""
    connection.execute("DELETE FROM suspect WHERE id IN (SELECT value FROM json_each(?))", (key_list(keys),))


def _judge_suspects(connection: sqlite3.Connection, now: int) -> int:
    connection.execute(_DELETE_STALE)
    reason = (
        f"set aside: the worker ended {MAX_CRASHES} times while it tried this message; see its log for why, then "
        "release it (tried again) or remove it"
    )
    connection.execute(_CONVICTED_EVENTS, (now, encode_detail({"reason": reason})))
    set_aside = connection.execute(_HOLD_CONVICTED, (reason,)).rowcount
    connection.execute(_FORGET_CONVICTED)
    (others,) = connection.execute("SELECT count(*) FROM suspect WHERE crashes > 1").fetchone()
    connection.execute(_SET_APART, (now, min(_APART, _APART_IN_ALL // max(1, others))))
    return set_aside


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
