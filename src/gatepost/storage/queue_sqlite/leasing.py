"""The SQL of ``lease``: due rows become leases; what cannot be read back is set aside."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import Lease, LeasedRecipient, QueuedMessage, RecipientState
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.acceptance import MAX_LEASE_RECIPIENTS
from gatepost.storage.queue_sqlite.bulk import key_list
from gatepost.storage.queue_sqlite.codec import (
    EVENT_COLUMNS,
    MESSAGE_COLUMNS,
    Unreadable,
    decode_message,
    encode_detail,
)
from gatepost.storage.queue_sqlite.jobs import FillJob, GiveBackJob, LeaseRecord, Order, SetAsideJob
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS, MESSAGE_ID_OF_RECIPIENT
from gatepost.storage.queue_sqlite.settlement import count_final, delete_finished_messages
from gatepost.storage.spool import SpoolDirectory

# Answered from the index alone, and as one row.
_DUE: Final = """
    SELECT json_group_array(id) FROM (
        SELECT id FROM recipient INDEXED BY recipient_queued
        WHERE state = 0 AND account_id = ? AND domain = ? AND next_attempt_at BETWEEN ? AND ?
        ORDER BY next_attempt_at, id LIMIT ?
    )
"""

_STILL_QUEUED: Final = """
    SELECT json_group_array(id) FROM recipient WHERE id IN (SELECT value FROM json_each(?)) AND state = 0
"""

_RECIPIENTS: Final = """
    SELECT id, local_part, domain, attempts FROM recipient WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id
"""

# Two look-ups in the index; `min` and `max` in one SELECT would read the whole lane.
_NEXT_DUE: Final = """
    SELECT (SELECT min(next_attempt_at) FROM recipient INDEXED BY recipient_queued
            WHERE state = 0 AND account_id = ?1 AND domain = ?2),
           (SELECT max(next_attempt_at) FROM recipient INDEXED BY recipient_queued
            WHERE state = 0 AND account_id = ?1 AND domain = ?2)
"""

_LEASE: Final = """
    UPDATE recipient SET state = 1, attempts = attempts + 1 WHERE id IN (SELECT value FROM json_each(?)) AND state = 0
"""

_GIVE_BACK: Final = """
    UPDATE recipient
    SET state = CASE WHEN held_reason IS NULL THEN 0 ELSE 2 END, attempts = attempts - 1, next_attempt_at = ?
    WHERE id IN (SELECT value FROM json_each(?)) AND state = 1
"""

_MESSAGES: Final = f"SELECT {MESSAGE_COLUMNS} FROM message WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608

_SET_ASIDE: Final = """
    INSERT OR IGNORE INTO set_aside (message_id, at, account_id, reason, spool, head, content)
    SELECT message_id, ?, account_id, ?, spool, head, content FROM message WHERE id = ?
"""

# All of a message's recipients but those that another lease is attempting from memory.
_BROKEN: Final = """
    FROM recipient WHERE id BETWEEN ?1 * 65536 AND ?1 * 65536 + 65535
    AND (state <> 1 OR id IN (SELECT value FROM json_each(?2)))
"""

_EVENTS_OF_BROKEN: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT ?3, '{EventType.DROPPED.value}', account_id, key_id,
        {MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ?4 {_BROKEN}
"""

_COUNT_BROKEN: Final = f"SELECT account_id, count(*) {_BROKEN} GROUP BY account_id"

_DELETE_BROKEN: Final = f"DELETE {_BROKEN}"

UNREADABLE: Final = "unreadable record"
_END_OF_TIME: Final = (1 << 63) - 1
_KEYS = msgspec.json.Decoder(list[int])


@dataclass(frozen=True, slots=True)
class _DueRow:
    key: int
    mailbox: Mailbox
    attempts: int

    @property
    def message_key(self) -> int:
        return self.key // MAX_RECIPIENTS

    @property
    def position(self) -> int:
        return self.key % MAX_RECIPIENTS


def fill(connection: sqlite3.Connection, job: FillJob, *, spool: SpoolDirectory, longest_delay: int) -> None:
    """Lease what is due for each order of the job; ``longest_delay`` in milliseconds.

    A row that is due further ahead than any delay is one that the clock was set back under: it is due now.
    """
    far = job.now + longest_delay
    job.set_aside = []
    due = [_find_due(connection, order, job.now, far) for order in job.orders]
    rows = _read_recipients(connection, [key for chosen in due for keys in chosen for key in keys])
    messages = _read_messages(connection, list(rows.values()), job, spool)
    for order, chosen in zip(job.orders, due, strict=True):
        order.records = [
            _lease(messages[keys[0] // MAX_RECIPIENTS], order.domain, [rows[key] for key in keys])
            for keys in chosen
            if keys[0] // MAX_RECIPIENTS in messages
        ]
    leased = [key for order in job.orders for record in order.records for key in record.recipient_keys()]
    connection.execute(_LEASE, (key_list(leased),))
    for order in job.orders:
        order.due_at = _find_next_due(connection, order, job.now, far)


def give_back(connection: sqlite3.Connection, job: GiveBackJob) -> None:
    """Queue leases again that were never handed out: the attempt written down was not begun."""
    keys = [key for record in job.records for key in record.recipient_keys()]
    connection.execute(_GIVE_BACK, (job.now, key_list(keys)))


def set_aside(connection: sqlite3.Connection, job: SetAsideJob) -> None:
    """Take a message out of the queue that was leased and then found broken."""
    _set_aside(connection, job.record.message_key, job.reason, job.now, also=job.record.recipient_keys())


def _find_due(connection: sqlite3.Connection, order: Order, now: int, far: int) -> list[list[int]]:
    """Return the keys of what an order is to lease, by message."""
    keys = _find_wanted(connection, order) if order.keys else _find_due_of_lane(connection, order, now, far)
    by_message: dict[int, list[int]] = {}
    for key in keys:
        by_message.setdefault(key // MAX_RECIPIENTS, []).append(key)
    return [sorted(of_one)[:MAX_LEASE_RECIPIENTS] for of_one in list(by_message.values())[: order.leases]]


def _find_wanted(connection: sqlite3.Connection, order: Order) -> list[int]:
    (found,) = connection.execute(_STILL_QUEUED, (key_list(order.keys),)).fetchone()
    return _KEYS.decode(found)


def _find_due_of_lane(connection: sqlite3.Connection, order: Order, now: int, far: int) -> list[int]:
    lane = (order.account_id, order.domain)
    (found,) = connection.execute(_DUE, (*lane, 0, now, order.recipients)).fetchone()
    if keys := _KEYS.decode(found):
        return keys
    (found,) = connection.execute(_DUE, (*lane, far + 1, _END_OF_TIME, order.recipients)).fetchone()
    return _KEYS.decode(found)


def _read_recipients(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, _DueRow]:
    return {
        key: _DueRow(key, Mailbox(local_part=local_part, domain=domain), attempts)
        for key, local_part, domain, attempts in connection.execute(_RECIPIENTS, (key_list(keys),)).fetchall()
    }


def _find_next_due(connection: sqlite3.Connection, order: Order, now: int, far: int) -> int | None:
    earliest: int | None
    earliest, latest = connection.execute(_NEXT_DUE, (order.account_id, order.domain)).fetchone()
    return now if latest is not None and latest > far else earliest


def _read_messages(
    connection: sqlite3.Connection, due: Sequence[_DueRow], job: FillJob, spool: SpoolDirectory
) -> dict[int, QueuedMessage]:
    """Return the messages that could be read, by key; set the others aside."""
    keys = {row.message_key for row in due}
    broken: dict[int, str] = {}
    messages: dict[int, QueuedMessage] = {}
    for row in connection.execute(_MESSAGES, (key_list(keys),)).fetchall():
        try:
            messages[row[0]] = decode_message(row, spool)
        except Unreadable as error:
            broken[row[0]] = str(error)
    for row in due:
        message = messages.get(row.message_key)
        if message is not None and not _is_recipient(message, row):
            broken[row.message_key] = f"recipient {row.position} is not the one that was accepted"
    for key in keys - messages.keys() - broken.keys():
        broken[key] = "the message's row is missing"
    for key, reason in broken.items():
        messages.pop(key, None)
        _set_aside(connection, key, reason, job.now, also=())
        job.set_aside.append(f"message {key}: {reason}")
    return messages


def _is_recipient(message: QueuedMessage, row: _DueRow) -> bool:
    paths = message.envelope.forward_paths
    return row.position < len(paths) and paths[row.position] == row.mailbox


def _lease(message: QueuedMessage, domain: str, rows: Sequence[_DueRow]) -> LeaseRecord:
    recipients = [LeasedRecipient(position=row.position, mailbox=row.mailbox, attempts=row.attempts) for row in rows]
    lease = Lease(message=message, domain=domain, recipients=tuple(recipients))
    return LeaseRecord(lease, rows[0].message_key)


def _set_aside(connection: sqlite3.Connection, key: int, reason: str, now: int, *, also: Sequence[int]) -> None:
    """Move a message to ``set_aside`` and drop its recipients, but for those leased and not in ``also``."""
    connection.execute(_SET_ASIDE, (now, reason, key))
    which = (key, key_list(also))
    detail = encode_detail({"reason": UNREADABLE, "fault": reason})
    connection.execute(_EVENTS_OF_BROKEN, (*which, now, detail))
    rows = connection.execute(_COUNT_BROKEN, which).fetchall()
    count_final(connection, Counter({(account_id, RecipientState.DROPPED): count for account_id, count in rows}))
    connection.execute(_DELETE_BROKEN, which)
    delete_finished_messages(connection, [key])
