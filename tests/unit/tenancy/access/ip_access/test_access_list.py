from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest

from gatepost.tenancy.access.ip_access.access_list import EVERYWHERE, AccessList, IPRule, ListMode, Verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def listing(*networks: str, mode: ListMode = ListMode.ENFORCED) -> AccessList:
    rules = [
        IPRule(id=place, network=ip_network(text), created_at=NOW, updated_at=NOW)
        for place, text in enumerate(networks, start=1)
    ]
    return AccessList(mode=mode, rules=tuple(rules), last_id=len(rules))


@pytest.mark.parametrize("mode", ListMode)
def test_a_list_of_nothing_lets_in_everybody(mode: ListMode) -> None:
    assert listing(mode=mode).judge(ip_address("192.0.2.1")) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("mode", "peer", "expected"),
    [
        (ListMode.ENFORCED, "192.0.2.1", Verdict.ALLOWED),
        (ListMode.ENFORCED, "::ffff:192.0.2.1", Verdict.ALLOWED),
        (ListMode.ENFORCED, "2001:db8::1", Verdict.ALLOWED),
        (ListMode.ENFORCED, "192.0.3.1", Verdict.REFUSED),
        (ListMode.ENFORCED, "2001:db9::1", Verdict.REFUSED),
        (ListMode.OBSERVED, "192.0.2.1", Verdict.ALLOWED),
        (ListMode.OBSERVED, "192.0.3.1", Verdict.WOULD_REFUSE),
    ],
)
def test_whoever_is_not_listed_is_refused_unless_the_list_is_observed(
    mode: ListMode, peer: str, expected: Verdict
) -> None:
    assert listing("192.0.2.0/24", "2001:db8::/32", mode=mode).judge(ip_address(peer)) is expected


def test_lists_are_equal_by_their_rules() -> None:
    assert listing("192.0.2.0/24") == listing("192.0.2.0/24") != listing("192.0.2.0/25")
    assert AccessList() == EVERYWHERE
