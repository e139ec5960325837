import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import (
    Act,
    Actor,
    ActorKind,
    AuditEntry,
    AuditEvent,
    UnreadableRecord,
    parse_entry,
    serialize_entry,
)

texts = st.text(max_size=30)  # lone surrogates, NUL and line ends among them
snapshots = st.none() | st.dictionaries(texts, st.none() | texts | st.lists(texts, max_size=3), max_size=3)
events = st.builds(
    AuditEvent,
    account_id=texts.map(AccountId),
    at=st.datetimes(timezones=st.just(UTC)),
    act=st.sampled_from(Act),
    actor=st.builds(Actor, kind=st.sampled_from(ActorKind), id=texts, origin=texts, credential=texts),
    subject=texts,
    before=snapshots,
    after=snapshots,
)
entries = st.builds(
    AuditEntry, event=events, sequence=st.integers(1, 2**63), previous=st.binary(min_size=32, max_size=32)
)


def test_a_record_is_spelled_as_its_version_says(event: Callable[..., AuditEvent]) -> None:
    record = serialize_entry(AuditEntry(event=event(subject="domain/bücher"), sequence=7, previous=bytes(32)))

    assert record == (
        b'{"account":"acc_acme","act":"key_narrowed","actor":{"credential":"uid 0","id":"root","kind":"operator",'
        b'"origin":"/dev/pts/1"},"after":{"expires_at":null,"scopes":["mail.send"]},'
        b'"at":"2026-03-01T12:30:00.000005Z","before":{"expires_at":null,"scopes":["mail.send","stats.read"]},'
        b'"previous":"' + b"0" * 64 + b'","sequence":7,"subject":"domain/b\\u00fccher","v":1}'
    )


@given(entries)
def test_what_is_written_is_read_again(entry: AuditEntry) -> None:
    assert parse_entry(serialize_entry(entry)) == entry


@given(entries, entries)
def test_no_two_entries_have_one_spelling(one: AuditEntry, other: AuditEntry) -> None:
    assert (serialize_entry(one) == serialize_entry(other)) == (one == other)


@given(entries)
def test_the_order_of_properties_does_not_matter(entry: AuditEntry) -> None:
    before = entry.event.before
    turned = None if before is None else dict(reversed(before.items()))
    event = AuditEvent(
        **{name: getattr(entry.event, name) for name in AuditEvent.__slots__ if name != "before"}, before=turned
    )

    other = AuditEntry(event=event, sequence=entry.sequence, previous=entry.previous)

    assert serialize_entry(other) == serialize_entry(entry)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_garbage_is_unreadable_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        parse_entry(garbage)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":1,"w":0'),
        (b"key_narrowed", b"key_painted"),
        (b'"operator"', b'"nobody"'),
        (b'{"account"', b'{ "account"'),
        (b'"root"', b'"\\u0072oot"'),
        (b'"uid 0"', b"0"),
        (b'"credential":"uid 0",', b""),
        (b'"sequence":7', b'"sequence":"7"'),
        (b'"sequence":7', b'"sequence":7,"sequence":7'),
        (b"00Z", b"00+01:00"),
    ],
)
def test_any_other_spelling_is_unreadable(event: Callable[..., AuditEvent], old: bytes, new: bytes) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    record = serialize_entry(AuditEntry(event=event(at=at), sequence=7, previous=bytes(32)))
    assert old in record

    with pytest.raises(UnreadableRecord):
        parse_entry(record.replace(old, new))


@pytest.mark.parametrize("depth", [100_000], ids=["deep"])
def test_nesting_does_not_exhaust_the_stack(depth: int) -> None:
    with pytest.raises(UnreadableRecord):
        parse_entry(b'{"before":' * depth)


def test_an_instant_that_is_not_in_utc_is_a_bug(event: Callable[..., AuditEvent]) -> None:
    at = datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=1)))

    with pytest.raises(ValueError, match="not in UTC"):
        serialize_entry(AuditEntry(event=event(at=at), sequence=1, previous=bytes(32)))


def test_a_record_is_json_that_others_read_too(event: Callable[..., AuditEvent]) -> None:
    read = json.loads(serialize_entry(AuditEntry(event=event(), sequence=1, previous=bytes(32))))

    assert (read["act"], read["actor"]["id"], read["after"]["scopes"]) == ("key_narrowed", "root", ["mail.send"])
