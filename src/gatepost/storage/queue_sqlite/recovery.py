"""What is done to a shard when it is opened: after a crash, some attempts may have succeeded unseen."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from gatepost.mailflow.events.event import EventType
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.bulk import key_list
from gatepost.storage.queue_sqlite.codec import EVENT_COLUMNS, encode_detail
from gatepost.storage.queue_sqlite.schema import MESSAGE_ID_OF_RECIPIENT
from gatepost.storage.spool import SpoolDirectory

_KEYS: Final = msgspec.json.Decoder(list[int])

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
"""A recipient in hand at so many crashes, alone at the last of them, and with no attempt that came to an end between
them, is tried no more."""

_TRIED_ALONE_AT: Final = 2
_MAX_TRIALS: Final = 1000
_AFTER_TRIALS: Final = timedelta(seconds=10) // timedelta(milliseconds=1)
_APART: Final = timedelta(seconds=2) // timedelta(milliseconds=1)
_APART_IN_ALL: Final = timedelta(minutes=10) // timedelta(milliseconds=1)

# A lease is known by its first recipient; the others are of the same message and destination.
_OF_LEASES: Final = """
    SELECT DISTINCT other.id
    FROM json_each(?) AS hand
    JOIN recipient AS first ON first.id = hand.value
    JOIN recipient AS other ON other.id BETWEEN first.id / 65536 * 65536 AND first.id / 65536 * 65536 + 65535
    WHERE other.state = 1 AND other.domain = first.domain
"""

_BLAME: Final = f"""
    INSERT INTO suspect (id, crashes) SELECT id, 1 FROM ({_OF_LEASES}) WHERE true
    ON CONFLICT (id) DO UPDATE SET crashes = crashes + 1
"""  # noqa: S608 - constants

_DELETE_STALE: Final = "DELETE FROM suspect WHERE id NOT IN (SELECT id FROM recipient)"

_CONVICTED: Final = """
    SELECT json_group_array(id) FROM recipient JOIN suspect USING (id)
    WHERE id IN (SELECT value FROM json_each(?)) AND crashes >= ? AND state = 0
"""

_CONVICTED_EVENTS: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT ?, '{EventType.HELD.value}', account_id, key_id,
        {MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ?
    FROM recipient WHERE id IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - constants

_HOLD_CONVICTED: Final = """
    UPDATE recipient SET state = 2, held_reason = ?1, last_reply = ?1 WHERE id IN (SELECT value FROM json_each(?2))
"""

# Whoever releases them has them tried as often again.
_FORGET: Final = "DELETE FROM suspect WHERE id IN (SELECT value FROM json_each(?))"

# The newest suspects first: most of them are innocent and soon done with.
_TRIALS: Final = f"""
    SELECT account_id, domain, json_group_array(id), max(crashes) AS most
    FROM recipient JOIN suspect USING (id) WHERE crashes >= {_TRIED_ALONE_AT} AND state = 0
    GROUP BY id / 65536, account_id, domain ORDER BY most, id LIMIT {_MAX_TRIALS}
"""  # noqa: S608 - constants

_SET_APART: Final = """
    UPDATE recipient SET next_attempt_at = ?1 + place * ?2
    FROM (
        SELECT suspect.id AS suspect_id, dense_rank() OVER (ORDER BY suspect.id / 65536, domain) - 1 AS place
        FROM suspect JOIN recipient USING (id) WHERE crashes >= ?3 AND state = 0
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
class Suspect:
    """Recipients of one message and destination that were in hand at crashes.

    Attributes:
        keys: Of the recipients, in order.
        crashes: At how many, since an attempt came to an end.
    """

    account_id: AccountId
    domain: str
    keys: tuple[int, ...]
    crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was done at an opening.

    Attributes:
        interrupted: How many recipients were found leased, and were queued again.
        set_aside: How many of them were held, since the process had ended over them once too often.
        suspects: Keys of the recipients that were in hand at a crash and may be tried again.
        trials: Those of them that are to be tried alone, in this order.
    """

    interrupted: int
    set_aside: int
    suspects: set[int]
    trials: tuple[Suspect, ...]


def recover(connection: sqlite3.Connection, *, now: int, in_hand: Sequence[int], alone: int) -> Recovered:
    """Queue again, due now, what was leased when the last process ended.

    In one transaction, with an ``interrupted`` event each. It is committed before anything new is taken.

    What was with delivery at that moment (``in_hand``: keys of first recipients) may be why the process ended. After a
    second time such recipients are tried alone (``trials``), those that do not get their turn one after another. The
    one that was by itself (``alone``; 0 if there were several) is held after ``MAX_CRASHES`` times: it was proved.
    """
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE store SET generation = generation + 1")
    connection.execute(_BLAME, (key_list(in_hand),))
    suspected_alone = [key for (key,) in connection.execute(_OF_LEASES, (key_list([alone]),))]
    detail = encode_detail({"reason": "the process ended while an attempt was under way"})
    connection.execute(_INTERRUPTED, (now, detail))
    interrupted = connection.execute(_QUEUE_INTERRUPTED, (now,)).rowcount
    set_aside = _hold_convicted(connection, suspected_alone, now)
    trials = _plan_trials(connection, now)
    suspects = {key for (key,) in connection.execute("SELECT id FROM suspect")}
    connection.execute("COMMIT")
    return Recovered(interrupted=interrupted, set_aside=set_aside, suspects=suspects, trials=trials)


def forget_suspects(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Note that attempts at these recipients have come to an end: whatever ends the process, they do not."""
    connection.execute(_FORGET, (key_list(keys),))


def _hold_convicted(connection: sqlite3.Connection, alone: Sequence[int], now: int) -> int:
    connection.execute(_DELETE_STALE)
    (convicted,) = connection.execute(_CONVICTED, (key_list(alone), MAX_CRASHES)).fetchone()
    reason = (
        f"set aside: the worker ended {MAX_CRASHES} times or more while it tried this message, at last with no other "
        "in hand; see its log for why, then release it (tried again) or remove it"
    )
    connection.execute(_CONVICTED_EVENTS, (now, encode_detail({"reason": reason}), convicted))
    set_aside = connection.execute(_HOLD_CONVICTED, (reason, convicted)).rowcount
    connection.execute(_FORGET, (convicted,))
    return set_aside


def _plan_trials(connection: sqlite3.Connection, now: int) -> tuple[Suspect, ...]:
    trials = [
        Suspect(
            account_id=AccountId(account_id), domain=domain, keys=tuple(sorted(_KEYS.decode(keys))), crashes=crashes
        )
        for account_id, domain, keys, crashes in connection.execute(_TRIALS).fetchall()
    ]
    apart = min(_APART, _APART_IN_ALL // max(1, sum(len(trial.keys) for trial in trials)))
    connection.execute(_SET_APART, (now + _AFTER_TRIALS, apart, _TRIED_ALONE_AT))
    return tuple(trials)


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
