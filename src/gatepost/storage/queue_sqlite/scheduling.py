"""The SQL of scheduled mail: what is due, and what becomes of it; and of requests that were carried out."""

import sqlite3
from collections import Counter
from typing import Final

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.mailflow.queue.schedule import DueGroup
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.bulk import key_list
from gatepost.storage.queue_sqlite.codec import EVENT_COLUMNS, encode_detail, to_milliseconds
from gatepost.storage.queue_sqlite.jobs import EndScheduleJob, FindDueJob
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS, MESSAGE_ID_OF_RECIPIENT, STATE_CODES
from gatepost.storage.queue_sqlite.settlement import count_final, delete_finished_messages

MESSAGES_AT_ONCE: Final = 200
"""So many messages of a group are begun or dropped in one transaction: others are not to wait behind them."""

_GROUPS: Final = "SELECT DISTINCT account_id, batch_id FROM schedule WHERE due_at <= ?"
_NEXT_DUE: Final = "SELECT min(due_at) FROM schedule WHERE due_at > ?"

_DUE: Final = """
    SELECT message_key FROM schedule WHERE due_at <= ? AND account_id = ? AND batch_id = ? ORDER BY due_at LIMIT ?
"""
_ENDED: Final = "DELETE FROM schedule WHERE message_key IN (SELECT value FROM json_each(?))"

_SCHEDULED: Final = f"""
    SELECT r.id, r.account_id, r.domain
    FROM json_each(?) AS chosen CROSS JOIN recipient AS r
    ON r.id BETWEEN chosen.value * {MAX_RECIPIENTS} AND chosen.value * {MAX_RECIPIENTS} + {MAX_RECIPIENTS - 1}
    WHERE r.state = {STATE_CODES[RecipientState.SCHEDULED]}
"""  # noqa: S608 - constants

_QUEUE: Final = "UPDATE recipient SET state = 0, next_attempt_at = ? WHERE id IN (SELECT value FROM json_each(?))"

_DROPPED_EVENTS: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT ?, '{EventType.DROPPED.value}', account_id, key_id,
        {MESSAGE_ID_OF_RECIPIENT}, local_part, domain, ?
    FROM recipient WHERE id IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - constants

_DROP: Final = "DELETE FROM recipient WHERE id IN (SELECT value FROM json_each(?))"

_SPOOLED: Final = """
    SELECT spool FROM message WHERE id IN (SELECT value FROM json_each(?)) AND spool IS NOT NULL
"""

# One that is past its time is replaced: whoever asks has looked for it, and taken it for forgotten.
_RECORD: Final = """
    INSERT OR REPLACE INTO request (key_id, token, account_id, fingerprint, message_id, at) VALUES (?, ?, ?, ?, ?, ?)
"""
_PRUNE_REQUESTS: Final = "DELETE FROM request WHERE at < ?"


def find_due(connection: sqlite3.Connection, job: FindDueJob) -> None:
    """Find the groups of which some is due, and when to look again."""
    found = connection.execute(_GROUPS, (job.now,)).fetchall()
    job.groups = tuple([DueGroup(account_id=AccountId(account_id), batch_id=batch) for account_id, batch in found])
    (job.next_due_at,) = connection.execute(_NEXT_DUE, (job.now,)).fetchone()


def end_schedule(connection: sqlite3.Connection, job: EndScheduleJob) -> list[str]:
    """Queue or drop the due messages of a group, the first of them; return spooled contents no record names more."""
    until = to_milliseconds(job.end.until)
    rows = connection.execute(_DUE, (until, job.group.account_id, job.group.batch_id, MESSAGES_AT_ONCE)).fetchall()
    messages = [key for (key,) in rows]
    job.has_more = len(messages) == MESSAGES_AT_ONCE
    chosen = key_list(messages)
    connection.execute(_ENDED, (chosen,))
    found = connection.execute(_SCHEDULED, (chosen,)).fetchall()
    recipients = key_list([key for key, _, _ in found])
    job.count = len(found)
    if job.end.to is RecipientState.QUEUED:
        connection.execute(_QUEUE, (job.now, recipients))
        job.lanes = list({(AccountId(account_id), domain) for _, account_id, domain in found})
        return []
    spooled = _spooled(connection, chosen)
    connection.execute(_DROPPED_EVENTS, (job.now, encode_detail({"reason": job.end.reason}), recipients))
    connection.execute(_DROP, (recipients,))
    delete_finished_messages(connection, messages)
    count_final(connection, Counter([(account_id, RecipientState.DROPPED) for _, account_id, _ in found]))
    left = _spooled(connection, chosen)
    return [name for name in spooled if name not in left]


def record_request(connection: sqlite3.Connection, record: RequestRecord) -> None:
    """Write down that a request was carried out, in the transaction that does so."""
    values = (record.key_id, record.token, record.account_id, record.fingerprint, record.message_id)
    connection.execute(_RECORD, (*values, to_milliseconds(record.at)))


def prune_requests(connection: sqlite3.Connection, before: int) -> None:
    """Forget requests that were carried out before an instant."""
    connection.execute(_PRUNE_REQUESTS, (before,))


def _spooled(connection: sqlite3.Connection, chosen: str) -> set[str]:
    return {name for (name,) in connection.execute(_SPOOLED, (chosen,))}
