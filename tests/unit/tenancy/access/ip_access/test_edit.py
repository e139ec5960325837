from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.access_list import MAX_RULES, AccessList, ListMode
from gatepost.tenancy.access.ip_access.edit import Author, EditDenial

ACCOUNT = AccountId("acc_a")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = Author(address=ip_address("192.0.2.1"))
PROVED = Author(address=ip_address("192.0.2.1"), may_force=True)
NOBODY = Author(address=None)


class OneList:
    """A list in memory: what the port promises, for one account."""

    def __init__(self) -> None:
        self.held = AccessList()

    def find(self, account_id: AccountId) -> AccessList:
        return self.held

    def change(
        self, account_id: AccountId, decide: Callable[[AccessList], AccessList | Deny], *, is_forced: bool = False
    ) -> AccessList | Deny:
        outcome = decide(self.held)
        if isinstance(outcome, AccessList):
            self.held = outcome
        return outcome


@pytest.fixture
def store() -> OneList:
    return OneList()


def add(store: OneList, *networks: str, author: Author = NOBODY, force: bool = False) -> AccessList | Deny:
    return edit.add_rules(store, ACCOUNT, [ip_network(text) for text in networks], author, now=NOW, force=force)


def listed(store: OneList) -> dict[int, str]:
    return {rule.id: str(rule.network) for rule in store.held.rules}


def test_rules_are_numbered_and_no_number_is_given_twice(store: OneList) -> None:
    add(store, "192.0.2.0/24", "10.0.0.0/8")
    edit.remove_rules(store, ACCOUNT, [2], NOBODY)
    add(store, "172.16.0.0/12", "192.0.2.0/24", "172.16.0.0/12")

    assert listed(store) == {1: "192.0.2.0/24", 3: "172.16.0.0/12"}


def test_the_first_rule_may_not_shut_out_its_author(store: OneList) -> None:
    outcome = add(store, "10.0.0.0/8", author=HERE)

    assert outcome == Deny(EditDenial.SHUTS_OUT_AUTHOR, "192.0.2.1")
    assert listed(store) == {}


def test_the_author_may_list_others_along_with_himself(store: OneList) -> None:
    add(store, "10.0.0.0/8", "192.0.2.1", author=HERE)

    assert len(listed(store)) == 2


@pytest.mark.parametrize(("ids", "refused"), [([2], False), ([1], True), ([1, 2], False)])
def test_removing_ones_own_rule_is_refused_unless_none_is_left(store: OneList, ids: list[int], refused: bool) -> None:
    add(store, "192.0.2.1", "10.0.0.0/8")

    outcome = edit.remove_rules(store, ACCOUNT, ids, HERE)

    assert isinstance(outcome, Deny) is refused
    assert len(listed(store)) == (2 if refused else 2 - len(ids))


def test_removing_what_is_not_there_removes_nothing(store: OneList) -> None:
    add(store, "192.0.2.1", "10.0.0.0/8")

    assert edit.remove_rules(store, ACCOUNT, [1, 7], HERE) == Deny(EditDenial.RULE_UNKNOWN, "7")
    assert len(listed(store)) == 2


def test_switching_on_is_an_edit_like_any_other(store: OneList) -> None:
    edit.set_mode(store, ACCOUNT, ListMode.OBSERVED, HERE)
    add(store, "10.0.0.0/8", author=HERE)

    assert edit.set_mode(store, ACCOUNT, ListMode.ENFORCED, HERE) == Deny(EditDenial.SHUTS_OUT_AUTHOR, "192.0.2.1")
    assert store.held.mode is ListMode.OBSERVED


@pytest.mark.parametrize(("author", "reason"), [(HERE, EditDenial.FORCE_NOT_ALLOWED), (PROVED, None)])
def test_only_who_has_proved_a_second_factor_forces(store: OneList, author: Author, reason: EditDenial | None) -> None:
    outcome = add(store, "10.0.0.0/8", author=author, force=True)

    assert (outcome.reason if isinstance(outcome, Deny) else None) is reason
    assert len(listed(store)) == (0 if reason else 1)


def test_a_second_factor_alone_forces_nothing(store: OneList) -> None:
    assert add(store, "10.0.0.0/8", author=PROVED) == Deny(EditDenial.SHUTS_OUT_AUTHOR, "192.0.2.1")


@pytest.mark.parametrize(
    ("lately", "refused"), [([], False), (["192.0.2.1", "192.0.2.2"], True), (["192.0.2.1", "10.0.0.1"], False)]
)
def test_an_author_who_is_not_judged_leaves_somebody_in(store: OneList, lately: list[str], refused: bool) -> None:
    author = Author(address=None, may_force=True, let_in_lately=[ip_address(each) for each in lately])

    outcome = add(store, "10.0.0.0/8", author=author)

    assert outcome == Deny(EditDenial.SHUTS_OUT_EVERYBODY, "2") if refused else isinstance(outcome, AccessList)
    assert isinstance(add(store, "10.0.0.0/8", author=author, force=True), AccessList)


def test_a_list_is_bounded(store: OneList) -> None:
    add(store, *[f"10.0.{number >> 8}.{number & 255}" for number in range(MAX_RULES)])

    assert add(store, "192.0.2.1") == Deny(EditDenial.TOO_MANY_RULES, "1000")
    assert len(listed(store)) == MAX_RULES
