import pytest

from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.lifecycle import TRANSITIONS, AccountRefused, create


@pytest.mark.parametrize(
    "name",
    ["", "Acme", "acme corp", "-acme", "acme-", "acc_me", "a" * 65, "acme\n", "../etc", "acmé", "a/b", "--help"],
)
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(AccountRefused, match="is not a name for an account"):
        create(None, name, now=None, entropy=None)  # nothing may be drawn or stored


def test_nothing_leads_out_of_closed() -> None:
    ways_out = [to for to, only_from in TRANSITIONS.items() if AccountState.CLOSED in only_from]

    assert ways_out == [AccountState.CLOSED]


def test_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(AccountState)
