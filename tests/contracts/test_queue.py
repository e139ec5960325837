"""The contract of the Queue port, sentence by sentence, on every engine."""

import asyncio
import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.queue.recipient import Lease, Predicate, RecipientState
from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.storage.queue_sqlite.jobs import BarrierJob, StopJob

ALICE, BOB = AccountId("acc_alice"), AccountId("acc_bob")
QUEUED, LEASED, HELD = RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD
DELIVERED, BOUNCED = RecipientState.DELIVERED, RecipientState.BOUNCED
DROPPED, EXPIRED = RecipientState.DROPPED, RecipientState.EXPIRED


def no_room(_):
    return 0


async def nothing_is_handed_out(rig, room=lambda _: 1000):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            raise AssertionError(f"handed out: {await rig.lease(room=room)}")
    return True


# ---------------------------------------------------------------- accept


async def test_accept_stores_content_recipients_and_an_event_each(rig):
    message = await rig.accept("a@x.example", "b@y.example", content=b"Subject: s\r\n\r\nbody\r\n")

    with rig.reader as reader:
        report = reader.find_message(message.id)
    assert report.envelope == message.envelope
    assert [event.detail for event in report.events] == 2 * [
        {
            "author": str(message.author),
            "reverse_path": f"<{message.envelope.reverse_path}>",
            "size_octets": "20",
            "client": message.origin.peer_address,
            "greeting": message.origin.greeting,
            "protocol": message.origin.protocol,
            "tls": message.origin.tls,
        }
    ]
    assert report.size_octets == 20
    assert [str(row.mailbox.domain) for row in report.recipients] == ["x.example", "y.example"]
    assert [(event.type.value, event.recipient, event.at) for event in report.events] == [
        ("processed", message.envelope.forward_paths[0], message.accepted_at),
        ("processed", message.envelope.forward_paths[1], message.accepted_at),
    ]
    assert rig.books().accepted == 2


async def test_what_accept_has_returned_for_is_there_after_a_restart(rig):
    message = await rig.accept("a@x.example", "b@x.example", content=b"octets \x00\xff")

    await rig.restart()

    (lease,) = await rig.lease()
    assert lease.message.content.head() == b"octets \x00\xff"
    assert lease.message == message
    assert [recipient.mailbox for recipient in lease.recipients] == list(message.envelope.forward_paths)


async def test_concurrent_accepts_share_a_commit(rig):
    messages = [rig.message(f"u{number}@x.example") for number in range(100)]

    await asyncio.gather(*[rig.queue.accept(message) for message in messages])

    assert rig.queue.counters.accepted_messages == 100
    assert rig.queue.counters.groups <= 10
    assert rig.books().accepted == 100


async def test_a_message_that_cannot_be_stored_fails_alone(rig):
    first = await rig.accept("a@x.example")
    twin = rig.message("b@x.example")
    twin = type(first)(**{name: getattr(twin, name) for name in twin.__slots__} | {"id": first.id})
    others = [rig.message(f"u{number}@x.example") for number in range(20)]

    results = await asyncio.gather(
        *[rig.queue.accept(message) for message in [*others[:10], twin, *others[10:]]], return_exceptions=True
    )

    assert isinstance(results.pop(10), Permanent)
    assert results == [None] * 20
    assert rig.books().accepted == 21
    assert rig.books().difference == 0


async def test_a_message_that_cannot_be_encoded_fails_before_the_transaction(rig):
    others = [rig.message(f"{number}@x.example") for number in range(10)]

    results = await asyncio.gather(
        *[rig.queue.accept(message) for message in [*others, rig.message("no\udcfftext@x.example")]],
        return_exceptions=True,
    )

    assert isinstance(results.pop(), Permanent)
    assert results == [None] * 10
    assert rig.queue.counters.failed_groups == 0


async def test_words_of_a_peer_that_are_no_text_do_not_keep_a_lease_from_being_settled(rig):
    message = await rig.accept("a@x.example", "b@x.example")
    (lease,) = await rig.lease()

    await rig.settle(lease, BOUNCED, QUEUED, reply="550 \udcff \x00 no")

    assert rig.events(message)[-1].detail == {"reply": "550 ? \x00 no"}
    assert rig.states() == {"b@x.example": QUEUED}


async def test_a_message_without_recipients_is_refused(rig):
    message = rig.message("a@x.example")
    empty = type(message.envelope)(reverse_path=None, forward_paths=())

    with pytest.raises(Permanent):
        await rig.queue.accept(
            type(message)(**{name: getattr(message, name) for name in message.__slots__} | {"envelope": empty})
        )


async def test_a_null_reverse_path_and_flags_survive(rig):
    message = rig.message("a@x.example")
    envelope = type(message.envelope)(
        reverse_path=None, forward_paths=message.envelope.forward_paths, needs_8bitmime=True, needs_smtputf8=True
    )
    message = type(message)(**{name: getattr(message, name) for name in message.__slots__} | {"envelope": envelope})
    await rig.queue.accept(message)
    await rig.restart()

    (lease,) = await rig.lease()

    assert lease.message.envelope == envelope


async def test_no_room_is_answered_with_no_room_and_taken_again_later(rig):
    connection = rig.queue._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 20}")
    big = b"x" * 100_000

    accepted, refusal = await rig.accept_until_refused(big)

    assert refusal.trouble is StoreTrouble.NO_ROOM
    assert accepted == rig.books().accepted > 0
    assert not rig.queue.is_suspect
    for lease in await rig.lease_recipients(accepted):
        await rig.settle(lease, DELIVERED)
    await rig.accept("a@x.example", content=big)
    assert rig.books().accepted == accepted + 1
    assert rig.books().difference == 0


async def test_settlements_in_a_group_with_no_room_are_still_written(rig):
    await rig.accept("a@x.example", content=b"x" * 100_000)
    (lease,) = await rig.lease()
    connection = rig.queue._writer._connection
    connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0] + 1}")

    refused, settled = await asyncio.gather(
        rig.queue.accept(rig.message("a@x.example", content=b"x" * 200_000)),
        rig.settle(lease, DELIVERED),
        return_exceptions=True,
    )

    assert isinstance(refused, StoreUnavailable)
    assert settled is None
    assert rig.books().delivered == 1


async def test_a_caller_that_gives_up_waiting_does_not_undo_the_commit(rig):
    task = asyncio.create_task(rig.accept("a@x.example"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.queue.barrier()

    (lease,) = await rig.lease()

    assert rig.books().accepted == 1
    await rig.settle(lease, DELIVERED)
    assert rig.books().difference == 0


# ---------------------------------------------------------------- lease


async def test_lease_waits_until_there_is_something(rig):
    waiting = asyncio.create_task(rig.lease())
    await asyncio.sleep(0.01)
    assert not waiting.done()

    message = await rig.accept("a@x.example")

    (lease,) = await waiting
    assert lease.message == message
    assert lease.recipients[0].attempts == 0


async def test_an_attempt_is_written_down_before_its_lease_is_handed_out(rig):
    await rig.accept("a@x.example")

    await rig.lease()

    with rig.reader as reader:
        (row,) = reader.list_recipients(Predicate(account_id=ALICE), limit=10)
    assert (row.state, row.attempts) == (LEASED, 1)


async def test_a_lease_is_for_one_destination_of_one_message(rig):
    await rig.accept("a@x.example", "b@y.example", "c@x.example")
    await rig.accept("d@x.example")

    leases = await rig.lease_recipients(4)

    found = sorted((lease.domain, tuple(one.mailbox.local_part for one in lease.recipients)) for lease in leases)
    assert found == [("x.example", ("a", "c")), ("x.example", ("d",)), ("y.example", ("b",))]


async def test_what_is_handed_out_is_not_handed_out_again(rig):
    await rig.accept("a@x.example")
    await rig.lease()

    assert await nothing_is_handed_out(rig)


async def test_room_is_never_exceeded(rig):
    for number in range(7):
        await rig.accept(f"{number}@x.example", f"{number}b@x.example")

    leases = await rig.lease(room=lambda _: 5)

    assert 4 <= sum(len(lease.recipients) for lease in leases) <= 5


async def test_without_room_nothing_is_handed_out_until_woken(rig):
    room = {"x.example": 0}
    await rig.accept("a@x.example")
    waiting = asyncio.create_task(rig.lease(room=lambda domain: room[domain]))
    await asyncio.sleep(0.02)
    assert not waiting.done()

    room["x.example"] = 1
    rig.queue.wake()

    assert len(await waiting) == 1


async def test_a_destination_without_room_does_not_delay_another(rig):
    for number in range(50):
        await rig.accept(f"{number}@dead.example")
    message = await rig.accept("a@alive.example")

    (lease,) = await rig.lease(room=lambda domain: 0 if domain == "dead.example" else 10)

    assert lease.message == message


async def test_limit_is_kept(rig):
    for number in range(9):
        await rig.accept(f"{number}@x{number % 3}.example")

    leases = await rig.lease(limit=4)

    assert len(leases) == 4


async def test_accounts_take_turns_whatever_they_have_waiting(rig):
    rig.stock = type(rig.stock)(leases=0)
    await rig.restart()
    for number in range(60):
        await rig.accept(f"{number}@x.example", account=ALICE)
    await rig.accept("only@y.example", account=BOB)
    await rig.accept("only@x.example", account=BOB)

    leases: list[Lease] = []
    while len(leases) < 12:
        leases += await rig.lease(limit=6)

    assert Counter(lease.message.account_id for lease in leases[:12])[BOB] == 2


async def test_more_than_the_stock_holds_is_read_back_from_the_store(rig):
    rig.stock = type(rig.stock)(leases=3, lane_leases=2)
    await rig.restart()
    messages = [await rig.accept(f"{number}@x{number % 2}.example", "both@x1.example") for number in range(20)]

    leases = await rig.lease_recipients(40)

    found = Counter((lease.message.id, one.position) for lease in leases for one in lease.recipients)
    assert found == Counter((message.id, position) for message in messages for position in range(2))


async def test_more_recipients_than_a_server_must_take_come_in_several_leases(rig):
    await rig.accept(*[f"{number}@x.example" for number in range(250)])

    leases = await rig.lease_recipients(250)

    assert sorted(len(lease.recipients) for lease in leases) == [50, 100, 100]


async def test_a_cancelled_lease_call_loses_nothing(rig):
    rig.stock = type(rig.stock)(leases=0)
    await rig.restart()
    found = 0
    for attempt in range(5):
        await rig.accept(f"{attempt}@x.example")
        task = asyncio.create_task(rig.lease())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        found += 0 if isinstance(result, asyncio.CancelledError) else len(result)

    leases = await rig.lease_recipients(5 - found)

    assert found + len(leases) == 5


async def test_stock_that_finds_no_room_goes_back_and_counts_no_attempt(rig):
    await rig.accept("a@x.example")
    assert await nothing_is_handed_out(rig, no_room)
    rig.clock.advance(timedelta(seconds=6))
    assert await nothing_is_handed_out(rig, no_room)

    await rig.queue.barrier()
    assert rig.states() == {"a@x.example": QUEUED}

    (lease,) = await rig.lease()
    assert lease.recipients[0].attempts == 0


async def test_not_before_it_is_due(rig):
    await rig.accept("a@x.example")
    (lease,) = await rig.lease()
    await rig.settle(lease, QUEUED, again_after=timedelta(minutes=10))
    rig.clock.advance(timedelta(minutes=9))
    rig.queue.wake()
    assert await nothing_is_handed_out(rig)

    rig.clock.advance(timedelta(minutes=2))
    rig.queue.wake()

    (again,) = await rig.lease()
    assert again.recipients[0].attempts == 1


async def test_a_clock_that_is_set_back_leaves_nothing_waiting_for_days(rig):
    rig.clock.advance(timedelta(days=4))
    await rig.accept("a@x.example")
    (lease,) = await rig.lease()
    await rig.settle(lease, QUEUED, again_after=timedelta(minutes=10))

    rig.clock.advance(timedelta(days=-4))
    rig.queue.wake()

    (again,) = await rig.lease()
    assert again.recipients[0].attempts == 1


async def test_what_waits_behind_other_mail_of_its_lane_is_found_after_the_clock_was_set_back(rig):
    await rig.accept("near@x.example")
    (near,) = await rig.lease()
    await rig.settle(near, QUEUED, again_after=timedelta(hours=1))
    await rig.accept("far@x.example")
    (far,) = await rig.lease()
    rig.clock.advance(timedelta(hours=20))
    await rig.settle(far, QUEUED)

    rig.clock.advance(timedelta(hours=-19))
    rig.queue.wake()

    found = [*await rig.lease(), *await rig.lease()]
    assert [lease.recipients[0].mailbox.local_part for lease in found] == ["near", "far"]


async def test_a_clock_that_is_set_back_while_stopped_leaves_nothing_waiting_for_days(rig):
    rig.clock.advance(timedelta(days=4))
    await rig.accept("a@x.example")
    await rig.queue.close()
    rig.clock.advance(timedelta(days=-4))

    await rig.start()

    assert len(await rig.lease()) == 1


# ---------------------------------------------------------------- settle


@pytest.mark.parametrize(
    ("state", "column"),
    [(DELIVERED, "delivered"), (BOUNCED, "bounced"), (DROPPED, "dropped"), (EXPIRED, "expired")],
    ids=lambda value: getattr(value, "value", value),
)
async def test_a_final_state_is_counted_and_nothing_else_remains(rig, state, column):
    message = await rig.accept("a@x.example")
    (lease,) = await rig.lease()

    await rig.settle(lease, state)

    assert getattr(rig.books(), column) == 1
    assert rig.books().difference == 0
    assert rig.states() == {}
    assert len(rig.story(message)) == 2
    with sqlite3.connect(rig.database) as connection:
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)
    connection.close()


async def test_each_recipient_of_a_lease_may_end_differently(rig):
    message = await rig.accept("a@x.example", "b@x.example", "c@x.example")
    (lease,) = await rig.lease()

    await rig.settle(lease, DELIVERED, BOUNCED, QUEUED, reply="450 later")

    books = rig.books()
    assert (books.accepted, books.delivered, books.bounced, books.queued) == (3, 1, 1, 1)
    with rig.reader as reader:
        (row,) = reader.list_recipients(Predicate(message_id=message.id), limit=10)
    assert (row.mailbox.local_part, row.last_reply, row.position) == ("c", "450 later", 2)
    assert row.next_attempt_at == rig.clock.now() + timedelta(minutes=1)


async def test_a_message_stays_until_its_last_recipient_is_final(rig):
    await rig.accept("a@x.example", "b@y.example")
    leases = await rig.lease_recipients(2)

    await rig.settle(leases[0], DELIVERED)
    await rig.settle(leases[1], QUEUED)
    rig.clock.advance(timedelta(minutes=2))
    (again,) = await rig.lease()

    assert again.message.content.head() == b"Subject: hi\r\n\r\nhello\r\n"
    await rig.settle(again, DELIVERED)
    assert rig.books().delivered == 2


async def test_settling_twice_changes_nothing(rig):
    message = await rig.accept("a@x.example")
    (lease,) = await rig.lease()

    await asyncio.gather(rig.settle(lease, DELIVERED), rig.settle(lease, BOUNCED))
    await rig.settle(lease, BOUNCED)

    assert rig.books().delivered == 1
    assert rig.books().difference == 0
    assert rig.story(message) == ["processed", "delivered"]
    assert rig.queue.handed_out == 0


async def test_a_lease_of_before_a_restart_is_stale(rig):
    message = await rig.accept("a@x.example")
    (old,) = await rig.lease()
    await rig.restart()

    await rig.settle(old, DELIVERED)
    assert rig.states() == {"a@x.example": QUEUED}

    (new,) = await rig.lease()
    await rig.settle(old, DELIVERED)
    assert rig.states() == {"a@x.example": LEASED}

    await rig.settle(new, BOUNCED)
    assert rig.story(message) == ["processed", "interrupted", "bounce"]


async def test_a_lease_of_an_earlier_attempt_is_stale(rig):
    await rig.accept("a@x.example")
    (first,) = await rig.lease()
    await rig.settle(first, QUEUED)
    rig.clock.advance(timedelta(minutes=2))
    await rig.lease()

    await rig.settle(first, DELIVERED)

    assert rig.books().delivered == 0
    assert rig.states() == {"a@x.example": LEASED}


async def test_many_settlements_at_once(rig):
    messages = [rig.message(f"{number}@x.example", f"{number}@y.example") for number in range(60)]
    await asyncio.gather(*[rig.queue.accept(message) for message in messages])
    leases = await rig.lease_recipients(120)

    states = [DELIVERED, QUEUED, BOUNCED]
    await asyncio.gather(*[rig.settle(lease, states[number % 3]) for number, lease in enumerate(leases)])

    books = rig.books()
    assert (books.delivered, books.queued, books.bounced, books.difference) == (40, 40, 40, 0)


@pytest.mark.parametrize("states", [(DELIVERED,), (DELIVERED, HELD), (DELIVERED, LEASED)], ids=str)
async def test_a_settlement_must_name_each_recipient_once_and_legally(rig, states):
    await rig.accept("a@x.example", "b@x.example")
    (lease,) = await rig.lease()
    whole = rig.settlement(lease, DELIVERED)
    parts = tuple(
        type(part)(position=part.position, state=state, event=part.event)
        for part, state in zip(whole.recipients, states, strict=False)
    )

    with pytest.raises(ValueError, match=r"settle"):
        await rig.queue.settle(type(whole)(lease=lease, recipients=parts))

    await rig.settle(lease, DELIVERED)
    assert rig.books().delivered == 2


# ---------------------------------------------------------------- hold, release, remove


PREDICATES = [
    pytest.param(lambda m: Predicate(account_id=m.account_id), id="account"),
    pytest.param(lambda m: Predicate(key_id=m.key_id), id="key"),
    pytest.param(lambda m: Predicate(message_id=m.id), id="message"),
    pytest.param(lambda m: Predicate(domain="x.example"), id="domain"),
    pytest.param(lambda m: Predicate(account_id=m.account_id, domain="x.example"), id="account and domain"),
]


@pytest.mark.parametrize("in_stock", [True, False], ids=["in stock", "in the table"])
@pytest.mark.parametrize("predicate_of", PREDICATES)
async def test_what_is_held_is_not_handed_out_until_released(rig, predicate_of, in_stock):
    rig.stock = type(rig.stock)(leases=512 if in_stock else 0)
    await rig.restart()
    held = await rig.accept("a@x.example", account=ALICE, key="key-a")
    other = await rig.accept("b@y.example", account=BOB, key="key-b")

    assert await rig.queue.hold(predicate_of(held), reason="key revoked") == 1

    assert rig.states() == {"a@x.example": HELD, "b@y.example": LEASED if in_stock else QUEUED}
    (lease,) = await rig.lease()
    assert lease.message == other
    assert await nothing_is_handed_out(rig)
    assert (rig.books(ALICE).held, rig.books(ALICE).queued) == (1, 0)

    assert await rig.queue.release(predicate_of(held)) == 1

    (lease,) = await rig.lease()
    assert lease.message == held
    assert rig.story(held) == ["processed", "held", "released"]
    assert rig.events(held)[1].detail == {"reason": "key revoked"}


async def test_an_attempt_under_way_is_marked_and_held_afterwards(rig):
    message = await rig.accept("a@x.example", "b@x.example")
    (lease,) = await rig.lease()
    assert not rig.queue.is_on_hold(lease)

    assert await rig.queue.hold(Predicate(account_id=ALICE), reason="suspended") == 2

    assert rig.queue.is_on_hold(lease)
    await rig.settle(lease, DELIVERED, QUEUED)
    assert rig.states() == {"b@x.example": HELD}
    assert rig.books().delivered == 1
    rig.clock.advance(timedelta(hours=1))
    assert await nothing_is_handed_out(rig)
    assert rig.story(message) == ["processed", "processed", "held", "held", "delivered", "deferred"]


async def test_a_release_lifts_the_mark_of_an_attempt_under_way(rig):
    await rig.accept("a@x.example")
    (lease,) = await rig.lease()
    await rig.queue.hold(Predicate(account_id=ALICE), reason="suspended")

    assert await rig.queue.release(Predicate(account_id=ALICE)) == 1

    assert not rig.queue.is_on_hold(lease)
    await rig.settle(lease, QUEUED)
    assert rig.states() == {"a@x.example": QUEUED}


async def test_a_mark_survives_a_restart(rig):
    await rig.accept("a@x.example")
    await rig.lease()
    await rig.queue.hold(Predicate(key_id=KeyId("key-1")), reason="revoked")

    await rig.restart()

    assert rig.states() == {"a@x.example": HELD}


async def test_holding_twice_counts_once(rig):
    message = await rig.accept("a@x.example")
    await rig.queue.hold(Predicate(account_id=ALICE), reason="one")

    assert await rig.queue.hold(Predicate(account_id=ALICE), reason="two") == 0

    assert rig.story(message) == ["processed", "held"]


@pytest.mark.parametrize(
    ("state", "expected"), [(QUEUED, {"b@x.example"}), (LEASED, {"a@x.example"}), (HELD, set())], ids=str
)
async def test_a_state_narrows_what_is_held(rig, state, expected):
    await rig.accept("a@x.example")
    await rig.lease()
    await rig.accept("b@x.example")
    await rig.restart()
    await rig.lease(limit=1)
    waiting = {name for name, found in rig.states().items() if found is QUEUED}
    leased = set(rig.states()) - waiting
    expected = {QUEUED: waiting, LEASED: leased, HELD: set()}[state]

    assert await rig.queue.hold(Predicate(state=state), reason="narrow") == len(expected)


async def test_released_means_due_now(rig):
    await rig.accept("a@x.example")
    (lease,) = await rig.lease()
    await rig.settle(lease, QUEUED, again_after=timedelta(hours=4))
    await rig.queue.hold(Predicate(account_id=ALICE), reason="hold")

    await rig.queue.release(Predicate(state=HELD))

    assert len(await rig.lease()) == 1


@pytest.mark.parametrize("in_stock", [True, False], ids=["in stock", "in the table"])
async def test_remove_drops_what_is_queued_or_held_with_an_event(rig, in_stock):
    rig.stock = type(rig.stock)(leases=512 if in_stock else 0)
    await rig.restart()
    held = await rig.accept("a@x.example")
    await rig.queue.hold(Predicate(account_id=ALICE), reason="hold")
    queued = await rig.accept("b@x.example")
    other = await rig.accept("c@x.example", account=BOB)

    assert await rig.queue.remove(Predicate(account_id=ALICE), reason="operator") == 2

    assert (rig.books().dropped, rig.books().difference) == (2, 0)
    assert rig.story(held) == ["processed", "held", "dropped"]
    assert rig.events(queued)[-1].detail == {"reason": "operator"}
    (lease,) = await rig.lease()
    assert lease.message == other


async def test_remove_leaves_an_attempt_under_way_alone(rig):
    await rig.accept("a@x.example", "b@y.example")
    leases = await rig.lease(limit=1)
    first = leases[0].domain

    assert await rig.queue.remove(Predicate(account_id=ALICE), reason="operator") == 1

    await rig.settle(leases[0], DELIVERED)
    books = rig.books()
    assert first in {"x.example", "y.example"}
    assert (books.delivered, books.dropped, books.difference) == (1, 1, 0)


@pytest.mark.parametrize("call", ["hold", "release", "remove"])
async def test_a_predicate_that_says_nothing_is_refused(rig, call):
    method = getattr(rig.queue, call)

    with pytest.raises(ValueError, match="at least one thing"):
        await (method(Predicate()) if call == "release" else method(Predicate(), reason="all"))


async def test_an_intervention_over_several_transactions_covers_all(rig):
    rig.stock = type(rig.stock)(leases=10)
    await rig.restart()
    await asyncio.gather(*[rig.accept(*[f"{n}-{m}@x.example" for n in range(500)]) for m in range(12)])

    assert await rig.queue.hold(Predicate(account_id=ALICE), reason="all") == 6000
    assert (rig.books().held, rig.books().queued) == (6000, 0)
    assert await rig.queue.release(Predicate(account_id=ALICE)) == 6000
    assert await rig.queue.remove(Predicate(account_id=ALICE), reason="all") == 6000
    assert (rig.books().dropped, rig.books().difference) == (6000, 0)


# ---------------------------------------------------------------- barrier, close, restart


async def test_barrier_returns_when_every_accept_before_it_is_decided(rig):
    accepts = [asyncio.create_task(rig.accept(f"{number}@x.example")) for number in range(40)]
    await asyncio.sleep(0)

    await rig.queue.barrier()

    assert rig.books().accepted == 40
    await asyncio.gather(*accepts)


async def test_close_finishes_what_was_called_and_refuses_what_comes_after(rig):
    accepts = [asyncio.create_task(rig.accept(f"{number}@x.example")) for number in range(40)]
    waiting = asyncio.create_task(rig.lease(room=no_room))
    await asyncio.sleep(0)

    await rig.queue.close()

    await asyncio.gather(*accepts)
    with pytest.raises(StoreUnavailable):
        await waiting
    with pytest.raises(StoreUnavailable) as caught:
        await rig.accept("late@x.example")
    assert caught.value.trouble is StoreTrouble.CLOSED
    assert rig.books().accepted == 40


async def test_leases_never_handed_out_are_not_interrupted_by_close(rig):
    message = await rig.accept("a@x.example")

    await rig.restart()

    (lease,) = await rig.lease()
    assert lease.recipients[0].attempts == 0
    assert rig.story(message) == ["processed"]


async def test_closing_twice_is_harmless(rig):
    await rig.queue.close()
    await rig.queue.close()


async def test_an_attempt_under_way_at_the_end_is_due_again_with_an_event(rig):
    message = await rig.accept("a@x.example")
    await rig.lease()

    await rig.restart()

    assert rig.story(message) == ["processed", "interrupted"]
    assert rig.queue.counters.interrupted_recipients == 1
    (lease,) = await rig.lease()
    assert lease.recipients[0].attempts == 1


# ---------------------------------------------------------------- accept_all


async def test_messages_that_are_taken_together_are_all_there_after_a_restart(rig):
    messages = [rig.message(f"u{number}@x.example", "b@y.example") for number in range(3)]

    await rig.queue.accept_all(messages)
    await rig.restart()

    leases = await rig.lease_recipients(6)
    assert {lease.message.id for lease in leases} == {message.id for message in messages}
    assert rig.books().accepted == 6


async def test_messages_that_are_taken_together_are_delivered_without_a_restart(rig):
    await rig.queue.accept_all([rig.message(f"u{number}@x.example") for number in range(3)])

    leases = await rig.lease_recipients(3)

    for lease in leases:
        await rig.settle(lease, DELIVERED)
    assert rig.books().delivered == 3


@pytest.mark.parametrize("fault", ["stored already", "cannot be encoded", "no recipients", "spooled"])
async def test_of_messages_that_are_taken_together_none_is_kept_if_one_cannot_be(rig, fault):
    first = await rig.accept("a@x.example")
    bad = rig.message("no\udcfftext@x.example" if fault == "cannot be encoded" else "b@x.example")
    change = {
        "stored already": {"id": first.id},
        "no recipients": {"envelope": replace(bad.envelope, forward_paths=())},
        "spooled": {"content": _spooled(rig)},
    }.get(fault, {})
    others = [rig.message(f"u{number}@x.example") for number in range(20)]

    results = await asyncio.gather(
        rig.queue.accept_all([others[0], replace(bad, **change), others[1]]),
        *[rig.queue.accept(message) for message in others[2:]],
        return_exceptions=True,
    )

    assert isinstance(results.pop(0), Permanent)
    assert results == [None] * 18
    assert rig.books().accepted == 19
    assert rig.books().difference == 0
    assert {f"u{number}@x.example" for number in (0, 1)}.isdisjoint(rig.states())


def _spooled(rig):
    writer = rig.queue.spool.open()
    writer.write(b"Subject: x\r\n\r\nx\r\n")
    return writer.finish()


async def test_writer_stops_whatever_is_put_behind_its_last_job(rig):
    rig.queue._writer.put(StopJob())
    rig.queue._writer.put(BarrierJob())  # in the same turn of the event loop

    await asyncio.to_thread(rig.queue._writer.join, 10)

    assert not rig.queue._writer.is_alive()
    rig.queue._is_closed = True
