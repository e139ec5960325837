"""Credits on the real store: all processes together never send more than there is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.access.credit_meter import CreditMeter
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.credits import CreditPeriod, allocate

Limit = Callable[..., None]


@pytest.fixture
def subuser(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "news", now=control_plane.clock.now(), entropy=control_plane.entropy, parent=account
    )


@pytest.fixture
def limit(control_plane: ControlPlane) -> Limit:
    def limit(account: Account, total: int, period: CreditPeriod | None = None) -> None:
        now = control_plane.clock.now()
        control_plane.accounts.change_allocation(account.id, lambda current: allocate(period, total, current, now))

    return limit


def meter_of(plane: ControlPlane) -> CreditMeter:
    return plane.principals.meter


def used(plane: ControlPlane, account: Account) -> int:
    allocation = plane.accounts.find_allocation(account.id)
    assert allocation is not None
    return allocation.used


def spend_all(account_id: AccountId, *meters: CreditMeter, at_most: int) -> int:
    """Spend one credit after the other, taking turns, until nobody has any; return how many were spent."""
    spent = 0
    while any(meter.spend(account_id, 1) for meter in meters):
        spent += 1
        assert spent <= at_most
    return spent


@pytest.mark.parametrize("total", [1, 3, 64, 200])
def test_one_process_spends_exactly_what_there_is(
    control_plane: ControlPlane, account: Account, limit: Limit, total: int
) -> None:
    limit(account, total)
    meter = meter_of(control_plane)

    assert spend_all(account.id, meter, at_most=total) == total
    assert not meter.has_any(account.id)


def test_several_processes_never_spend_more_than_there_is(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, limit: Limit
) -> None:
    limit(account, 300)
    meters = [meter_of(control_plane), meter_of(other_process)]

    for turn in range(200):
        assert meters[turn % 2].spend(account.id, 1)
    rest = sum(spend_all(account.id, meter, at_most=100) for meter in meters)

    # What the second had set aside is spent by it; nothing is spent twice.
    assert rest == 100
    assert used(control_plane, account) == 300


def test_a_message_takes_all_of_its_credits_or_none(
    control_plane: ControlPlane, account: Account, limit: Limit
) -> None:
    limit(account, 5)
    meter = meter_of(control_plane)

    assert not meter.spend(account.id, 6)
    assert meter.spend(account.id, 3)
    assert not meter.spend(account.id, 3)
    assert meter.spend(account.id, 2)


def test_a_subuser_spends_its_own_credits_and_its_parents(
    control_plane: ControlPlane, account: Account, subuser: Account, limit: Limit
) -> None:
    limit(account, 4)
    limit(subuser, 10)
    meter = meter_of(control_plane)

    assert spend_all(subuser.id, meter, at_most=4) == 4
    assert (used(control_plane, account), used(control_plane, subuser)) == (4, 4)
    assert not meter.has_any(account.id)


def test_a_subuser_without_a_limit_is_kept_to_its_parents(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, subuser: Account, limit: Limit
) -> None:
    limit(account, 3)
    found = other_process.accounts.find(subuser.id)

    assert found is not None
    assert found.is_metered
    assert spend_all(subuser.id, meter_of(other_process), at_most=3) == 3


def test_what_is_not_used_is_given_back(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, limit: Limit
) -> None:
    limit(account, 200)
    meter = meter_of(control_plane)
    assert meter.spend(account.id, 1)
    assert used(other_process, account) > 1

    meter.give_back()

    assert used(other_process, account) == 1
    assert spend_all(account.id, meter_of(other_process), at_most=199) == 199


def test_a_message_that_was_not_accepted_after_all_costs_nothing(
    control_plane: ControlPlane, account: Account, limit: Limit
) -> None:
    limit(account, 2)
    meter = meter_of(control_plane)
    assert meter.spend(account.id, 2)

    meter.unspend(account.id, 2)

    assert spend_all(account.id, meter, at_most=2) == 2


@pytest.mark.parametrize(
    ("period", "hours", "again"),
    [(CreditPeriod.DAILY, 11, 0), (CreditPeriod.DAILY, 12, 128), (CreditPeriod.WEEKLY, 12, 128), (None, 999, 0)],
    ids=["same day", "next day", "Monday", "never"],
)
def test_credits_come_back_with_the_period_and_what_was_set_aside_before_does_not(
    control_plane: ControlPlane, clock: Any, account: Account, limit: Limit, period: Any, hours: int, again: int
) -> None:
    limit(account, 128, period)  # on a Sunday at noon
    meter = meter_of(control_plane)
    assert spend_all(account.id, meter, at_most=128) == 128
    assert not meter.has_any(account.id)

    clock.instant += timedelta(hours=hours)

    assert meter.has_any(account.id) is (again > 0)
    assert spend_all(account.id, meter, at_most=128) == again


def test_a_reserve_of_the_day_before_is_not_spent_on_the_new_one(
    control_plane: ControlPlane, clock: Any, account: Account, limit: Limit
) -> None:
    limit(account, 200, CreditPeriod.DAILY)
    meter = meter_of(control_plane)
    assert meter.spend(account.id, 1)

    clock.instant += timedelta(hours=12)

    assert spend_all(account.id, meter, at_most=200) == 200


def test_a_smaller_limit_is_exact_once_workers_were_told(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, limit: Limit
) -> None:
    limit(account, 10_000)
    meter = meter_of(other_process)
    assert meter.spend(account.id, 1)

    limit(account, 5)
    meter.give_back()

    assert spend_all(account.id, meter, at_most=4) == 4


def test_a_limit_that_is_lifted_lets_everything_through(
    control_plane: ControlPlane, account: Account, limit: Limit
) -> None:
    limit(account, 1)
    meter = meter_of(control_plane)
    assert spend_all(account.id, meter, at_most=1) == 1

    control_plane.accounts.change_allocation(account.id, lambda _: None)

    assert meter.has_any(account.id)
    assert meter.spend(account.id, 1000)


def test_what_was_set_aside_the_day_before_is_not_given_back_to_the_new_one(
    control_plane: ControlPlane, other_process: ControlPlane, clock: Any, account: Account, limit: Limit
) -> None:
    limit(account, 200, CreditPeriod.DAILY)
    late = meter_of(control_plane)
    assert late.spend(account.id, 1)
    clock.instant += timedelta(hours=12)
    assert meter_of(other_process).spend(account.id, 200)

    late.give_back()

    assert used(control_plane, account) == 200
