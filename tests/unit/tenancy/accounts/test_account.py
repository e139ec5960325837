from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState, worst

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = Account(id=AccountId("acc_1"), name="acme", state=AccountState.ACTIVE, created_at=NOW)
ACTIVE, REVIEW, SUSPENDED, CLOSED = AccountState


@pytest.mark.parametrize("own", AccountState)
@pytest.mark.parametrize("parents", AccountState)
def test_the_worst_of_both_counts_whichever_has_it(own: AccountState, parents: AccountState) -> None:
    order = [ACTIVE, REVIEW, SUSPENDED, CLOSED]

    effective = replace(ACCOUNT, state=own, parent_state=parents).effective_state

    assert order.index(effective) == max(order.index(own), order.index(parents))
    assert worst(own, parents) is worst(parents, own) is effective


@pytest.mark.parametrize(
    ("own", "effective"), [(ACTIVE, SUSPENDED), (REVIEW, SUSPENDED), (SUSPENDED, SUSPENDED), (CLOSED, CLOSED)]
)
def test_a_subuser_that_its_parent_has_disabled_is_suspended_at_best(
    own: AccountState, effective: AccountState
) -> None:
    assert replace(ACCOUNT, state=own, disabled_at=NOW).effective_state is effective


def test_barring_people_from_the_website_changes_no_state() -> None:
    assert replace(ACCOUNT, website_disabled_at=NOW).effective_state is ACTIVE
