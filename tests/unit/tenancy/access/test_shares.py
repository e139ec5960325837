from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.budget import Charge, LimitName, Measure, PurseId
from gatepost.tenancy.access.shares import Shares

NAME = LimitName(account_id=AccountId("acc"), purse_id=PurseId("p"), measure=Measure.MESSAGES_PER_HOUR, limit=10)
HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)


def charge(amount, *, name=NAME, began_at=HOUR):
    return Charge(name=name, began_at=began_at, amount=amount)


def test_all_charges_are_spent_or_none():
    shares, other = Shares(), replace(NAME, limit=5)
    shares.put_in(charge(3))
    shares.put_in(charge(1, name=other))

    assert not shares.spend([charge(2), charge(2, name=other)])
    assert shares.spend([charge(3), charge(1, name=other)])
    assert not shares.spend([charge(1)])


def test_an_hour_that_is_over_leaves_nothing():
    shares = Shares()
    shares.put_in(charge(3), elsewhere=0)
    later = charge(1, began_at=HOUR + timedelta(hours=1))

    assert shares.find_refusal([charge(4)]) is not None
    assert shares.find_refusal([later]) is None
    assert not shares.spend([later])
    shares.put_in(charge(3))
    assert shares.in_hand(later) == 0


def test_what_is_taken_out_is_spent_by_nobody_else():
    shares = Shares()
    shares.put_in(charge(3))

    assert shares.take_out(charge(0)) == 3
    assert not shares.spend([charge(1)])


def test_everything_in_hand_is_taken_out_at_once():
    shares = Shares()
    shares.put_in(charge(3), elsewhere=0)
    shares.put_in(charge(0, name=replace(NAME, limit=5)))

    assert shares.take_all() == [charge(3)]
    assert shares.take_all() == []
    assert shares.find_refusal([charge(1)]) is None
