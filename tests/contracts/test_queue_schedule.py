"""Scheduled mail, its batches and its options in the queue, on every engine."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.mailflow.queue.ports import StoreUnavailable
from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.mailflow.queue.start import start_due
from gatepost.primitives.ids import AccountId, KeyId

ALICE = AccountId("acc_alice")
QUEUED, LEASED, HELD = RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD
SCHEDULED = RecipientState.SCHEDULED
HOUR = timedelta(hours=1)


class Statuses:
    """What was decided, by batch."""

    def __init__(self, **statuses):
        self.statuses = statuses

    def find_status(self, account_id, batch_id):
        assert account_id == ALICE
        return self.statuses.get(batch_id)


def at(rig, after=HOUR, **more):
    return SendingOptions(send_at=rig.clock.now() + after, **more)


async def start(rig, **statuses):
    return await start_due(rig.queue, Statuses(**statuses), rig.clock.now())


async def test_mail_for_later_is_on_stable_storage_at_once_and_handed_out_when_its_time_comes(rig):
    message = await rig.accept("a@x.example", "b@y.example", options=at(rig))

    assert set(rig.states().values()) == {SCHEDULED}
    assert (rig.books().accepted, rig.books().queued, rig.books().difference) == (2, 2, 0)
    assert await start(rig) == 0
    rig.clock.advance(HOUR - timedelta(seconds=1))
    assert await start(rig) == 0
    rig.clock.advance(timedelta(seconds=1))
    assert await start(rig) == 2
    leases = await rig.lease_recipients(2)
    assert {lease.message for lease in leases} == {message}
    assert [recipient.attempts for lease in leases for recipient in lease.recipients] == [0, 0]


async def test_mail_for_later_than_any_retry_is_not_taken_for_a_clock_set_back(rig):
    await rig.accept("later@x.example", options=at(rig, timedelta(hours=72)))
    await rig.accept("now@x.example")

    (lease,) = await rig.lease()
    await rig.settle(lease, RecipientState.DELIVERED)
    rig.clock.advance(timedelta(hours=71))

    assert await start(rig) == 0
    assert rig.states() == {"later@x.example": SCHEDULED}


async def test_a_restart_keeps_the_time(rig):
    await rig.accept("a@x.example", options=at(rig))

    await rig.restart()

    assert rig.queue.next_start_at == rig.clock.now() + HOUR
    rig.clock.advance(HOUR)
    assert await start(rig) == 1
    assert len(await rig.lease()) == 1


async def test_when_it_is_due_is_shown(rig):
    await rig.accept("a@x.example", options=at(rig))

    with rig.reader as reader:
        (row,) = reader.list_recipients(Predicate(state=SCHEDULED), limit=10)
    assert (row.state, row.next_attempt_at) == (SCHEDULED, rig.clock.now() + HOUR)


async def test_a_send_at_that_has_passed_means_now(rig):
    await rig.accept("a@x.example", options=at(rig, -HOUR))

    assert len(await rig.lease()) == 1


# ---------------------------------------------------------------- batches


async def test_a_cancelled_batch_is_dropped_when_its_time_comes_and_told_of(rig):
    cancelled = await rig.accept("a@x.example", options=at(rig, batch_id="one"))
    await rig.accept("b@x.example", options=at(rig, batch_id="two"))
    rig.clock.advance(HOUR)

    assert await start(rig, one=BatchStatus.CANCELLED) == 2

    assert rig.story(cancelled) == ["processed", "dropped"]
    assert rig.events(cancelled)[-1].detail == {"reason": "its batch was cancelled"}
    (lease,) = await rig.lease()
    assert str(lease.recipients[0].mailbox) == "b@x.example"
    assert (rig.books().dropped, rig.books().difference) == (1, 0)


async def test_a_batch_that_was_cancelled_before_its_mail_came_is_dropped_though_it_is_for_now(rig):
    message = await rig.accept("a@x.example", options=SendingOptions(batch_id="one"))

    assert rig.states() == {"a@x.example": SCHEDULED}
    assert await start(rig, one=BatchStatus.CANCELLED) == 1
    assert rig.story(message) == ["processed", "dropped"]


async def test_a_paused_batch_waits_until_it_is_not_paused_any_more(rig):
    await rig.accept("a@x.example", options=at(rig, batch_id="one"))
    rig.clock.advance(HOUR)

    assert await start(rig, one=BatchStatus.PAUSED) == 0
    assert rig.states() == {"a@x.example": SCHEDULED}
    assert rig.queue.next_start_at == rig.clock.now() + timedelta(seconds=5)
    rig.clock.advance(timedelta(seconds=5))
    assert await start(rig) == 1
    assert len(await rig.lease()) == 1


async def test_a_batch_that_stays_paused_for_72_hours_after_its_time_is_dropped(rig):
    message = await rig.accept("a@x.example", options=at(rig, batch_id="one"))
    rig.clock.advance(HOUR + timedelta(hours=72) - timedelta(seconds=1))

    assert await start(rig, one=BatchStatus.PAUSED) == 0
    rig.clock.advance(timedelta(seconds=10))
    assert await start(rig, one=BatchStatus.PAUSED) == 1
    assert rig.events(message)[-1].detail == {"reason": "its batch stayed paused for too long"}
    assert rig.books().difference == 0


async def test_a_large_batch_is_begun_in_several_transactions(rig):
    await rig.queue.accept_all([rig.message(f"u{n}@x.example", options=at(rig)) for n in range(450)])
    groups = rig.queue.counters.groups
    rig.clock.advance(HOUR)

    assert await start(rig) == 450
    assert rig.queue.counters.groups >= groups + 3
    assert len(await rig.lease_recipients(450)) == 450


# ---------------------------------------------------------------- beside hold, release and remove


async def test_mail_held_before_its_time_waits_for_it_again_once_released(rig):
    message = await rig.accept("a@x.example", options=at(rig))

    assert await rig.queue.hold(Predicate(account_id=ALICE), reason="key revoked") == 1
    assert rig.states() == {"a@x.example": HELD}
    assert await rig.queue.release(Predicate(account_id=ALICE)) == 1

    assert rig.states() == {"a@x.example": SCHEDULED}
    rig.clock.advance(HOUR)
    assert await start(rig) == 1
    assert rig.story(message) == ["processed", "held", "released"]
    assert len(await rig.lease()) == 1


async def test_mail_on_hold_when_its_time_comes_stays_so_and_is_due_at_its_release(rig):
    await rig.accept("a@x.example", options=at(rig))
    await rig.queue.hold(Predicate(account_id=ALICE), reason="key revoked")
    rig.clock.advance(HOUR)

    assert await start(rig) == 0
    assert rig.states() == {"a@x.example": HELD}
    await rig.queue.release(Predicate(account_id=ALICE))
    assert len(await rig.lease()) == 1


async def test_scheduled_mail_can_be_removed_and_leaves_nothing(rig):
    await rig.accept("a@x.example", options=at(rig))

    assert await rig.queue.remove(Predicate(account_id=ALICE), reason="operator") == 1

    assert rig.states() == {}
    with closing(sqlite3.connect(rig.database)) as database:
        assert database.execute("SELECT count(*) FROM schedule").fetchone() == (0,)
    assert rig.books().difference == 0


# ---------------------------------------------------------------- options


async def test_options_are_with_the_lease_and_with_every_event_after_the_message_is_gone(rig):
    options = SendingOptions(
        categories=("a", "b"), custom_args=(("order", "1"),), tracking='{"open":{}}', bypasses=("spam",)
    )
    message = await rig.accept("a@x.example", options=options)
    (lease,) = await rig.lease()

    await rig.settle(lease, RecipientState.DELIVERED)

    assert lease.message.options == options
    assert [event.options for event in rig.events(message)] == [options, options]


async def test_options_survive_a_restart_with_the_message(rig):
    options = SendingOptions(categories=("a",), is_single_category=True)
    await rig.accept("a@x.example", options=options)

    await rig.restart()

    (lease,) = await rig.lease()
    assert lease.message.options == options


async def test_options_are_forgotten_with_the_last_event_and_not_before(rig):
    message = await rig.accept("a@x.example", options=SendingOptions(categories=("a",)))
    rig.clock.advance(HOUR)
    (lease,) = await rig.lease()
    await rig.settle(lease, RecipientState.DELIVERED)

    await rig.queue.prune_events(rig.clock.now())
    assert [event.options for event in rig.events(message)] == [message.options]
    await rig.queue.prune_events(rig.clock.now() + HOUR)

    with closing(sqlite3.connect(rig.database)) as database:
        assert database.execute("SELECT count(*) FROM message_options").fetchone() == (0,)


# ---------------------------------------------------------------- requests


def record(rig, message, token="t"):
    return RequestRecord(
        account_id=ALICE,
        key_id=KeyId("key-1"),
        token=token,
        fingerprint=b"f" * 32,
        message_id=message.id,
        at=rig.clock.now(),
    )


def requests(rig):
    with closing(sqlite3.connect(rig.database)) as database:
        return database.execute("SELECT token, message_id FROM request").fetchall()


async def test_the_record_of_a_request_is_in_the_transaction_of_its_messages(rig):
    message = rig.message("a@x.example")

    await rig.queue.accept_all([message], record=record(rig, message))

    assert requests(rig) == [("t", message.id)]


async def test_a_request_whose_messages_are_refused_leaves_no_record(rig):
    message = await rig.accept("a@x.example")
    twin = replace(rig.message("b@x.example"), id=message.id)

    results = await asyncio.gather(rig.queue.accept_all([twin], record=record(rig, twin)), return_exceptions=True)

    assert isinstance(results[0], Exception)
    assert requests(rig) == []


async def test_records_are_forgotten(rig):
    message = rig.message("a@x.example")
    await rig.queue.accept_all([message], record=record(rig, message))

    await rig.queue.prune_requests(rig.clock.now())
    assert len(requests(rig)) == 1
    await rig.queue.prune_requests(rig.clock.now() + timedelta(milliseconds=1))

    assert requests(rig) == []


async def test_what_is_due_cannot_be_asked_of_a_queue_that_is_closed(rig):
    await rig.accept("a@x.example", options=at(rig))
    rig.clock.advance(HOUR)
    await rig.queue.close()

    with pytest.raises(StoreUnavailable):
        await start(rig)
    assert rig.queue.next_start_at == rig.clock.now() - timedelta(0)


async def test_a_shard_of_version_1_is_brought_up_to_date_when_it_is_opened(rig):
    message = await rig.accept("a@x.example")
    await rig.queue.close()
    with closing(sqlite3.connect(rig.database)) as database:
        database.executescript(
            "DROP TABLE message_options; DROP TABLE schedule; DROP TABLE request;"
            "ALTER TABLE recipient DROP COLUMN author; ALTER TABLE recipient DROP COLUMN reverse_path;"
            "PRAGMA user_version=1;"
        )

    await rig.start()

    (lease,) = await rig.lease()
    assert lease.message == message
    await rig.accept("b@x.example", options=at(rig))
    assert rig.states()["b@x.example"] is SCHEDULED
