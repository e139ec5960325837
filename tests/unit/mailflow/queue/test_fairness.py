from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mailflow.queue.fairness import Lane, Rotation


def rotation(*lanes):
    made = Rotation()
    for account, domain, waiting in lanes:
        made.add(Lane(account, domain, waiting))
    return made


def allot(made, limit, room=lambda _: 1000):
    shares, without_room = made.allot(limit=limit, room=room)
    return {(share.lane.account_id, share.lane.domain): share.leases for share in shares}, without_room


@pytest.mark.parametrize(
    ("lanes", "limit", "expected"),
    [
        pytest.param([("a", "x", 5)], 10, {("a", "x"): 5}, id="no more than waits"),
        pytest.param([("a", "x", 5)], 3, {("a", "x"): 3}, id="no more than the limit"),
        pytest.param([("a", "x", 100), ("b", "x", 1)], 10, {("a", "x"): 9, ("b", "x"): 1}, id="a small one is served"),
        pytest.param([("a", "x", 100), ("b", "x", 100)], 10, {("a", "x"): 5, ("b", "x"): 5}, id="two alike"),
        pytest.param(
            [("a", "x", 9), ("a", "y", 9), ("a", "z", 9), ("b", "x", 9)],
            12,
            {("a", "x"): 2, ("a", "y"): 2, ("a", "z"): 2, ("b", "x"): 6},
            id="turns are the accounts'",
        ),
        pytest.param([], 10, {}, id="nobody"),
        pytest.param([("a", "x", 1)], 0, {}, id="nothing to give"),
    ],
)
def test_shares(lanes, limit, expected):
    assert allot(rotation(*lanes), limit)[0] == expected


def test_who_was_not_served_is_first_the_next_time():
    made = rotation(("a", "x", 9), ("b", "x", 9), ("c", "x", 9))

    given = [list(allot(made, 1)[0]) for _ in range(4)]

    assert given == [[("a", "x")], [("b", "x")], [("c", "x")], [("a", "x")]]


def test_within_an_account_its_destinations_take_turns():
    made = rotation(("a", "x", 9), ("a", "y", 9), ("a", "z", 9))

    given = [list(allot(made, 1)[0]) for _ in range(4)]

    assert given == [[("a", "x")], [("a", "y")], [("a", "z")], [("a", "x")]]


def test_a_destination_without_room_costs_the_others_nothing_and_keeps_its_place():
    made = rotation(("a", "dead", 100_000), ("a", "x", 5), ("b", "dead", 100_000), ("c", "y", 5))
    room = {"dead": 0, "x": 100, "y": 100}

    shares, without_room = allot(made, 100, lambda domain: room[domain])

    assert shares == {("a", "x"): 5, ("c", "y"): 5}
    assert {(lane.account_id, lane.domain) for lane in without_room} == {("a", "dead"), ("b", "dead")}
    room["dead"] = 1
    assert list(allot(made, 1, lambda domain: room[domain])[0]) == [("b", "dead")]


def test_room_is_shared_by_the_accounts_that_want_it():
    made = rotation(("a", "x", 100), ("b", "x", 100))

    shares, _ = made.allot(limit=100, room=lambda _: 7)

    assert sum(share.recipients for share in shares) <= 7
    assert sorted(share.leases for share in shares) == [3, 4]


def test_room_that_is_left_may_be_used_by_leases_of_several_recipients():
    made = rotation(("a", "x", 2), ("b", "x", 2))

    shares, _ = made.allot(limit=100, room=lambda _: 20)

    assert [(share.leases, share.recipients) for share in shares] == [(2, 10), (2, 10)]


def test_a_lane_that_was_removed_takes_no_part():
    made = Rotation()
    first, second = Lane("a", "x", 1), Lane("b", "x", 1)
    made.add(first)
    made.add(second)
    made.add(first)

    made.remove(first)
    made.remove(first)

    assert allot(made, 10)[0] == {("b", "x"): 1}


LANES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("wxyz"), st.integers(1, 20)),
    unique_by=lambda lane: lane[:2],
    max_size=12,
)


@given(lanes=LANES, limit=st.integers(0, 40), rooms=st.fixed_dictionaries({name: st.integers(0, 9) for name in "wxyz"}))
def test_a_round_gives_all_it_can_and_no_more(lanes, limit, rooms):
    made = rotation(*lanes)

    shares, without_room = made.allot(limit=limit, room=lambda domain: rooms[domain])

    given_to = Counter()
    for share in shares:
        assert 0 < share.leases <= min(share.lane.waiting, share.recipients)
        given_to[share.lane.domain] += share.recipients
    assert all(given_to[domain] <= rooms[domain] for domain in rooms)
    wanted = {domain: sum(waiting for _, name, waiting in lanes if name == domain) for domain in rooms}
    possible = sum(min(rooms[domain], wanted[domain]) for domain in rooms)
    assert sum(share.leases for share in shares) == min(limit, possible)
    assert all(lane not in {share.lane for share in shares} for lane in without_room)


@given(lanes=LANES)
def test_nobody_waits_for_more_rounds_than_there_are_lanes(lanes):
    made = rotation(*lanes)

    served = [next(iter(allot(made, 1)[0])) for _ in range(len(lanes) * 3)] if lanes else []

    assert set(served) == {lane[:2] for lane in lanes}
