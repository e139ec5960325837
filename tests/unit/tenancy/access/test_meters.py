from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.tenancy.access.meters import Charge, MemoryCells, Meters, Rate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SIX = Rate.each(6, timedelta(minutes=1))


def test_so_much_at_once_and_then_what_drains() -> None:
    meters = Meters(MemoryCells())

    first = [meters.take([Charge("a", SIX)], NOW)[0].wait.total_seconds() for _ in range(8)]
    later = [meters.take([Charge("a", SIX)], NOW + timedelta(seconds=10))[0].wait for _ in range(2)]

    assert first == [0] * 6 + [10, 10]
    assert later == [timedelta(0), timedelta(seconds=10)]


def test_of_several_charges_all_are_taken_or_none() -> None:
    meters = Meters(MemoryCells())
    narrow = Charge("narrow", Rate(1, 1))
    wide = Charge("wide", Rate(100, 1))

    taken = meters.take([wide, narrow], NOW)
    refused = meters.take([wide, narrow], NOW)

    assert [reading.level for reading in taken] == [1, 1]
    assert [(reading.level, reading.wait.total_seconds()) for reading in refused] == [(1, 0), (1, 1)]
    assert meters.level("wide", wide.rate, NOW) == 1


def test_a_charge_larger_than_its_meter_is_taken_when_that_is_empty_and_paid_for_afterwards() -> None:
    meters = Meters(MemoryCells())
    large = Charge("a", SIX, 18)

    [first] = meters.take([large], NOW)
    [second] = meters.take([Charge("a", SIX)], NOW)
    [third] = meters.take([large], NOW + timedelta(minutes=3))

    assert not first.wait
    assert second.wait == timedelta(seconds=130)
    assert not third.wait


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=400)])
def test_a_clock_set_back_neither_fills_nor_empties(back: timedelta) -> None:
    meters = Meters(MemoryCells())
    meters.take([Charge("a", SIX, 6)], NOW)

    assert meters.level("a", SIX, NOW - back) == 6
    assert meters.take([Charge("a", SIX)], NOW - back)[0].wait == timedelta(seconds=10)


def test_what_is_added_beyond_the_brim_does_not_add_up() -> None:
    meters = Meters(MemoryCells())

    assert [meters.add("a", SIX, NOW) for _ in range(9)] == [1, 2, 3, 4, 5, 6, 7, 7, 7]


def test_memory_is_bounded_and_the_longest_quiet_is_forgotten_first() -> None:
    cells = MemoryCells(capacity=3)
    meters = Meters(cells)
    for name in "abcad":
        meters.add(name, SIX, NOW)

    assert len(cells) == 3
    assert [meters.level(name, SIX, NOW) for name in "abcd"] == [2, 0, 1, 1]


@given(gaps=st.lists(st.tuples(st.floats(0, 120), st.integers(1, 6)), max_size=60))
def test_in_any_time_no_more_is_taken_than_the_size_and_what_drains(gaps: list[tuple[float, int]]) -> None:
    meters, now, taken = Meters(MemoryCells()), NOW, []
    for gap, amount in gaps:
        now += timedelta(seconds=gap)
        if not meters.take([Charge("a", SIX, amount)], now)[0].wait:
            taken.append((now, amount))

    for place, (start, _) in enumerate(taken):
        for end, _ in taken[place:]:
            total = sum(amount for at, amount in taken[place:] if at <= end)
            assert total <= 6 + (end - start).total_seconds() / 10 + 1e-3
