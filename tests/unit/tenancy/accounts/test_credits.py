from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.tenancy.accounts.credits import (
    Allocation,
    CreditPeriod,
    CreditsExceeded,
    add_to_remaining,
    allocate,
    period_start,
)

NOW = datetime(2026, 3, 12, 15, 30, tzinfo=UTC)  # a Thursday
DAY, WEEK, MONTH = CreditPeriod


def on(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "start"), [(DAY, on(3, 12)), (WEEK, on(3, 9)), (MONTH, on(3, 1))], ids=["day", "week", "month"]
)
def test_periods_are_those_of_the_calendar(period: CreditPeriod, start: datetime) -> None:
    assert period_start(period, NOW) == start
    assert period_start(period, start) == start


@pytest.mark.parametrize(
    ("period", "later", "remaining"),
    [
        (DAY, on(3, 12, 23), 3),
        (DAY, on(3, 13), 10),
        (WEEK, on(3, 15, 23), 3),
        (WEEK, on(3, 16), 10),
        (MONTH, on(3, 31, 23), 3),
        (MONTH, on(4, 1), 10),
        (None, on(12, 31), 3),
        # A clock that was set back gives nothing.
        (DAY, on(3, 11), 3),
    ],
)
def test_credits_come_back_when_a_period_begins(period: CreditPeriod | None, later: datetime, remaining: int) -> None:
    allocation = replace(allocate(period, 10, None, NOW), used=7)

    assert allocation.at(later).remaining == remaining


def test_what_was_added_is_for_one_period_alone() -> None:
    allocation = add_to_remaining(allocate(DAY, 10, None, NOW), 5, NOW)

    assert allocation.remaining == 15
    assert allocation.at(on(3, 13)).remaining == 10


@pytest.mark.parametrize(("used", "count", "remaining"), [(4, 5, 11), (4, -6, 0), (12, 3, 3), (0, 0, 10)])
def test_adding_changes_what_is_left_by_just_that(used: int, count: int, remaining: int) -> None:
    allocation = replace(allocate(None, 10, None, NOW), used=used)

    assert add_to_remaining(allocation, count, NOW).remaining == remaining


def test_no_more_can_be_taken_away_than_is_left() -> None:
    with pytest.raises(CreditsExceeded):
        add_to_remaining(replace(allocate(DAY, 10, None, NOW), used=4), -7, NOW)


@pytest.mark.parametrize(("total", "remaining"), [(20, 13), (5, 0)])
def test_another_limit_leaves_what_was_used_in_a_period_that_goes_on(total: int, remaining: int) -> None:
    current = replace(allocate(DAY, 10, None, NOW), used=7, extra=3)

    assert allocate(DAY, total, current, NOW).remaining == remaining


def test_credits_of_another_kind_begin_afresh() -> None:
    current = replace(allocate(DAY, 10, None, NOW), used=7)

    assert allocate(None, 20, current, NOW) == Allocation(period=None, total=20, since=NOW)
