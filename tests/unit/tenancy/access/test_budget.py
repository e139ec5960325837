from datetime import UTC, datetime, timedelta

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.budget import (
    NO_BUDGET,
    Budget,
    BudgetDenial,
    Measure,
    Purse,
    PurseId,
    spent,
    tightened,
    tightest,
)

NOW = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("measure", "began_at", "length"),
    [
        (Measure.MESSAGES_PER_HOUR, datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(hours=1)),
        (Measure.NEW_RECIPIENTS_PER_DAY, datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)),
    ],
)
def test_hours_and_days_are_the_clocks(measure, began_at, length):
    assert (measure.began_at(NOW), measure.length) == (began_at, length)


def test_every_measure_is_a_limit_of_a_budget():
    budget = Budget(**{measure.value: 1 for measure in Measure})

    assert budget.limits() == tuple((measure, 1) for measure in Measure)
    assert not NO_BUDGET
    assert Budget(messages_per_day=0)


@pytest.mark.parametrize(
    ("inner", "outer", "is_within"),
    [
        (Budget(messages_per_day=1), NO_BUDGET, True),
        (Budget(messages_per_day=1), Budget(messages_per_day=1), True),
        (Budget(messages_per_day=2), Budget(messages_per_day=1), False),
        (NO_BUDGET, Budget(messages_per_day=1), False),
        (Budget(messages_per_hour=1), Budget(messages_per_day=1), False),
    ],
)
def test_a_budget_is_within_another_that_allows_as_much(inner, outer, is_within):
    assert inner.is_within(outer) is is_within


def test_the_tightest_of_several_purses_holds():
    purses = [
        Purse(id=PurseId("a"), account_id=AccountId("acc"), budget=Budget(messages_per_day=5, messages_per_hour=3)),
        Purse(
            id=PurseId("b"), account_id=AccountId("acc"), budget=Budget(messages_per_day=4, new_recipients_per_day=0)
        ),
    ]

    assert tightest(purses) == Budget(messages_per_day=4, messages_per_hour=3, new_recipients_per_day=0)
    assert tightest([]) == NO_BUDGET


def test_a_budget_is_tightened_where_something_is_wanted():
    assert tightened(Budget(messages_per_day=5, messages_per_hour=2), Budget(messages_per_day=3)) == Budget(
        messages_per_day=3, messages_per_hour=2
    )


def test_a_refusal_says_how_much_and_until_when():
    refusal = spent(Measure.NEW_RECIPIENTS_PER_DAY, 7, NOW)

    assert refusal.reason is BudgetDenial.NEW_RECIPIENTS
    assert refusal.detail == "7 first-time recipients a day; again from 2026-03-02T00:00:00Z"
    assert refusal.retry_after == timedelta(hours=11, minutes=25, seconds=4)
