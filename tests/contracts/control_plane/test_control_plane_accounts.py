"""AccountStore on the real engine."""

from dataclasses import replace

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.lifecycle import AccountRefused
from gatepost.tenancy.accounts.ports import AccountNameTaken
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind


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


# ---------------------------------------------------------------- subusers


def make(control_plane: ControlPlane, name: str, parent: Account | None = None) -> Account:
    return lifecycle.create(
        control_plane.accounts,
        name,
        now=control_plane.clock.now(),
        entropy=control_plane.entropy,
        parent=parent,
        email=f"{name}@acme.example",
        addresses=("198.51.100.7",),
    )


def test_a_subuser_is_found_under_its_parent_and_nowhere_else(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    stranger, news = make(control_plane, "globex"), make(control_plane, "news", account)

    found = other_process.accounts.find_subuser(account.id, "news")

    assert found == news
    assert found.parent_id == account.id
    assert (found.email, found.addresses) == ("news@acme.example", ("198.51.100.7",))
    assert other_process.accounts.list_subusers(account.id) == [news]
    assert other_process.accounts.find_subuser(stranger.id, "news") is None
    assert other_process.accounts.find_subuser(account.id, "globex") is None
    assert other_process.accounts.list_subusers(stranger.id) == []


def test_there_is_one_level(control_plane: ControlPlane, account: Account) -> None:
    news = make(control_plane, "news", account)

    with pytest.raises(AccountRefused, match="a subuser has none of its own"):
        make(control_plane, "below", news)


def test_a_closed_account_gets_no_subusers(control_plane: ControlPlane, account: Account) -> None:
    lifecycle.move(control_plane.accounts, account, AccountState.CLOSED)
    closed = control_plane.accounts.find(account.id)

    with pytest.raises(AccountRefused, match="closed"):
        make(control_plane, "news", closed)


@pytest.mark.parametrize("state", AccountState)
def test_a_parent_takes_its_subusers_with_it(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, state: AccountState
) -> None:
    news = make(control_plane, "news", account)

    lifecycle.move(control_plane.accounts, account, state)

    found = other_process.accounts.find(news.id)
    assert found is not None
    assert (found.state, found.effective_state) == (AccountState.ACTIVE, state)


def test_a_parent_decides_about_its_own_subusers_alone(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    stranger, news = make(control_plane, "globex"), make(control_plane, "news", account)
    now = control_plane.clock.now()

    refused = control_plane.accounts.change_subuser(stranger.id, news.id, lambda it: replace(it, disabled_at=now))
    changed = control_plane.accounts.change_subuser(account.id, news.id, lambda it: replace(it, disabled_at=now))

    assert refused is None
    assert changed is not None
    assert changed.effective_state is AccountState.SUSPENDED
    assert other_process.accounts.find(news.id) == changed


def test_a_parent_cannot_change_what_the_operator_decides(control_plane: ControlPlane, account: Account) -> None:
    news = make(control_plane, "news", account)
    lifecycle.move(control_plane.accounts, news, AccountState.SUSPENDED)

    changed = control_plane.accounts.change_subuser(
        account.id, news.id, lambda it: replace(it, state=AccountState.ACTIVE, parent_id=None, name="x")
    )

    assert changed is not None
    assert (changed.state, changed.parent_id, changed.name) == (AccountState.SUSPENDED, account.id, "news")


def test_a_closed_subuser_is_decided_about_no_more(control_plane: ControlPlane, account: Account) -> None:
    news = make(control_plane, "news", account)
    lifecycle.move(control_plane.accounts, news, AccountState.CLOSED)

    assert control_plane.accounts.change_subuser(account.id, news.id, lambda it: it) is None


def test_a_suspended_account_is_not_made_better_by_a_review(control_plane: ControlPlane, account: Account) -> None:
    lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)

    with pytest.raises(AccountRefused, match="resume it first"):
        lifecycle.move(control_plane.accounts, account, AccountState.UNDER_REVIEW)


def test_what_a_parents_key_does_is_in_both_chains_and_says_from_where(
    control_plane: ControlPlane, account: Account
) -> None:
    actor = Actor(kind=ActorKind.KEY, id="k1", account=account.id)
    news = make(control_plane.acting_as(actor), "news", account)
    control_plane.acting_as(actor).accounts.change_subuser(
        account.id, news.id, lambda it: replace(it, disabled_at=control_plane.clock.now())
    )

    chains = [control_plane.audit.list_after(each, 0, 10) for each in (news.id, account.id)]

    assert [entry.event.act for entry in chains[0]] == [Act.ACCOUNT_CREATED, Act.SUBUSER_DISABLED]
    assert [entry.event.act for entry in chains[1]][1:] == [Act.ACCOUNT_CREATED, Act.SUBUSER_DISABLED]
    assert {entry.event.subject for entry in (*chains[0], *chains[1][1:])} == {f"account/{news.id}"}
    assert {entry.event.actor for entry in chains[0]} == {actor}
    assert control_plane.audit.verify(None, ()).faults == ()


def test_what_the_operator_does_is_in_the_subusers_chain_alone(control_plane: ControlPlane, account: Account) -> None:
    before = len(control_plane.audit.list_after(account.id, 0, 10))
    news = make(control_plane, "news", account)
    lifecycle.move(control_plane.accounts, news, AccountState.UNDER_REVIEW)

    entries = control_plane.audit.list_after(news.id, 0, 10)

    assert [entry.event.act for entry in entries] == [Act.ACCOUNT_CREATED, Act.ACCOUNT_REVIEWED]
    assert len(control_plane.audit.list_after(account.id, 0, 10)) == before
