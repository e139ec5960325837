"""The SQL of ``accept``: message, recipients, ``processed`` events, books."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.queue.recipient import Lease, LeasedRecipient, QueuedMessage, RecipientState
from gatepost.storage.queue_sqlite.bulk import insert_rows
from gatepost.storage.queue_sqlite.codec import (
    EVENT_COLUMNS,
    MESSAGE_COLUMNS,
    Row,
    encode_options,
    names_of,
    to_milliseconds,
)
from gatepost.storage.queue_sqlite.jobs import AcceptJob, LeaseRecord
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS, STATE_CODES

MAX_LEASE_RECIPIENTS: Final = 100
"""Every server takes this many recipients in one transaction (RFC 5321 §4.5.3.1.8)."""

_MESSAGE: Final = f"message ({MESSAGE_COLUMNS}, processed_detail)"
_RECIPIENT: Final = (
    "recipient (id, state, account_id, key_id, local_part, domain, next_attempt_at, attempts, author, reverse_path)"
)

_PROCESSED: Final = f"""
    INSERT INTO event ({EVENT_COLUMNS})
    SELECT accepted_at, 'processed', r.account_id, r.key_id, message_id, local_part, domain, processed_detail
    FROM message AS m CROSS JOIN recipient AS r ON r.id BETWEEN m.id * 65536 AND m.id * 65536 + 65535
    WHERE m.id BETWEEN ? AND ?
"""  # noqa: S608 - constants

_COUNT_ACCEPTED: Final = """
    INSERT INTO books (account_id, accepted) VALUES (?, ?)
    ON CONFLICT (account_id) DO UPDATE SET accepted = accepted + excluded.accepted
"""

_OPTIONS: Final = "message_options (message_id, accepted_at, options)"
_SCHEDULE: Final = "schedule (message_key, account_id, batch_id, due_at)"

# The values of a statement stay allocated until it is used again; large ones go through the one-row statement.
_MAX_BATCHED_OCTETS: Final = 1 << 15

_QUEUED = STATE_CODES[RecipientState.QUEUED]
_LEASED = STATE_CODES[RecipientState.LEASED]
_SCHEDULED = STATE_CODES[RecipientState.SCHEDULED]


def accept_messages(connection: sqlite3.Connection, jobs: Sequence[AcceptJob], first_key: int) -> int:
    """Insert the (encoded) messages of all jobs under keys from ``first_key`` on; return the next free key."""
    small: list[Row] = []
    recipients: list[Row] = []
    with_options: list[tuple[int, QueuedMessage, SendingOptions]] = []
    accepted: Counter[str] = Counter()
    key = first_key
    for job in jobs:
        row = (key, *job.encoded)
        if row[5] <= _MAX_BATCHED_OCTETS:
            small.append(row)
        else:
            insert_rows(connection, _MESSAGE, [row])
        recipients += _recipient_rows(key, row[4], job)
        job.records = lease_at_once(key, job.message, job.leased_domains)
        accepted[job.message.account_id] += len(job.message.envelope.forward_paths)
        if job.message.options is not None:
            with_options.append((key, job.message, job.message.options))
        key += 1
    insert_rows(connection, _MESSAGE, small)
    insert_rows(connection, _RECIPIENT, recipients)
    connection.execute(_PROCESSED, (first_key, key - 1))
    connection.executemany(_COUNT_ACCEPTED, accepted.items())
    if with_options:
        _insert_options(connection, with_options)
    return key


def _insert_options(
    connection: sqlite3.Connection, messages: Sequence[tuple[int, QueuedMessage, SendingOptions]]
) -> None:
    rows = [
        (message.id, to_milliseconds(message.accepted_at), encode_options(options)) for _, message, options in messages
    ]
    insert_rows(connection, _OPTIONS, rows)
    scheduled = [
        (key, message.account_id, options.batch_id, to_milliseconds(message.due_at))
        for key, message, options in messages
        if message.is_scheduled
    ]
    insert_rows(connection, _SCHEDULE, scheduled)


def lease_at_once(key: int, message: QueuedMessage, domains: Sequence[str]) -> list[LeaseRecord]:
    """Return the leases of a message's recipients at ``domains``, none of them attempted before."""
    records: list[LeaseRecord] = []
    for domain in domains:
        recipients = [
            LeasedRecipient(position=position, mailbox=mailbox, attempts=0)
            for position, mailbox in enumerate(message.envelope.forward_paths)
            if mailbox.domain == domain
        ]
        for start in range(0, len(recipients), MAX_LEASE_RECIPIENTS):
            part = tuple(recipients[start : start + MAX_LEASE_RECIPIENTS])
            records.append(LeaseRecord(Lease(message=message, domain=domain, recipients=part), key))
    return records


def _recipient_rows(key: int, accepted_at: int, job: AcceptJob) -> list[Row]:
    message, leased = job.message, job.leased_domains
    first = key * MAX_RECIPIENTS
    author, reverse_path = names_of(message)
    waiting, due_at = (_SCHEDULED, to_milliseconds(message.due_at)) if message.is_scheduled else (_QUEUED, accepted_at)
    return [
        (
            first + position, _LEASED if mailbox.domain in leased else waiting, message.account_id, message.key_id,
            mailbox.local_part, mailbox.domain, due_at, 1 if mailbox.domain in leased else 0,
            author, reverse_path,
        )
        for position, mailbox in enumerate(message.envelope.forward_paths)
    ]  # fmt: skip
