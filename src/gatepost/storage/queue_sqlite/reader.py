"""Looks into a shard from any process, whether or not its worker runs; changes nothing."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from gatepost.mailflow.envelope import Envelope
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import Books, Predicate, RecipientRow, RecipientState
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.codec import (
    EVENT_COLUMNS,
    Row,
    Unreadable,
    decode_event,
    decode_head,
    to_milliseconds,
    to_nearest_instant,
)
from gatepost.storage.queue_sqlite.intervention import compile_predicate, match_sender
from gatepost.storage.queue_sqlite.schema import STATE_CODES, STATES, connect_reader, unreadable

_ROW: Final = """
    SELECT m.message_id, r.id % 65536, r.account_id, r.key_id, r.local_part, r.domain, r.state, r.attempts,
           m.accepted_at, r.next_attempt_at, m.size_octets, r.last_reply
    FROM recipient AS r CROSS JOIN message AS m ON m.id = r.id / 65536
"""

_LIVE: Final = "SELECT account_id, state, count(*) FROM recipient GROUP BY account_id, state"

_BOOKS: Final = "SELECT account_id, accepted, delivered, bounced, dropped, expired FROM books ORDER BY account_id"

_MESSAGE: Final = """
    SELECT message_id, account_id, key_id, accepted_at, size_octets, head FROM message WHERE message_id = ?
"""

_HELD: Final = STATE_CODES[RecipientState.HELD]
_WAITING: Final = frozenset({RecipientState.QUEUED, RecipientState.SCHEDULED})

_EVENT: Final = f"""
    SELECT id, {EVENT_COLUMNS},
        (SELECT options FROM message_options WHERE message_options.message_id = event.message_id)
    FROM event
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReport:
    """All that is known of one message.

    Attributes:
        accepted_at: And the two after it: None once its last recipient is final; its events remain.
        set_aside_reason: Why it was taken out of the queue as unreadable; "" if it was not.
        recipients: The live ones.
        events: Oldest first.
    """

    id: MessageId
    account_id: AccountId
    key_id: KeyId | None
    accepted_at: datetime | None
    size_octets: int | None
    envelope: Envelope | None
    set_aside_reason: str
    recipients: tuple[RecipientRow, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many live recipients of one account are in one state."""

    account_id: AccountId
    state: RecipientState
    recipients: int


class QueueReader:
    """One shard, read-only; each answer is what one instant looked like. Not for several threads at once.

    Every method raises ``Misconfigured`` if the shard turns out to be damaged, and ``Transient`` if it cannot be read
    at the moment.

    Attributes:
        path: Of the shard's file; the same shard has the same path each time it is opened.
    """

    def __init__(self, path: Path) -> None:
        """Open ``shard-<n>.db``; see ``connect_reader`` for what is raised."""
        self.path = path
        self._connection = connect_reader(path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def list_recipients(self, predicate: Predicate, *, limit: int) -> list[RecipientRow]:
        """Return live recipients that match, oldest message first; an empty predicate matches all."""
        with self._snapshot() as connection:
            where, values = _where(connection, predicate, "r.")
            rows = connection.execute(f"{_ROW} WHERE {where} ORDER BY r.id LIMIT ?", (*values, limit))
            return [_recipient(row) for row in rows]

    def count_recipients(self, predicate: Predicate) -> int:
        """Return how many live recipients match; an empty predicate matches all."""
        with self._snapshot() as connection:
            where, values = _where(connection, predicate, "")
            (count,) = connection.execute(f"SELECT count(*) FROM recipient WHERE {where}", values).fetchone()  # noqa: S608
            return int(count)

    def summarize(self) -> list[StateCount]:
        """Return how many recipients each account has in which live state, by account."""
        with self._snapshot() as connection:
            return [
                StateCount(account_id=AccountId(account_id), state=STATES[state], recipients=count)
                for account_id, state, count in connection.execute(_LIVE)
            ]

    def find_message(self, message_id: MessageId) -> MessageReport | None:
        """Return a message's whole story, also after it has left the queue; None if it was never here."""
        with self._snapshot() as connection:
            events = connection.execute(
                f"{_EVENT} WHERE message_id = ? ORDER BY id",
                (message_id,),
            )
            story = tuple([decode_event(row[1:]) for row in events])
            row = connection.execute(_MESSAGE, (message_id,)).fetchone()
            set_aside = connection.execute(
                "SELECT account_id, reason FROM set_aside WHERE message_id = ?", (message_id,)
            ).fetchone()
            where, values = _where(connection, Predicate(message_id=message_id), "r.")
            recipients = connection.execute(f"{_ROW} WHERE {where} ORDER BY r.id", values)
            return _report(message_id, row, set_aside, tuple([_recipient(row) for row in recipients]), story)

    def list_events(
        self, *, after_id: int, limit: int, predicate: Predicate | None = None, types: Iterable[EventType] = ()
    ) -> list[tuple[int, Event]]:
        """Return events with an id above ``after_id``, oldest first, each with its id.

        Ids grow with every event of this shard, so that a follower asks for what came after the last one it saw.
        A predicate's ``state`` plays no part; no ``types`` means all.
        """
        where, values = _where_event(predicate, types)
        return self._select_events(f"id > ? AND {where} ORDER BY id", (after_id, *values), limit)

    def list_newest_events(
        self,
        *,
        limit: int,
        since: datetime | None = None,
        predicate: Predicate | None = None,
        types: Iterable[EventType] = (),
    ) -> list[tuple[int, Event]]:
        """Return the newest events, at most ``limit``, none from before ``since``; otherwise as ``list_events``."""
        where, values = _where_event(predicate, types)
        first = 0 if since is None else to_milliseconds(since)
        return self._select_events(f"at >= ? AND {where} ORDER BY id DESC", (first, *values), limit)[::-1]

    def _select_events(self, where: str, values: tuple[object, ...], limit: int) -> list[tuple[int, Event]]:
        with self._snapshot() as connection:
            rows = connection.execute(
                f"{_EVENT} WHERE {where} LIMIT ?",
                (*values, limit),
            )
            return [(row[0], decode_event(row[1:])) for row in rows]

    def last_event_id(self) -> int:
        """Return the id of the newest event; 0 if there is none."""
        with self._snapshot() as connection:
            (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
            return int(newest)

    def read_books(self) -> list[Books]:
        """Return every account's books as of one instant: counters from the ledger, the rest counted row by row."""
        with self._snapshot() as connection:
            live: dict[str, dict[int, int]] = {}
            for account_id, state, count in connection.execute(_LIVE):
                live.setdefault(account_id, {})[state] = count
            ledger = {row[0]: row for row in connection.execute(_BOOKS)}
        return [
            _books(ledger.get(account_id, (account_id, 0, 0, 0, 0, 0)), live.get(account_id, {}))
            for account_id in sorted(ledger.keys() | live.keys())
        ]

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:  # some errors have ended it
                    self._connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            raise unreadable(self.path, error) from error


def add_books(books: Iterable[Books]) -> list[Books]:
    """Add up the books of several shards, by account."""
    total: dict[AccountId, Books] = {}
    for one in books:
        before = total.get(one.account_id)
        total[one.account_id] = one if before is None else _sum(before, one)
    return [total[account_id] for account_id in sorted(total)]


def _sum(left: Books, right: Books) -> Books:
    return replace(
        left,
        accepted=left.accepted + right.accepted,
        delivered=left.delivered + right.delivered,
        bounced=left.bounced + right.bounced,
        dropped=left.dropped + right.dropped,
        expired=left.expired + right.expired,
        queued=left.queued + right.queued,
        held=left.held + right.held,
    )


def _books(ledger: Row, live: dict[int, int]) -> Books:
    account_id, accepted, delivered, bounced, dropped, expired = ledger
    held = live.get(_HELD, 0)
    return Books(
        account_id=AccountId(account_id),
        accepted=accepted,
        delivered=delivered,
        bounced=bounced,
        dropped=dropped,
        expired=expired,
        queued=sum(live.values()) - held,
        held=held,
    )


def _where_event(predicate: Predicate | None, types: Iterable[EventType]) -> tuple[str, list[object]]:
    """Return the condition on ``event`` and its values; "TRUE" for no condition."""
    if predicate is not None and (predicate.sender is not None or predicate.held_for is not None):
        raise ValueError("events are not found by the names of their mail, nor by why it is held")
    conditions, values = compile_predicate(predicate or Predicate(), states_matter=False, may_be_empty=True)
    if predicate is not None and predicate.message_id is not None:
        conditions.append("message_id = ?")
        values.append(predicate.message_id)
    wanted = [kind.value for kind in types]
    if wanted:
        conditions.append(f"type IN ({','.join('?' * len(wanted))})")
        values += wanted
    return " AND ".join(conditions) or "TRUE", values


def _where(connection: sqlite3.Connection, predicate: Predicate, table: str) -> tuple[str, Sequence[object]]:
    conditions, values = compile_predicate(predicate, may_be_empty=True)
    conditions = [f"{table}{condition}" for condition in conditions]
    if predicate.message_id is not None:
        found = connection.execute("SELECT id FROM message WHERE message_id = ?", (predicate.message_id,)).fetchone()
        key = found[0] if found else -1
        conditions.append(f"{table}id BETWEEN ? AND ?")
        values += [key * 65536, key * 65536 + 65535]
    if predicate.sender is not None:
        conditions.append(match_sender(connection, predicate.sender, table))
    return " AND ".join(conditions) or "TRUE", values


def _recipient(row: Row) -> RecipientRow:
    message_id, position, account_id, key_id, local_part, domain, code, attempts, accepted_at, next_at, size, reply = (
        row
    )
    state = STATES[code]
    return RecipientRow(
        message_id=MessageId(message_id),
        position=position,
        account_id=AccountId(account_id),
        key_id=KeyId(key_id),
        mailbox=Mailbox(local_part=local_part, domain=domain),
        state=state,
        attempts=attempts,
        accepted_at=to_nearest_instant(accepted_at),
        next_attempt_at=to_nearest_instant(next_at) if state in _WAITING else None,
        size_octets=size,
        last_reply=reply,
    )


def _report(
    message_id: MessageId,
    row: Row | None,
    set_aside: Row | None,
    recipients: tuple[RecipientRow, ...],
    events: tuple[Event, ...],
) -> MessageReport | None:
    if row is None and set_aside is None and not events:
        return None
    try:
        envelope = decode_head(row[5])[1] if row else None
    except Unreadable:  # it will be set aside when it is read for delivery
        envelope = None
    account_id = row[1] if row else set_aside[0] if set_aside else events[0].account_id
    return MessageReport(
        id=message_id,
        account_id=AccountId(account_id),
        key_id=KeyId(row[2]) if row else events[0].key_id if events else None,
        accepted_at=to_nearest_instant(row[3]) if row else None,
        size_octets=row[4] if row else None,
        envelope=envelope,
        set_aside_reason=set_aside[1] if set_aside else "",
        recipients=recipients,
        events=events,
    )
