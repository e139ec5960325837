from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.look_alike import LookAlikes
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.review import ReviewState

OURS, THEIRS = AccountId("acc_ours"), AccountId("acc_theirs")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOOK_ALIKES = LookAlikes(PublicSuffixes())


class Reviews:
    def __init__(self):
        self.held = {}

    def find(self, account_id, name):
        return self.held.get((account_id, name))

    def hold(self, review):
        return self.held.setdefault((review.account_id, review.name), review)

    def decide(self, state):
        self.held = {which: replace(review, state=state) for which, review in self.held.items()}


class Names:
    def __init__(self, **holders):
        self.holders = holders
        self.passes = 0

    def list_verified_names(self, except_of):
        self.passes += 1
        return [name.replace("_", ".") for name, holder in self.holders.items() if holder != except_of]


def guard(names, reviews=None, protected=("relay-brand.example",)):
    return LookAlikeGuard(
        reviews=reviews or Reviews(),
        names=names,
        look_alikes=LOOK_ALIKES,
        protected=protected,
        unit_of_work=nullcontext,
    )


def admit(names, reviews=None, account_id=OURS, name="paypa1.com"):
    """What was objected, and whether the claim was verified."""
    verified = []
    review = guard(names, reviews).admit(account_id, name, NOW, lambda: verified.append(name))
    return review, bool(verified)


NAMES = {
    "another tenant's, another top level": ("paypal.org", "paypal.com"),
    "another tenant's, a digit": ("paypa1.com", "paypal.com"),
    "another tenant's, below it": ("mail.paypa1.com", "paypal.com"),
    "the operator's": ("re1ay-brand.test", "relay-brand.example"),
    "our own other name": ("shop-of-ours.org", None),
    "nothing like it": ("weather.org", None),
    "below another tenant's own": ("mail.paypal.com", None),
}


@pytest.mark.parametrize(("name", "looks_like"), NAMES.values(), ids=NAMES)
def test_a_name_that_looks_like_anothers_is_held(name, looks_like):
    names = Names(paypal_com=THEIRS, **{"shop-of-ours_com": OURS})

    review, is_verified = admit(names, name=name)

    assert (review and review.looks_like, is_verified) == (looks_like, looks_like is None)
    # Once without a lock, and once more within it for what has come since.
    assert names.passes == 2


@pytest.mark.parametrize(
    ("state", "is_held"), [(ReviewState.HELD, True), (ReviewState.REJECTED, True), (ReviewState.APPROVED, False)]
)
def test_what_the_operator_decided_stands(state, is_held):
    names, reviews = Names(paypal_com=THEIRS), Reviews()
    admit(names, reviews)
    reviews.decide(state)

    review, is_verified = admit(names, reviews)

    assert (review is not None, is_verified) == (is_held, not is_held)


def test_an_approval_is_for_one_account():
    names, reviews = Names(paypal_com=THEIRS), Reviews()
    admit(names, reviews)
    reviews.decide(ReviewState.APPROVED)

    review, is_verified = admit(names, reviews, AccountId("acc_third"))

    assert (review is not None, is_verified) == (True, False)


class Arriving(Names):
    """Another tenant verifies its name after the first look."""

    def list_verified_names(self, except_of):
        names = super().list_verified_names(except_of)
        self.holders["paypal_com"] = THEIRS
        return names


def test_a_name_that_has_come_since_the_first_look_is_seen():
    review, is_verified = admit(Arriving())

    assert (review.looks_like, is_verified) == ("paypal.com", False)


def test_what_cannot_be_verified_is_raised_and_nothing_is_held():
    reviews = Reviews()

    def verify():
        raise LookupError

    with pytest.raises(LookupError):
        guard(Names(), reviews).admit(OURS, "weather.org", NOW, verify)

    assert reviews.held == {}
