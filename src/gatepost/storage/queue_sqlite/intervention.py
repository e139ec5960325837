"""The SQL of ``hold``, ``release``, ``remove`` and of forgetting events, a stretch of the table at a time.

A million rows in one transaction would keep every other message waiting for seconds, so that each job handles the
recipients of a bounded number of messages and says where the next has to begin.
"""

import sqlite3
from collections import Counter
from typing import Final

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN, Predicate, RecipientState
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.bulk import key_list
from gatepost.storage.queue_sqlite.codec import EVENT_COLUMNS, encode_detail
from gatepost.storage.queue_sqlite.jobs import HoldJob, PruneJob, ReleaseJob, RemoveJob, Sweep
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS, MESSAGE_ID_OF_RECIPIENT, STATE_CODES
from gatepost.storage.queue_sqlite.settlement import count_final, delete_finished_messages
from gatepost.tenancy.senders.sender_names import SenderNames

STRETCH_ROWS: Final = 2000
"""How many recipients one transaction looks at, give or take those of one message."""

_PRUNED_AT_ONCE: Final = 5000

_PRUNE_OPTIONS: Final = """
    DELETE FROM message_options
    WHERE accepted_at < ? AND NOT EXISTS (SELECT 1 FROM event WHERE event.message_id = message_options.message_id)
"""

_IS_SCHEDULED: Final = "EXISTS (SELECT 1 FROM schedule WHERE message_key = recipient.id / 65536)"

# A hold that the service takes back by itself gives way to any other.
_MAY_BE_HELD: Final = "(held_reason IS NULL OR held_reason = ? AND held_reason <> ?)"

_END_OF_STRETCH: Final = "SELECT id FROM recipient WHERE id >= ? ORDER BY id LIMIT 1 OFFSET ?"


def hold(connection: sqlite3.Connection, job: HoldJob) -> None:
    """Hold what is queued, mark what is leased."""
    where, values = _select(connection, job)
    where, values = f"{where} AND {_MAY_BE_HELD}", (*values, HELD_UNTIL_RETURN, job.reason)
    job.marked = _keys(connection, f"{where} AND state = 1", values)
    _add_events(connection, job, EventType.HELD, where, values)
    job.count = connection.execute(
        f"UPDATE recipient SET held_reason = ?, state = CASE WHEN state IN (0, 3) THEN 2 ELSE state END WHERE {where}",  # noqa: S608
        (job.reason, *values),
    ).rowcount


def release(connection: sqlite3.Connection, job: ReleaseJob) -> None:
    """Queue what is held, due now, or schedule it again; lift the marks of what is leased."""
    where, values = _select(connection, job, state_is_implied=RecipientState.HELD)
    where += " AND held_reason IS NOT NULL"
    job.unmarked = _keys(connection, f"{where} AND state = 1", values)
    lanes = connection.execute(
        f"SELECT DISTINCT account_id, domain FROM recipient WHERE {where} AND state = 2",  # noqa: S608
        values,
    )
    job.lanes = [(AccountId(account_id), domain) for account_id, domain in lanes]
    _add_events(connection, job, EventType.RELEASED, where, values)
    job.count = connection.execute(
        f"UPDATE recipient SET held_reason = NULL, "  # noqa: S608 - constants
        f"state = CASE WHEN state <> 2 THEN state WHEN {_IS_SCHEDULED} THEN 3 ELSE 0 END, "
        f"next_attempt_at = CASE WHEN state <> 2 OR {_IS_SCHEDULED} THEN next_attempt_at ELSE ? END WHERE {where}",
        (job.now, *values),
    ).rowcount


def remove(connection: sqlite3.Connection, job: RemoveJob) -> list[str]:
    """Drop what waits; return the spooled contents that no record names any more."""
    where, values = _select(connection, job)
    where += " AND state IN (0, 2, 3)"
    counts = connection.execute(f"SELECT account_id, count(*) FROM recipient WHERE {where} GROUP BY 1", values)  # noqa: S608
    dropped = Counter({(account_id, RecipientState.DROPPED): count for account_id, count in counts.fetchall()})
    _add_events(connection, job, EventType.DROPPED, where, values)
    messages = {key // MAX_RECIPIENTS for key in _keys(connection, where, values)}
    spooled = _spooled(connection, messages)
    job.count = connection.execute(f"DELETE FROM recipient WHERE {where}", values).rowcount  # noqa: S608
    delete_finished_messages(connection, messages)
    count_final(connection, dropped)
    return [name for name in spooled if name not in _spooled(connection, messages)]


def prune_events(connection: sqlite3.Connection, job: PruneJob) -> None:
    """Forget old events, in the order of their ids; the clock may have jumped between two of them."""
    (last,) = connection.execute(
        "SELECT max(id) FROM (SELECT id FROM event WHERE id > ? ORDER BY id LIMIT ?)", (job.first, _PRUNED_AT_ONCE)
    ).fetchone()
    if last is not None:
        job.count = connection.execute(
            "DELETE FROM event WHERE id > ? AND id <= ? AND at < ?", (job.first, last, job.before)
        ).rowcount
        job.next_first = last if job.count else None
    if job.next_first is None:
        connection.execute(_PRUNE_OPTIONS, (job.before,))


def compile_predicate(
    predicate: Predicate, *, states_matter: bool = True, may_be_empty: bool = False
) -> tuple[list[str], list[object]]:
    """Return the conditions on ``recipient`` and their values; ``message_id`` and ``sender`` are the caller's.

    Raises:
        ValueError: The predicate names nothing, which would mean everything, and ``may_be_empty`` is false.
    """
    if predicate == Predicate() and not may_be_empty:
        raise ValueError("a predicate must say at least one thing; it would mean the whole queue")
    conditions: list[str] = []
    values: list[object] = []
    for column, value in (
        ("account_id", predicate.account_id),
        ("key_id", predicate.key_id),
        ("domain", predicate.domain),
        ("held_reason", predicate.held_for),
    ):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if predicate.state is not None and states_matter:
        conditions.append("state = ?")
        values.append(STATE_CODES.get(predicate.state, -1))  # a final one has no row
    return conditions, values


def match_sender(connection: sqlite3.Connection, sender: SenderNames, table: str = "") -> str:
    """Return the condition on ``recipient`` that its mail is in these names; it has no values.

    It is the last to be asked of a row. The connection knows one such question at a time.
    """
    connection.create_function("is_in_name", 2, sender.mean, deterministic=True)
    return f"is_in_name({table}author, {table}reverse_path)"


def _select(
    connection: sqlite3.Connection, job: Sweep, *, state_is_implied: RecipientState | None = None
) -> tuple[str, tuple[object, ...]]:
    """Return the condition of this stretch and its values, and note where the next begins."""
    predicate = job.predicate
    conditions, values = compile_predicate(predicate, states_matter=predicate.state is not state_is_implied)
    if predicate.message_id is not None:
        found = connection.execute("SELECT id FROM message WHERE message_id = ?", (predicate.message_id,)).fetchone()
        first = last = found[0] if found else -1
        job.next_first = None
    else:
        first = job.first
        end = connection.execute(_END_OF_STRETCH, (first * MAX_RECIPIENTS, STRETCH_ROWS)).fetchone()
        last = end[0] // MAX_RECIPIENTS if end else 1 << 46
        job.next_first = last + 1 if end else None
    conditions.insert(0, "id BETWEEN ? AND ?")
    if predicate.sender is not None:
        conditions.append(match_sender(connection, predicate.sender))
    return " AND ".join(conditions), (first * MAX_RECIPIENTS, (last + 1) * MAX_RECIPIENTS - 1, *values)


def _add_events(
    connection: sqlite3.Connection, job: Sweep, event: EventType, where: str, values: tuple[object, ...]
) -> None:
    detail = encode_detail({"reason": job.reason} if job.reason else {})
    connection.execute(
        f"INSERT INTO event ({EVENT_COLUMNS}) SELECT ?, ?, account_id, key_id, "  # noqa: S608 - constants
        f"{MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ? "
        f"FROM recipient WHERE {where}",
        (job.now, event.value, detail, *values),
    )


def _keys(connection: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[int]:
    return [key for (key,) in connection.execute(f"SELECT id FROM recipient WHERE {where}", values)]  # noqa: S608


def _spooled(connection: sqlite3.Connection, messages: "set[int]") -> "set[str]":
    rows = connection.execute(
        "SELECT spool FROM message WHERE id IN (SELECT value FROM json_each(?)) AND spool IS NOT NULL",
        (key_list(messages),),
    )
    return {name for (name,) in rows}
