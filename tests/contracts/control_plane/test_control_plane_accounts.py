"""AccountStore on the real engine."""

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.lifecycle import AccountRefused
from gatepost.tenancy.accounts.ports import AccountNameTaken


def test_an_account_is_found_as_it_was_stored(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    assert other_process.accounts.find(account.id) == account
    assert other_process.accounts.find_by_name("acme") == account


def test_what_is_not_there_is_none(control_plane: ControlPlane) -> None:
    assert control_plane.accounts.find(AccountId("acc_none")) is None
    assert control_plane.accounts.find_by_name("none") is None


def test_a_name_is_given_once(control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(AccountNameTaken, match="acme"):
        lifecycle.create(control_plane.accounts, "acme", now=control_plane.clock.now(), entropy=control_plane.entropy)


def test_accounts_are_listed_by_name(control_plane: ControlPlane, account: Account) -> None:
    for name in ("zoo", "aardvark"):
        lifecycle.create(control_plane.accounts, name, now=control_plane.clock.now(), entropy=control_plane.entropy)

    assert [each.name for each in control_plane.accounts.list_all()] == ["aardvark", "acme", "zoo"]


@pytest.mark.parametrize("moves", [[AccountState.SUSPENDED], [AccountState.SUSPENDED, AccountState.ACTIVE]])
def test_moves_are_kept(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, moves: list[AccountState]
) -> None:
    for state in moves:
        lifecycle.move(control_plane.accounts, account, state)

    found = other_process.accounts.find(account.id)
    assert found is not None
    assert found.state is moves[-1]


@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.SUSPENDED])
def test_a_closed_account_stays_closed(control_plane: ControlPlane, account: Account, state: AccountState) -> None:
    lifecycle.move(control_plane.accounts, account, AccountState.CLOSED)

    with pytest.raises(AccountRefused, match="closed"):
        lifecycle.move(control_plane.accounts, account, state)

    found = control_plane.accounts.find(account.id)
    assert found is not None
    assert found.state is AccountState.CLOSED


def test_a_move_that_was_made_already_may_be_made_again(control_plane: ControlPlane, account: Account) -> None:
    for _ in range(2):
        lifecycle.move(control_plane.accounts, account, AccountState.CLOSED)


def test_an_account_is_found_by_name_or_id(control_plane: ControlPlane, account: Account) -> None:
    assert lifecycle.find_named(control_plane.accounts, "acme") == account
    assert lifecycle.find_named(control_plane.accounts, account.id) == account
    assert lifecycle.find_named(control_plane.accounts, "acc_none") is None
