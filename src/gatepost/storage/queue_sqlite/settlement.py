"""The SQL of ``settle``: rows, events and books of many leases at once."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gatepost.mailflow.queue.recipient import RecipientSettlement, RecipientState
from gatepost.storage.queue_sqlite.bulk import insert_rows, key_list
from gatepost.storage.queue_sqlite.codec import EVENT_COLUMNS, Row, clean, encode_event, to_milliseconds
from gatepost.storage.queue_sqlite.jobs import SettleJob
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS
from gatepost.storage.spool import SpooledContent

EVENT: Final = f"event ({EVENT_COLUMNS})"

_DELETE_FINAL: Final = """
    DELETE FROM recipient WHERE id IN (SELECT value FROM json_each(?)) AND state = 1
"""

_QUEUE_AGAIN: Final = """
    UPDATE recipient
    SET state = CASE WHEN held_reason IS NULL THEN 0 ELSE 2 END,
        next_attempt_at = json_extract(again.value, '$[1]'),
        last_reply = json_extract(again.value, '$[2]')
    FROM json_each(?) AS again
    WHERE recipient.id = json_extract(again.value, '$[0]') AND state = 1
"""

_DELETE_MESSAGES: Final = """
    DELETE FROM message
    WHERE id IN (SELECT value FROM json_each(?))
      AND NOT EXISTS (
          SELECT 1 FROM recipient WHERE recipient.id BETWEEN message.id * 65536 AND message.id * 65536 + 65535
      )
"""

# A settled message has none: it was begun.
_DELETE_SCHEDULES: Final = """
    DELETE FROM schedule WHERE message_key IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = schedule.message_key)
"""

_LEASED_AMONG: Final = "SELECT id FROM recipient WHERE id IN (SELECT value FROM json_each(?)) AND state = 1"

_MESSAGES_AMONG: Final = "SELECT id FROM message WHERE id IN (SELECT value FROM json_each(?))"

_COUNT_FINAL: Final = """
    INSERT INTO books (account_id, delivered, bounced, dropped, expired) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (account_id) DO UPDATE SET
        delivered = delivered + excluded.delivered, bounced = bounced + excluded.bounced,
        dropped = dropped + excluded.dropped, expired = expired + excluded.expired
"""

_COLUMNS: Final = (RecipientState.DELIVERED, RecipientState.BOUNCED, RecipientState.DROPPED, RecipientState.EXPIRED)


class RowsMissing(Exception):
    """Some of the rows that a group of settlements is about are not LEASED any more; settle each by itself."""


def settle_leases(connection: sqlite3.Connection, jobs: Sequence[SettleJob]) -> list[str]:
    """Write the settlements of all jobs; return the spooled contents that no record names any more.

    Raises:
        RowsMissing: Of several jobs, one is about rows that are gone (a broken record was set aside meanwhile). A
            single job leaves such rows out.
    """
    work = _Work(jobs, among=_still_leased(connection, jobs[0]) if len(jobs) == 1 else None)
    if work.final and connection.execute(_DELETE_FINAL, (key_list(work.final),)).rowcount != len(work.final):
        raise RowsMissing
    if work.again:
        again = msgspec.json.encode(work.again).decode()
        if connection.execute(_QUEUE_AGAIN, (again,)).rowcount != len(work.again):
            raise RowsMissing
    insert_rows(connection, EVENT, work.events)
    count_final(connection, work.counts)
    connection.execute(_DELETE_MESSAGES, (key_list(work.messages),))
    return _released_files(connection, work.spooled)


def count_final(connection: sqlite3.Connection, counts: "Counter[tuple[str, RecipientState]]") -> None:
    """Add to the books how many recipients of which account came into which final state."""
    accounts = {account_id for account_id, _ in counts}
    rows = [(account_id, *[counts[account_id, state] for state in _COLUMNS]) for account_id in accounts]
    connection.executemany(_COUNT_FINAL, rows)


def delete_finished_messages(connection: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Delete those of the messages that have no recipient left, and what was scheduled of them."""
    chosen = key_list(keys)
    connection.execute(_DELETE_MESSAGES, (chosen,))
    connection.execute(_DELETE_SCHEDULES, (chosen,))


class _Work:
    """What a group of settlements comes to, by kind of statement."""

    def __init__(self, jobs: Sequence[SettleJob], among: frozenset[int] | None) -> None:
        self.final: list[int] = []
        self.again: list[tuple[int, int, str]] = []
        self.events: list[Row] = []
        self.counts: Counter[tuple[str, RecipientState]] = Counter()
        self.messages: list[int] = []
        self.spooled: dict[int, str] = {}
        for job in jobs:
            self._add(job, among)

    def _add(self, job: SettleJob, among: frozenset[int] | None) -> None:
        message, message_key = job.record.lease.message, job.record.message_key
        first = message_key * MAX_RECIPIENTS
        for settled in job.settlement.recipients:
            key = first + settled.position
            if among is not None and key not in among:
                continue
            self.events.append(encode_event(settled.event))
            if settled.state is RecipientState.QUEUED:
                self.again.append((key, _next_attempt_at(settled), clean(_last_words(settled))))
            else:
                self.final.append(key)
                self.counts[message.account_id, settled.state] += 1
        self.messages.append(message_key)
        if isinstance(message.content, SpooledContent):
            self.spooled[message_key] = message.content.name


def _next_attempt_at(settled: RecipientSettlement) -> int:
    if settled.next_attempt_at is None:
        raise ValueError("a recipient that is queued again needs the instant of its next attempt")
    return to_milliseconds(settled.next_attempt_at)


def _last_words(settled: RecipientSettlement) -> str:
    """Return what an operator is shown of the last attempt: the peer's words, or why there were none."""
    detail = settled.event.detail
    return detail.get("reply") or detail.get("reason", "")


def _still_leased(connection: sqlite3.Connection, job: SettleJob) -> frozenset[int]:
    rows = connection.execute(_LEASED_AMONG, (key_list(job.record.recipient_keys()),))
    return frozenset([key for (key,) in rows])


def _released_files(connection: sqlite3.Connection, spooled: dict[int, str]) -> list[str]:
    if not spooled:
        return []
    remaining = {key for (key,) in connection.execute(_MESSAGES_AMONG, (key_list(spooled),))}
    return [name for key, name in spooled.items() if key not in remaining]
