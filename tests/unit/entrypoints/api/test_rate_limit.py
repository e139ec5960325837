from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from gatepost.entrypoints.api.rate_limit import RateLimit, RequestRates
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.meters import MemoryCells, Meters, Rate
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import AccountState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = Principal(
    account_id=AccountId("acc_a"), account_state=AccountState.ACTIVE, key_id=KeyId("a" * 22), scopes=frozenset()
)
SISTER = replace(KEY, key_id=KeyId("b" * 22))
STRANGER = replace(SISTER, account_id=AccountId("acc_b"))
PLENTY = Rate(1000, 1000)


def limit(key: Rate = PLENTY, account: Rate = PLENTY, address: Rate = PLENTY) -> RateLimit:
    rates = RequestRates(key=key, account=account, address=address)
    return RateLimit(Meters(MemoryCells()), Meters(MemoryCells()), rates)


def test_a_burst_is_allowed_and_then_as_many_as_come_back():
    limited = limit(key=Rate(3, 2))

    remaining = [limited.take(KEY, NOW).remaining for _ in range(3)]
    refused = limited.take(KEY, NOW)
    later = limited.take(KEY, NOW + timedelta(seconds=0.5))

    assert remaining == [2, 1, 0]
    assert refused.retry_after == timedelta(seconds=0.5)
    assert not later.retry_after
    assert limited.take(KEY, NOW + timedelta(seconds=0.5)).retry_after


def test_each_key_has_its_own_and_its_account_one_for_all():
    of_keys, of_account = limit(key=Rate(1, 1)), limit(account=Rate(1, 1))
    for limited in (of_keys, of_account):
        limited.take(KEY, NOW)

    assert of_keys.take(KEY, NOW).retry_after
    assert not of_keys.take(SISTER, NOW).retry_after
    assert of_account.take(SISTER, NOW).retry_after
    assert not of_account.take(STRANGER, NOW).retry_after


def test_a_refused_request_costs_neither_the_key_nor_its_account():
    limited = limit(key=Rate(1, 1), account=Rate(3, 1))
    for _ in range(5):
        limited.take(KEY, NOW)

    assert [bool(limited.take(SISTER, NOW).retry_after) for _ in range(1)] == [False]


@pytest.mark.parametrize(
    ("other", "together"),
    [("192.0.2.1", True), ("::ffff:192.0.2.1", True), ("192.0.2.2", False)],
)
def test_an_address_is_counted_whoever_it_is(other, together):
    limited = limit(address=Rate(1, 1))
    limited.take_of_address(ip_address("192.0.2.1"), NOW)

    assert bool(limited.take_of_address(ip_address(other), NOW).retry_after) is together


def test_addresses_of_one_ipv6_network_are_one_host():
    limited = limit(address=Rate(1, 1))
    limited.take_of_address(ip_address("2001:db8::1"), NOW)

    assert limited.take_of_address(ip_address("2001:db8::ffff:1"), NOW).retry_after
    assert not limited.take_of_address(ip_address("2001:db8:0:1::1"), NOW).retry_after


def test_headers_are_those_of_the_dialect_by_the_limit_that_leaves_least():
    allowance = limit(key=Rate(10, 2), account=Rate(1000, 2)).take(KEY, NOW)

    assert allowance.headers() == {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "9",
        "X-RateLimit-Reset": str(int(NOW.timestamp()) + 1),
    }
