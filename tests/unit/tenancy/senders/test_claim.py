from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.senders.claim import NotClaimable, claim_domain, prove_domain
from gatepost.tenancy.senders.dns_check import is_proved
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.domain import DomainState

NOW = datetime(2027, 1, 1, tzinfo=UTC)
RELAY = Relay(host_name="mail.relay.example", sending_networks=(ip_network("192.0.2.1/32"),))


class Store:
    """Remembers what was added and what was marked."""

    def __init__(self):
        self.added, self.verified = [], []

    def add(self, claim):
        self.added.append(claim)
        return len(self.added)

    def find(self, account_id, name):
        return next((claim for claim in self.added if (claim.account_id, claim.name) == (account_id, name)), None)

    def mark_verified(self, account_id, number, at):
        self.verified.append((account_id, number, at))


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def claim(store, keyring):
    return claim_domain(store, AccountId("acc_1"), "example.com", keyring=keyring, entropy=SystemEntropy(), now=NOW)


async def prove(store, claim, resolver):
    return await prove_domain(store, claim, resolver, relay=RELAY, now=NOW)


def test_claim_is_pending_and_has_keys_of_its_own(store, claim):
    assert [replace(added, id=claim.id) for added in store.added] == [claim]
    assert (claim.state, len(claim.dkim_keys)) == (DomainState.PENDING, 2)


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
