from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.senders.claim import HeldForReview, NotClaimable, claim_domain, prove_domain
from gatepost.tenancy.senders.dns_check import is_proved
from gatepost.tenancy.senders.dns_plan import plan_records
from gatepost.tenancy.senders.domain import DomainState
from gatepost.tenancy.senders.review import DomainReview, ReviewState

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NETWORKS = (ip_network("192.0.2.1/32"),)


class Store:
    """Remembers what was added and what was marked."""

    def __init__(self):
        self.added, self.verified = [], []

    def add(self, claim):
        self.added.append(claim)

    def mark_verified(self, account_id, name, at):
        self.verified.append((account_id, name, at))


class Guard:
    """Objects to one name."""

    def __init__(self, review=None):
        self.review = review

    def find_objection(self, account_id, name, now):
        return self.review


NOTHING_HELD = Guard()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def claim(store, keyring):
    return claim_domain(store, AccountId("acc_1"), "example.com", keyring=keyring, entropy=SystemEntropy(), now=NOW)


async def prove(store, claim, resolver, guard=NOTHING_HELD):
    return await prove_domain(
        store, claim, resolver, guard=guard, sending_networks=NETWORKS, host_name="mail.relay.example", now=NOW
    )


def test_claim_is_pending_and_has_keys_of_its_own(store, claim):
    assert store.added == [claim]
    assert (claim.state, len(claim.dkim_keys)) == (DomainState.PENDING, 2)


def test_public_suffix_is_nobodys(store, keyring):
    with pytest.raises(NotClaimable, match="is a public suffix"):
        claim_domain(store, AccountId("acc_1"), "co.uk", keyring=keyring, entropy=SystemEntropy(), now=NOW)

    assert store.added == []


async def test_claim_is_verified_once_the_dns_has_its_records(store, claim, make_resolver):
    plan = plan_records(claim, sending_networks=NETWORKS, host_name="mail.relay.example")

    findings = await prove(store, claim, make_resolver({record.name: (record.value,) for record in plan}))

    assert is_proved(findings)
    assert store.verified == [(AccountId("acc_1"), "example.com", NOW)]


async def test_claim_stays_pending_without_them(store, claim, make_resolver):
    findings = await prove(store, claim, make_resolver({}))

    assert not is_proved(findings)
    assert store.verified == []


async def test_a_name_that_is_held_is_proved_but_not_verified(store, claim, make_resolver):
    plan = plan_records(claim, sending_networks=NETWORKS, host_name="mail.relay.example")
    resolver = make_resolver({record.name: (record.value,) for record in plan})
    review = DomainReview(
        account_id=claim.account_id, name=claim.name, looks_like="examp1e.com", state=ReviewState.HELD, held_at=NOW
    )

    with pytest.raises(HeldForReview) as caught:
        await prove(store, claim, resolver, Guard(review))

    assert caught.value.review == review
    assert store.verified == []


async def test_a_claim_that_is_verified_is_not_held_when_it_is_proved_again(store, claim, make_resolver):
    plan = plan_records(claim, sending_networks=NETWORKS, host_name="mail.relay.example")
    resolver = make_resolver({record.name: (record.value,) for record in plan})
    review = DomainReview(
        account_id=claim.account_id, name=claim.name, looks_like="examp1e.com", state=ReviewState.HELD, held_at=NOW
    )

    findings = await prove(store, replace(claim, state=DomainState.VERIFIED), resolver, Guard(review))

    assert is_proved(findings)
    assert store.verified == [(claim.account_id, claim.name, NOW)]
