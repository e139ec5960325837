from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState

PARENT, SUBUSER, SIBLING = AccountId("acc_p"), AccountId("acc_s"), AccountId("acc_o")
CLAIM = AuthenticatedDomain(
    name="example.com",
    account_id=PARENT,
    state=DomainState.VERIFIED,
    dkim_keys=(),
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    assigned_to=frozenset({SUBUSER}),
)


@pytest.mark.parametrize(("account_id", "may"), [(PARENT, True), (SUBUSER, True), (SIBLING, False)])
def test_a_domain_is_its_holders_and_of_whom_it_is_assigned_to(account_id: AccountId, may: bool) -> None:
    assert CLAIM.may_be_used_by(account_id) is may
