from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gatepost.primitives.decision import ALLOW, Deny
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.authorize import authorize
from gatepost.tenancy.access.ip_access.access_list import AccessList, IPRule, ListMode
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.accounts.account import AccountState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRINCIPAL = Principal(
    account_id=AccountId("acc_1"), account_state=AccountState.ACTIVE, key_id=KeyId("k"), scopes=frozenset({"mail.send"})
)
EXPIRED = {"expires_at": NOW}
ELSEWHERE = {"allowed_networks": (ip_network("10.0.0.0/8"),)}
UNLISTED = {
    "access_list": AccessList(
        rules=(IPRule(id=1, network=ip_network("10.0.0.0/8"), created_at=NOW, updated_at=NOW),), last_id=1
    )
}
OBSERVED = {"access_list": replace(UNLISTED["access_list"], mode=ListMode.OBSERVED)}
UNSCOPED = {"scopes": frozenset({"mail.batch.read"})}
REVIEWED = {"account_state": AccountState.UNDER_REVIEW}
SUSPENDED = {"account_state": AccountState.SUSPENDED}
CLOSED = {"account_state": AccountState.CLOSED}


def decide(**change: Any) -> object:
    return authorize(replace(PRINCIPAL, **change), scope="mail.send", peer=ip_address("192.0.2.1"), now=NOW)


@pytest.mark.parametrize("change", [{}, {"allowed_networks": (ip_network("192.0.2.0/24"),)}, OBSERVED])
def test_what_the_key_grants_is_allowed(change: dict[str, Any]) -> None:
    assert decide(**change) is ALLOW


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (EXPIRED, AccessDenial.KEY_NOT_VALID),
        (UNLISTED, AccessDenial.ADDRESS_NOT_LISTED),
        (ELSEWHERE, AccessDenial.NETWORK_NOT_ALLOWED),
        (UNSCOPED, AccessDenial.SCOPE_MISSING),
        (REVIEWED, AccessDenial.ACCOUNT_UNDER_REVIEW),
        (SUSPENDED, AccessDenial.ACCOUNT_NOT_ACTIVE),
        (CLOSED, AccessDenial.ACCOUNT_NOT_ACTIVE),
        (EXPIRED | ELSEWHERE | UNSCOPED | CLOSED, AccessDenial.KEY_NOT_VALID),
        (UNLISTED | ELSEWHERE | UNSCOPED | CLOSED, AccessDenial.ADDRESS_NOT_LISTED),
        (ELSEWHERE | UNSCOPED | CLOSED, AccessDenial.NETWORK_NOT_ALLOWED),
        (UNSCOPED | CLOSED, AccessDenial.SCOPE_MISSING),
    ],
)
def test_the_first_reason_wins(change: dict[str, Any], reason: AccessDenial) -> None:
    assert decide(**change) == Deny(reason)


def test_what_needs_no_scope_still_needs_a_valid_key_from_where_it_may_be_used() -> None:
    def decide_unscoped(**change: Any) -> object:
        return authorize(replace(PRINCIPAL, **change), scope=None, peer=ip_address("192.0.2.1"), now=NOW)

    assert decide_unscoped(**UNSCOPED) is ALLOW
    assert decide_unscoped(**EXPIRED) == Deny(AccessDenial.KEY_NOT_VALID)
    assert decide_unscoped(**UNLISTED) == Deny(AccessDenial.ADDRESS_NOT_LISTED)
    assert decide_unscoped(**ELSEWHERE) == Deny(AccessDenial.NETWORK_NOT_ALLOWED)
    assert decide_unscoped(**REVIEWED) is ALLOW
    assert decide_unscoped(**SUSPENDED) == Deny(AccessDenial.ACCOUNT_NOT_ACTIVE)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (AccountState.ACTIVE, None),
        (AccountState.UNDER_REVIEW, None),
        (AccountState.SUSPENDED, AccessDenial.ACCOUNT_NOT_ACTIVE),
        (AccountState.CLOSED, AccessDenial.ACCOUNT_NOT_ACTIVE),
    ],
)
def test_under_review_everything_but_sending_goes_on(state: AccountState, reason: AccessDenial | None) -> None:
    principal = replace(PRINCIPAL, account_state=state, scopes=frozenset({"api_keys.delete"}))

    decision = authorize(principal, scope="api_keys.delete", peer=ip_address("192.0.2.1"), now=NOW)

    assert decision == (ALLOW if reason is None else Deny(reason))
