"""What a shard does that comes from a backup: it sends nothing of what it has queued until somebody says so."""

import asyncio

import pytest

from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.storage.queue_sqlite import restored


def mark(rig):
    path = rig.directory / f"shard-{rig.number}.restored"
    path.touch()
    return path


async def test_what_was_queued_or_under_way_is_held_with_an_event(rig):
    waiting, under_way = await rig.accept("a@x.example"), await rig.accept("b@y.example")
    await rig.lease_recipients(2)
    await rig.queue.close()
    path = mark(rig)

    await rig.start()

    assert rig.states() == {"a@x.example": RecipientState.HELD, "b@y.example": RecipientState.HELD}
    assert rig.story(waiting)[-1] == rig.story(under_way)[-1] == "held"
    assert rig.events(waiting)[-1].detail == {"reason": restored.REASON}
    assert ("queue_restored", {"shard": 0, "held": 2}) in rig.reports
    assert not path.exists()


async def test_nothing_of_it_is_handed_out_until_released_and_a_further_start_holds_nothing(rig):
    await rig.accept("a@x.example")
    await rig.queue.close()
    mark(rig)
    await rig.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await rig.queue.lease(limit=10, room=lambda _: 10)

    await rig.queue.release(Predicate(state=RecipientState.HELD))
    await rig.restart()

    (lease,) = await rig.lease_recipients(1)
    assert lease.recipients[0].mailbox.local_part == "a"


async def test_what_is_accepted_afterwards_is_not_held(rig):
    await rig.queue.close()
    mark(rig)
    await rig.start()

    await rig.accept("new@x.example")

    assert [lease.recipients[0].mailbox.local_part for lease in await rig.lease_recipients(1)] == ["new"]


async def test_what_an_operator_holds_keeps_its_reason_and_the_books_balance(rig):
    held = await rig.accept("a@x.example")
    await rig.accept("b@x.example")
    await rig.queue.hold(Predicate(message_id=held.id), reason="asked to")
    await rig.queue.close()
    mark(rig)

    await rig.start()

    assert [event.detail for event in rig.events(held) if event.type.value == "held"] == [{"reason": "asked to"}]
    assert (rig.books().held, rig.books().difference) == (2, 0)
