from datetime import UTC, datetime

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.acceptance import lease_at_once
from gatepost.storage.queue_sqlite.lanes import Lanes, StockLimits

ALICE, BOB = AccountId("acc_alice"), AccountId("acc_bob")
AUTHOR = Mailbox(local_part="news", domain="example.com")
HOUR = 3_600_000
NOW = 100 * HOUR


def make_lanes(**limits):
    return Lanes(limits=StockLimits(**limits), longest_delay=5 * HOUR)


def message(*domains, account=ALICE, octets=1000):
    return QueuedMessage(
        id=MessageId("m"),
        account_id=account,
        key_id=KeyId("k"),
        author=AUTHOR,
        envelope=Envelope(
            reverse_path=None, forward_paths=tuple(Mailbox(local_part="u", domain=name) for name in domains)
        ),
        origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1"),
        content=MemoryContent(b"x" * octets),
        accepted_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def stock(lanes, *domains, **more):
    one = message(*domains, **more)
    for record in lease_at_once(1, one, tuple(dict.fromkeys(domains))):
        lanes.put(record)


def allot(lanes, limit=100, room=1000, now=NOW):
    lanes.mature(now)
    records, orders, stuck = lanes.allot(limit=limit, room=lambda _: room, now=now)
    return (
        [(record.lease.domain, len(record.lease.recipients)) for record in records],
        orders,
        [lane.domain for lane in stuck],
    )


def test_stock_is_handed_out_once():
    lanes = make_lanes()
    stock(lanes, "x", "x", "y")

    assert sorted(allot(lanes)[0]) == [("x", 2), ("y", 1)]
    assert allot(lanes) == ([], [], [])
    assert (len(lanes), lanes.stocked_leases, lanes.stocked_octets) == (0, 0, 0)


def test_due_rows_are_ordered_once_until_the_order_is_delivered():
    lanes = make_lanes()
    lanes.note_due(ALICE, "x", NOW)

    _, (order,), _ = allot(lanes, limit=10)
    assert (order.account_id, order.domain, order.leases) == (ALICE, "x", 10)
    assert allot(lanes) == ([], [], [])

    order.due_at = NOW
    lanes.deliver(order)
    assert len(allot(lanes)[1]) == 1


def test_what_an_order_finds_goes_into_the_stock():
    lanes = make_lanes()
    lanes.note_due(ALICE, "x", NOW)
    _, (order,), _ = allot(lanes)
    order.records = lease_at_once(1, message("x"), ("x",))

    lanes.deliver(order)

    assert allot(lanes)[0] == [("x", 1)]
    assert len(lanes) == 0


def test_a_cancelled_order_leaves_its_lane_due():
    lanes = make_lanes()
    lanes.note_due(ALICE, "x", NOW)
    _, (order,), _ = allot(lanes)

    lanes.cancel(order)

    assert len(allot(lanes)[1]) == 1


def test_a_lane_is_not_due_before_its_time():
    lanes = make_lanes()
    lanes.note_due(ALICE, "x", NOW + 1)

    assert allot(lanes)[1] == []
    assert lanes.next_due_at == NOW + 1
    assert len(allot(lanes, now=NOW + 1)[1]) == 1


def test_an_earlier_row_brings_its_lane_forward_and_a_later_one_does_not():
    lanes = make_lanes()
    lanes.note_due(ALICE, "x", NOW + 10)
    lanes.note_due(ALICE, "x", NOW)
    lanes.note_due(ALICE, "x", NOW + 20)

    assert len(allot(lanes)[1]) == 1


def test_what_was_queued_under_a_clock_that_ran_ahead_is_due_when_it_is_set_back():
    lanes = make_lanes()
    lanes.mature(NOW + 96 * HOUR)
    lanes.note_due(ALICE, "x", NOW + 97 * HOUR)
    lanes.note_due(ALICE, "near", NOW + 5 * HOUR)

    assert [order.domain for order in allot(lanes)[1]] == ["x"]


def test_what_the_table_holds_from_the_future_at_opening_is_due():
    lanes = make_lanes()
    lanes.note_found(ALICE, "future", NOW + 90 * HOUR, NOW + 97 * HOUR, NOW)
    lanes.note_found(ALICE, "both", NOW + HOUR, NOW + 97 * HOUR, NOW)
    lanes.note_found(ALICE, "normal", NOW + HOUR, NOW + 2 * HOUR, NOW)

    assert sorted(order.domain for order in allot(lanes)[1]) == ["both", "future"]


def test_a_lease_is_cut_to_the_room_there_is():
    lanes = make_lanes()
    stock(lanes, *["x"] * 10)

    assert allot(lanes, room=4)[0] == [("x", 4)]
    assert allot(lanes)[0] == [("x", 6)]
    assert lanes.stocked_leases == 0


def test_stock_without_room_is_stuck_since_the_first_look():
    lanes = make_lanes()
    stock(lanes, "x")
    lanes.mature(NOW)
    (lane,) = lanes.allot(limit=9, room=lambda _: 0, now=NOW)[2]
    lanes.allot(limit=9, room=lambda _: 0, now=NOW + 5)

    assert lane.stuck_since == NOW
    assert len(lanes.withdraw(lane)) == 1
    assert (len(lanes), lanes.stocked_leases) == (0, 0)


def test_only_what_matches_is_withdrawn():
    lanes = make_lanes()
    stock(lanes, "x")
    stock(lanes, "x", account=BOB)

    withdrawn = lanes.withdraw_matching(lambda record: record.lease.message.account_id == BOB)

    assert [record.lease.message.account_id for record in withdrawn] == [BOB]
    assert allot(lanes)[0] == [("x", 1)]


@pytest.mark.parametrize(
    ("limits", "before", "expected"),
    [
        pytest.param({}, [], {"x", "y"}, id="room for all"),
        pytest.param({"leases": 0}, [], set(), id="no stock"),
        pytest.param({"leases": 1}, ["z"], set(), id="leases full"),
        pytest.param({"octets": 1000}, ["z"], set(), id="octets full"),
        pytest.param({"lane_leases": 1}, ["x"], {"y"}, id="one lane full"),
    ],
)
def test_what_may_be_leased_at_once(limits, before, expected):
    lanes = make_lanes(**limits)
    for domain in before:
        stock(lanes, domain)

    assert set(lanes.find_leasable(message("x", "y"), NOW)) == expected


def test_new_mail_does_not_overtake_older_mail_of_its_lane():
    lanes = make_lanes()
    lanes.note_due(ALICE, "x", NOW)
    lanes.note_due(ALICE, "later", NOW + HOUR)

    assert set(lanes.find_leasable(message("x", "later"), NOW)) == {"later"}
    _, (order,), _ = allot(lanes)
    assert lanes.find_leasable(message("x"), NOW) == ()
    lanes.deliver(order)
    assert lanes.find_leasable(message("x"), NOW) == ("x",)


def test_reservations_count_until_they_are_cancelled():
    lanes = make_lanes(leases=2)
    one = message("x", "y")
    lanes.reserve(one, ("x", "y"))
    assert lanes.find_leasable(message("z"), NOW) == ()

    lanes.cancel_reservation(one, ("x", "y"))

    assert lanes.find_leasable(message("z"), NOW) == ("z",)
