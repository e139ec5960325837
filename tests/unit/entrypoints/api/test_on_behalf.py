"""``on-behalf-of``: whom a header names, and the one answer to all that are not the caller's."""

from datetime import UTC, datetime

import pytest

from gatepost.entrypoints.api.on_behalf import find_subuser
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import NEVER_ON_BEHALF, NOT_ON_BEHALF, Problem
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState

PARENT, STRANGER = AccountId("acc_parent"), AccountId("acc_stranger")


async def run(_: Call) -> Answer:
    return Answer(status=204)


def operation(*, is_on_behalf: bool = True) -> Operation:
    return Operation(
        method="GET", path="/", name="X", summary="", scope=None, run=run, gives={204: None}, is_on_behalf=is_on_behalf
    )


def account(name: str, parent: AccountId, state: AccountState = AccountState.ACTIVE) -> Account:
    return Account(
        id=AccountId(f"acc_{name}"),
        name=name,
        state=state,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        parent_id=parent,
    )


NEWS = account("news", PARENT)
EVERYBODY = [
    NEWS,
    account("stopped", PARENT, AccountState.SUSPENDED),
    account("gone", PARENT, AccountState.CLOSED),
    account("foreign", STRANGER),
]


class Family:
    def find_subuser(self, parent_id, name):
        return next((each for each in self.list_subusers(parent_id) if each.name == name), None)

    def list_subusers(self, parent_id):
        return [each for each in EVERYBODY if each.parent_id == parent_id]


class SilentStore:
    def find_subuser(self, parent_id, name):
        raise Transient("silent")


@pytest.mark.parametrize("header", ["news", "NEWS", " news ", "account-id acc_news", "Account-ID  acc_news"])
def test_a_subuser_is_named_by_name_in_any_case_or_by_id(header):
    assert find_subuser(header, operation(), PARENT, Family()) is NEWS


@pytest.mark.parametrize("header", ["", "  "])
def test_without_a_header_the_caller_means_itself(header):
    assert find_subuser(header, operation(is_on_behalf=False), PARENT, Family()) is None


def test_a_parent_may_act_in_one_that_is_suspended():
    assert find_subuser("stopped", operation(), PARENT, Family()).name == "stopped"


@pytest.mark.parametrize(
    "header",
    ["foreign", "account-id acc_foreign", "nobody", "account-id acc_nobody", "gone", "account-id acc_gone", "a\r\nb"],
)
def test_foreign_unknown_and_deleted_ones_get_one_answer(header):
    assert find_subuser(header, operation(), PARENT, Family()) is NOT_ON_BEHALF


@pytest.mark.parametrize("header", ["news", "nobody"])
def test_what_allows_it_not_refuses_before_it_looks(header):
    assert find_subuser(header, operation(is_on_behalf=False), PARENT, Family()) is NEVER_ON_BEHALF


def test_a_store_that_does_not_answer_is_neither_yes_nor_no():
    found = find_subuser("news", operation(), PARENT, SilentStore())

    assert isinstance(found, Problem)
    assert found.status == 503
