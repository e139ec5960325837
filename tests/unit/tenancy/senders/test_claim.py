import re
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.senders.claim import HeldForReview, NotClaimable, Wish, claim_domain, prove_domain
from gatepost.tenancy.senders.dns_check import is_proved
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.domain import DomainState, DomainTaken, KeyState
from gatepost.tenancy.senders.review import DomainReview, ReviewState

NOW = datetime(2027, 1, 1, tzinfo=UTC)
RELAY = Relay(host_name="mail.relay.example", sending_networks=(ip_network("192.0.2.1/32"),))


class Store:
    """Remembers what was added and what was marked."""

    def __init__(self):
        self.added, self.verified = [], []

    def add(self, claim):
        self.added.append(claim)
        return len(self.added)

    def list_all(self, account_id):
        return [claim for claim in self.added if claim.account_id == account_id]

    def mark_verified(self, account_id, number, at):
        self.verified.append((account_id, number, at))

    def change(self, account_id, number, decide):
        self.noted = decide(self.added[number - 1])


class Guard:
    """Objects to one name."""

    def __init__(self, review=None):
        self.review = review

    def admit(self, account_id, name, now, verify):
        if self.review is None:
            verify()
        return self.review


NOTHING_HELD = Guard()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def claim(store, keyring):
    return claim_domain(store, AccountId("acc_1"), "example.com", keyring=keyring, entropy=SystemEntropy(), now=NOW)


async def prove(store, claim, resolver, guard=NOTHING_HELD):
    return await prove_domain(store, claim, resolver, guard=guard, relay=RELAY, now=NOW)


def test_claim_is_pending_and_has_keys_of_its_own(store, claim):
    assert [replace(added, id=claim.id) for added in store.added] == [claim]
    assert (claim.state, len(claim.dkim_keys)) == (DomainState.PENDING, 2)


def wish_for(store, keyring, name="example.com", **wish):
    return claim_domain(
        store,
        AccountId("acc_1"),
        name,
        keyring=keyring,
        entropy=SystemEntropy(),
        now=NOW,
        wish=Wish(**wish),
    )


def test_automatic_security_has_a_place_of_its_own_and_two_selectors_of_which_one_is_idle(store, keyring):
    made = wish_for(store, keyring, is_automatic=True)

    assert [(key.selector, key.state) for key in made.dkim_keys] == [
        ("s1", KeyState.ACTIVE),
        ("s2", KeyState.EMPTIED),
    ]
    assert re.fullmatch("em[1-9][0-9]{3}", made.return_path)
    assert re.fullmatch("[a-z2-7]{16}", made.label)
    assert not made.dkim_keys[1].sealed_private_key


def test_no_two_claims_share_a_label(store, keyring):
    labels = {wish_for(store, keyring, f"n{n}.example", is_automatic=True, selector="abc").label for n in range(5)}

    assert len(labels) == 5


def test_a_wish_is_fulfilled(store, keyring):
    made = wish_for(
        store,
        keyring,
        is_automatic=True,
        return_path="bounce",
        selector="abc",
        is_default=True,
        custom_spf=True,
        addresses=("192.0.2.7", "192.0.2.1"),
    )

    assert [key.selector for key in made.dkim_keys] == ["abc", "abc2"]
    assert (made.return_path, made.is_default, made.custom_spf) == ("bounce", True, True)
    assert made.addresses == ("192.0.2.1", "192.0.2.7")


def test_manual_security_with_a_return_path_has_one_key(store, keyring):
    made = wish_for(store, keyring, return_path="em1")

    assert [key.selector for key in made.dkim_keys] == ["m1"]
    assert made.label is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"return_path": "a.b"}, "subdomain"),
        ({"return_path": "-a"}, "subdomain"),
        ({"selector": "abcd"}, "custom_dkim_selector"),
        ({"selector": "a_b"}, "custom_dkim_selector"),
        ({"custom_spf": True}, "ips"),
        ({"addresses": ("example.com",)}, "ips"),
        ({"addresses": tuple(f"192.0.2.{n}" for n in range(11))}, "ips"),
    ],
    ids=str,
)
def test_a_wish_that_cannot_be_is_refused(store, keyring, wish, field):
    with pytest.raises(NotClaimable) as refusal:
        wish_for(store, keyring, is_automatic=True, **wish)

    assert refusal.value.field == field
    assert store.added == []


def test_the_same_again_is_taken(store, keyring, claim):
    with pytest.raises(DomainTaken):
        wish_for(store, keyring)


def test_public_suffix_is_nobodys(store, keyring):
    with pytest.raises(NotClaimable, match="is a public suffix"):
        claim_domain(store, AccountId("acc_1"), "co.uk", keyring=keyring, entropy=SystemEntropy(), now=NOW)

    assert store.added == []


async def test_claim_is_verified_once_the_dns_has_its_records(store, claim, make_resolver):
    plan = plan_records(claim, RELAY)

    findings = await prove(store, claim, make_resolver({record.name: (record.value,) for record in plan}))

    assert is_proved(findings)
    assert store.verified == [(AccountId("acc_1"), claim.id, NOW)]


async def test_claim_stays_pending_without_them(store, claim, make_resolver):
    findings = await prove(store, claim, make_resolver({}))

    assert not is_proved(findings)
    assert store.verified == []


async def test_a_name_that_is_held_is_proved_but_not_verified(store, claim, make_resolver):
    plan = plan_records(claim, RELAY)
    resolver = make_resolver({record.name: (record.value,) for record in plan})
    review = DomainReview(
        account_id=claim.account_id, name=claim.name, looks_like="examp1e.com", state=ReviewState.HELD, held_at=NOW
    )

    with pytest.raises(HeldForReview) as caught:
        await prove(store, claim, resolver, Guard(review))

    assert caught.value.review == review
    assert store.verified == []


async def test_a_claim_that_is_verified_is_not_held_when_it_is_proved_again(store, claim, make_resolver):
    plan = plan_records(claim, RELAY)
    resolver = make_resolver({record.name: (record.value,) for record in plan})
    review = DomainReview(
        account_id=claim.account_id, name=claim.name, looks_like="examp1e.com", state=ReviewState.HELD, held_at=NOW
    )

    findings = await prove(store, replace(claim, state=DomainState.VERIFIED), resolver, Guard(review))

    assert is_proved(findings)
    assert store.verified == [(claim.account_id, claim.id, NOW)]
