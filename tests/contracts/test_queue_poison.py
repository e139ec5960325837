"""A message that ends the process again and again is set aside after three times, and takes no other with it."""

import shutil
from datetime import timedelta

import pytest

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import Predicate, RecipientState

DELIVERED, QUEUED, HELD = RecipientState.DELIVERED, RecipientState.QUEUED, RecipientState.HELD


@pytest.fixture
async def crash(rig, make_rig):
    """End the process of a rig as a crash does, and start the next one over what it left."""
    rigs = [rig]

    async def crash(old):
        left = old.directory.with_name(f"{old.directory.name}-crash{len(rigs)}")
        shutil.copytree(old.directory, left)
        await old.queue.close()
        new = make_rig()
        new.directory, new.clock = left, old.clock
        rigs.append(new)
        await new.start()
        return new

    yield crash
    await rigs[-1].queue.close()


def rows(rig):
    with rig.reader as reader:
        return reader.list_recipients(Predicate(), limit=1000)


def events_of(rig, message):
    with rig.reader as reader:
        return reader.find_message(message.id).events


async def lease_all(rig):
    """Hand out all that is due, as delivery does after a start."""
    leases = []
    while rig.queue.stocked or any(row.state is QUEUED and row.next_attempt_at <= rig.clock.now() for row in rows(rig)):
        leases += await rig.lease()
    return leases


async def test_message_in_hand_at_three_crashes_is_held_with_a_reason_and_an_event(rig, crash):
    poison = await rig.accept("a@x.example", "b@x.example", "c@y.example")
    for _ in range(3):
        await rig.lease(room=lambda domain: 100 if domain == "x.example" else 0)
        rig = await crash(rig)
        rig.clock.advance(timedelta(minutes=11))

    held = [row for row in rows(rig) if row.state is HELD]

    assert [str(row.mailbox) for row in held] == ["a@x.example", "b@x.example"]
    assert "the worker ended 3 times" in held[0].last_reply
    (event,) = [one for one in events_of(rig, poison) if one.type is EventType.HELD and one.recipient.local_part == "a"]
    assert "the worker ended 3 times" in event.detail["reason"]
    assert ("queue_set_aside_after_crashes", {"shard": 0, "recipients": 2}) in rig.reports


async def test_released_it_is_tried_three_times_again(rig, crash):
    poison = await rig.accept("a@x.example")
    for _ in range(3):
        await rig.lease()
        rig = await crash(rig)
        rig.clock.advance(timedelta(minutes=11))
    states = []
    await rig.queue.release(Predicate(message_id=poison.id))

    for _ in range(3):
        await rig.lease()
        rig = await crash(rig)
        rig.clock.advance(timedelta(minutes=11))
        states.append([row.state for row in rows(rig)])

    assert states == [[QUEUED], [QUEUED], [HELD]]


async def test_after_the_second_crash_what_was_in_hand_is_tried_alone_before_all_else(rig, crash):
    for name in "abcd":
        await rig.accept(f"{name}@{name}.example")
    for _ in range(2):
        assert len(await lease_all(rig)) == 4
        rig = await crash(rig)
    await rig.accept("a@new.example")
    handed_out = []

    while rig.queue.handed_out == 0 and len(handed_out) < 5:
        leases = await rig.lease()
        handed_out.append([lease.domain for lease in leases])
        for lease in leases:
            await rig.settle(lease, DELIVERED)

    assert handed_out == [["a.example"], ["b.example"], ["c.example"], ["d.example"], ["new.example"]]


async def test_what_takes_long_alone_goes_on_beside_the_next_and_proves_nothing_against_it(rig, crash):
    await rig.accept("a@slow.example")
    guilty = await rig.accept("a@x.example")
    for _ in range(2):
        await lease_all(rig)
        rig = await crash(rig)

    (slow,) = await rig.lease()
    (last,) = await rig.lease()  # two seconds later
    rig = await crash(rig)

    assert (slow.domain, last.message.id) == ("slow.example", guilty.id)
    assert {row.mailbox.domain: row.state for row in rows(rig)} == {"slow.example": QUEUED, "x.example": HELD}


async def test_only_the_one_that_crashes_alone_is_held(rig, crash):
    messages = [await rig.accept(f"{name}@{name}.example") for name in "abcd"]
    for _ in range(2):
        assert len(await lease_all(rig)) == 4
        rig = await crash(rig)
    delivered = []
    while not any(row.state is HELD for row in rows(rig)):
        for lease in await lease_all(rig):
            if lease.message.id == messages[2].id:
                rig = await crash(rig)
            else:
                await rig.settle(lease, DELIVERED)
                delivered.append(lease.domain)
        rig.clock.advance(timedelta(seconds=2))
    while len(delivered) < 3:
        for lease in await lease_all(rig):
            await rig.settle(lease, DELIVERED)
            delivered.append(lease.domain)
        rig.clock.advance(timedelta(seconds=2))

    assert sorted(delivered) == ["a.example", "b.example", "d.example"]
    assert [(row.mailbox.domain, row.state) for row in rows(rig)] == [("c.example", HELD)]
    assert rig.books().difference == 0


async def test_attempt_that_came_to_an_end_between_crashes_clears_a_message(rig, crash):
    await rig.accept("a@x.example")
    for _ in range(2):
        await rig.lease()
        rig = await crash(rig)
        rig.clock.advance(timedelta(minutes=11))
    (lease,) = await rig.lease()
    await rig.settle(lease, QUEUED)
    rig.clock.advance(timedelta(hours=1))
    await rig.lease()

    rig = await crash(rig)

    assert [row.state for row in rows(rig)] == [QUEUED]


async def test_leases_that_were_only_in_stock_are_not_suspected(rig, crash):
    for _ in range(4):
        await rig.accept("a@x.example")
        assert rig.queue.stocked == 1
        rig = await crash(rig)
        for lease in await lease_all(rig):
            await rig.settle(lease, DELIVERED)

    assert rows(rig) == []


async def test_orderly_end_suspects_nobody(rig):
    await rig.accept("a@x.example")
    for _ in range(4):
        (lease,) = await rig.lease()
        await rig.settle(lease, QUEUED)
        await rig.restart()
        rig.clock.advance(timedelta(hours=1))

    assert [row.state for row in rows(rig)] == [QUEUED]


async def test_what_an_orderly_end_cuts_off_is_not_suspected(rig):
    await rig.accept("a@slow.example")
    await rig.accept("a@x.example")
    for _ in range(4):
        assert len(await lease_all(rig)) == 2
        await rig.restart()

    assert {row.state for row in rows(rig)} == {QUEUED}
    assert "queue_tries_suspects_alone" not in {event for event, _ in rig.reports}
