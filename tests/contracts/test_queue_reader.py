"""Looking into a shard from outside its process."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import Books, Predicate, RecipientState
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.storage.queue_sqlite.reader import QueueReader, add_books
from gatepost.storage.queue_sqlite.shard import list_shards

ALICE, BOB = AccountId("acc_alice"), AccountId("acc_bob")
DELIVERED, QUEUED, LEASED, HELD = (RecipientState(name) for name in ("delivered", "queued", "leased", "held"))

READ_BOOKS = """
import sys
from pathlib import Path
from gatepost.storage.queue_sqlite.reader import QueueReader
reader = QueueReader(Path(sys.argv[1]))
print([(one.account_id, one.accepted, one.difference) for one in reader.read_books()])
"""


def read_books_elsewhere(rig):
    return subprocess.run(
        [sys.executable, "-c", READ_BOOKS, rig.database],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


async def test_another_process_reads_while_the_worker_writes(rig):
    await rig.accept("a@x.example")
    reading = asyncio.create_task(asyncio.to_thread(read_books_elsewhere, rig))
    accepted = 1
    while not reading.done():
        await rig.accept("b@x.example")
        accepted += 1

    seen = await reading

    assert seen.startswith("[('acc_alice', ")
    assert seen.endswith(", 0)]")
    assert rig.books().accepted == accepted


async def test_another_process_reads_when_no_worker_runs(rig):
    await rig.accept("a@x.example")
    await rig.queue.close()

    assert await asyncio.to_thread(read_books_elsewhere, rig) == "[('acc_alice', 1, 0)]"
    await rig.start()
    assert len(await rig.lease()) == 1


async def test_a_reader_changes_nothing(rig):
    with rig.reader as reader, pytest.raises(Exception, match="readonly"):
        reader._connection.execute("DELETE FROM message")


@pytest.mark.parametrize("instant", [1 << 62, -(1 << 62)])
async def test_an_instant_that_no_clock_can_show_hides_nothing_else(rig, instant):
    broken = await rig.accept("a@x.example")
    await rig.accept("b@y.example")
    await rig.queue.close()
    with closing(sqlite3.connect(rig.database)) as connection, connection:
        connection.execute("UPDATE message SET accepted_at = ? WHERE message_id = ?", (instant, broken.id))
        connection.execute("UPDATE recipient SET next_attempt_at = ?", (instant,))
        connection.execute("UPDATE event SET at = ?", (instant,))

    with rig.reader as reader:
        rows = reader.list_recipients(Predicate(), limit=10)
        report = reader.find_message(broken.id)
        events = reader.list_events(after_id=0, limit=10)

    assert [row.mailbox.domain for row in rows] == ["x.example", "y.example"]
    assert report.accepted_at == rows[0].accepted_at == events[0][1].at
    assert report.accepted_at.year == (9999 if instant > 0 else 1)


def test_no_shard_is_said_to_be_none(tmp_path):
    with pytest.raises(Misconfigured, match="does not exist"):
        QueueReader(tmp_path / "shard-0.db")
    assert list_shards(tmp_path) == []


def test_shards_are_listed_by_number(tmp_path):
    for number in (10, 2, 0):
        (tmp_path / f"shard-{number}.db").touch()
    (tmp_path / "shard-0.lock").touch()

    assert [path.name for path in list_shards(tmp_path)] == ["shard-0.db", "shard-2.db", "shard-10.db"]


@pytest.fixture
async def filled(rig):
    """Three live recipients of Alice (queued, leased, held) and one of Bob; one of Alice's is delivered."""
    rig.stock = type(rig.stock)(leases=0)
    await rig.restart()
    rig.messages = {
        "leased": await rig.accept("leased@x.example", key="key-1"),
        "done": await rig.accept("done@x.example", key="key-1"),
    }
    leases = await rig.lease_recipients(2)
    done = next(lease for lease in leases if lease.message.id == rig.messages["done"].id)
    await rig.settle(done, DELIVERED)
    rig.messages["held"] = await rig.accept("held@y.example", key="key-2")
    await rig.queue.hold(Predicate(key_id=KeyId("key-2")), reason="revoked")
    rig.messages["queued"] = await rig.accept("queued@y.example", key="key-1")
    rig.messages["bob"] = await rig.accept("bob@x.example", account=BOB, key="key-3")
    return rig


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (lambda rig: Predicate(), ["leased", "held", "queued", "bob"]),
        (lambda rig: Predicate(account_id=ALICE), ["leased", "held", "queued"]),
        (lambda rig: Predicate(key_id=KeyId("key-1")), ["leased", "queued"]),
        (lambda rig: Predicate(domain="y.example"), ["held", "queued"]),
        (lambda rig: Predicate(state=HELD), ["held"]),
        (lambda rig: Predicate(state=DELIVERED), []),
        (lambda rig: Predicate(message_id=rig.messages["queued"].id), ["queued"]),
        (lambda rig: Predicate(message_id=MessageId("none")), []),
        (lambda rig: Predicate(account_id=BOB, domain="y.example"), []),
    ],
    ids=["all", "account", "key", "domain", "state", "final state", "message", "no message", "two conditions"],
)
async def test_a_predicate_chooses_recipients(filled, predicate, expected):
    chosen = predicate(filled)

    with filled.reader as reader:
        rows = reader.list_recipients(chosen, limit=100)
        assert reader.count_recipients(chosen) == len(expected)
        assert [row.mailbox.local_part for row in reader.list_recipients(chosen, limit=1)] == expected[:1]

    assert [row.mailbox.local_part for row in rows] == expected


async def test_a_row_says_what_an_operator_needs(filled):
    with filled.reader as reader:
        (row,) = reader.list_recipients(Predicate(state=QUEUED, account_id=ALICE), limit=10)

    message = filled.messages["queued"]
    assert (row.message_id, row.position, row.account_id, row.key_id) == (message.id, 0, ALICE, message.key_id)
    assert (row.mailbox, row.state, row.attempts) == (message.envelope.forward_paths[0], QUEUED, 0)
    assert row.accepted_at == row.next_attempt_at == message.accepted_at
    assert (row.size_octets, row.last_reply) == (message.content.size_octets, "")


async def test_a_summary_counts_by_account_and_state(filled):
    with filled.reader as reader:
        counts = {(one.account_id, one.state): one.recipients for one in reader.summarize()}

    assert counts == {(ALICE, QUEUED): 1, (ALICE, LEASED): 1, (ALICE, HELD): 1, (BOB, QUEUED): 1}


async def test_books_of_every_account(filled):
    with filled.reader as reader:
        alice, bob = reader.read_books()

    assert alice == Books(account_id=ALICE, accepted=4, delivered=1, bounced=0, dropped=0, expired=0, queued=2, held=1)
    assert (bob.account_id, bob.accepted, bob.queued, bob.difference) == (BOB, 1, 1, 0)


async def test_a_lost_row_shows_in_the_books(filled):
    await filled.queue.close()
    connection = sqlite3.connect(filled.database)
    with connection:
        connection.execute("DELETE FROM recipient WHERE local_part = 'queued'")
    connection.close()

    assert filled.books(ALICE).difference == 1


def test_books_of_several_shards_add_up():
    one = Books(account_id=ALICE, accepted=7, delivered=1, bounced=1, dropped=1, expired=1, queued=2, held=1)
    other = Books(account_id=BOB, accepted=1, delivered=0, bounced=0, dropped=0, expired=0, queued=1, held=0)

    assert add_books([one, other, one]) == [
        Books(account_id=ALICE, accepted=14, delivered=2, bounced=2, dropped=2, expired=2, queued=4, held=2),
        other,
    ]


async def test_a_message_that_has_left_is_told_by_its_events(filled):
    done = filled.messages["done"]

    with filled.reader as reader:
        report = reader.find_message(done.id)
        nothing = reader.find_message(MessageId("none"))

    assert nothing is None
    assert (report.id, report.account_id, report.key_id) == (done.id, ALICE, done.key_id)
    assert (report.accepted_at, report.envelope, report.recipients) == (None, None, ())
    assert [event.type for event in report.events] == [EventType.PROCESSED, EventType.DELIVERED]


async def test_a_follower_sees_every_event_once(filled):
    seen = []
    with filled.reader as reader:
        while events := reader.list_events(after_id=seen[-1][0] if seen else 0, limit=2):
            seen += events
        newest = reader.last_event_id()

    assert [event.type.value for _, event in seen] == [
        "processed", "processed", "delivered", "processed", "held", "processed", "processed"
    ]  # fmt: skip
    assert seen[-1][0] == newest
    assert sorted({number for number, _ in seen}) == [number for number, _ in seen]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"types": [EventType.HELD, EventType.DELIVERED]}, ["delivered", "held"]),
        ({"predicate": Predicate(account_id=BOB)}, ["processed"]),
        ({"predicate": Predicate(key_id=KeyId("key-2"))}, ["processed", "held"]),
        ({"predicate": Predicate(domain="y.example"), "types": [EventType.PROCESSED]}, ["processed", "processed"]),
    ],
    ids=["types", "account", "key", "domain and type"],
)
async def test_a_follower_may_choose(filled, choice, expected):
    with filled.reader as reader:
        events = reader.list_events(after_id=0, limit=100, **choice)

    assert [event.type.value for _, event in events] == expected


async def test_a_follower_of_one_message_sees_its_story(filled):
    with filled.reader as reader:
        events = reader.list_events(
            after_id=0, limit=100, predicate=Predicate(message_id=filled.messages["held"].id, state=HELD)
        )

    assert [event.type.value for _, event in events] == ["processed", "held"]


async def test_events_are_told_at_their_own_time(filled):
    filled.clock.advance(timedelta(hours=1))
    await filled.queue.release(Predicate(account_id=ALICE))

    with filled.reader as reader:
        ((_, event),) = reader.list_events(after_id=0, limit=10, types=[EventType.RELEASED])

    assert event.at == filled.clock.now()
