from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import AccountId, KeyId, SessionId, TeammateId
from gatepost.tenancy.access.budget import Budget, Purse, PurseId
from gatepost.tenancy.access.person import Person
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.access.team import decide_change, decide_grant, decide_removal, grant_of
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.console_session import Session
from gatepost.tenancy.accounts.teammate import Role, Teammate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = AccountId("acc_1")
SEND, READ, UPDATE = frozenset({"mail.send"}), frozenset({"stats.read"}), frozenset({"teammates.update"})


def teammate(role, scopes=frozenset(), name="x"):
    return Teammate(
        id=TeammateId(f"per_{name}"), account_id=ACCOUNT, email=f"{name}@x.example", username=name, role=role,
        scopes=scopes, created_at=NOW,
    )  # fmt: skip


def person(role, scopes=frozenset(), name="caller"):
    session = Session(
        id=SessionId("ses_1"), account_id=ACCOUNT, teammate_id=TeammateId(f"per_{name}"), opened_at=NOW,
        opened_by="password", expires_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    return Person(
        teammate=teammate(role, scopes, name), account_state=AccountState.ACTIVE, session=session, step=None,
        token_hash=b"",
    )  # fmt: skip


def key(scopes=CATALOGUE, **limits):
    return Principal(account_id=ACCOUNT, account_state=AccountState.ACTIVE, key_id=KeyId("k"), scopes=scopes, **limits)


LIMITS = [
    {"allowed_networks": (ip_network("192.0.2.0/24"),)},
    {"allowed_recipient_domains": ("dest.test",)},
    {"purses": (Purse(id=PurseId("p"), account_id=ACCOUNT, budget=Budget(messages_per_day=1)),)},
    {"allowed_authors": ("example.com",)},
    {"expires_at": NOW + timedelta(days=1)},
]


@pytest.mark.parametrize(
    ("caller", "role", "scopes", "may"),
    [
        pytest.param(person(Role.OWNER), Role.ADMIN, frozenset(), True, id="owner gives admin"),
        pytest.param(person(Role.ADMIN), Role.ADMIN, frozenset(), True, id="admin gives admin"),
        pytest.param(person(Role.OWNER), Role.OWNER, frozenset(), False, id="nobody gives owner"),
        pytest.param(person(Role.SCOPED, SEND), Role.SCOPED, SEND, True, id="scoped gives what he has"),
        pytest.param(person(Role.SCOPED, SEND), Role.SCOPED, SEND | READ, False, id="scoped gives more"),
        pytest.param(person(Role.SCOPED, CATALOGUE), Role.ADMIN, frozenset(), False, id="scoped gives admin"),
        pytest.param(key(), Role.ADMIN, frozenset(), True, id="full key gives admin"),
        pytest.param(key(CATALOGUE - SEND), Role.ADMIN, frozenset(), False, id="lesser key gives admin"),
        pytest.param(key(SEND), Role.SCOPED, SEND, True, id="key gives what it has"),
        pytest.param(key(SEND), Role.SCOPED, READ, False, id="key gives more"),
        *[pytest.param(key(**limit), Role.SCOPED, SEND, False, id=f"key with {[*limit]} gives") for limit in LIMITS],
    ],
)
def test_nobody_gives_what_he_does_not_hold(caller, role, scopes, may):
    assert bool(decide_grant(caller, role, scopes)) is may


@pytest.mark.parametrize(
    ("caller", "target", "may"),
    [
        (person(Role.OWNER), teammate(Role.ADMIN), True),
        (person(Role.ADMIN), teammate(Role.OWNER), False),
        (person(Role.ADMIN), teammate(Role.ADMIN, name="caller"), False),
        (person(Role.SCOPED, SEND), teammate(Role.SCOPED, SEND), True),
        (person(Role.SCOPED, SEND), teammate(Role.SCOPED, READ), False),
        (person(Role.SCOPED, SEND | UPDATE), teammate(Role.SCOPED, SEND | UPDATE), True),
        (person(Role.SCOPED, CATALOGUE), teammate(Role.ADMIN), False),
        (key(), teammate(Role.ADMIN), True),
        (key(SEND), teammate(Role.SCOPED, READ), False),
        (key(), teammate(Role.OWNER), False),
    ],
    ids=["owner admin", "admin owner", "himself", "scoped his like", "scoped another",
         "scoped his like with a scope of admins", "scoped admin", "key admin",
         "key another", "key owner"],
)  # fmt: skip
def test_who_removes_a_person_holds_all_that_person_holds(caller, target, may):
    assert bool(decide_removal(caller, target)) is may


def test_a_change_is_for_admins():
    target = teammate(Role.SCOPED, SEND)

    assert decide_change(person(Role.ADMIN), target, Role.SCOPED, READ)
    assert not decide_change(person(Role.SCOPED, CATALOGUE), target, Role.SCOPED, READ)
    assert not decide_change(key(SEND), target, Role.SCOPED, READ)
    assert not decide_change(person(Role.ADMIN), replace(target, role=Role.OWNER), Role.SCOPED, READ)


@pytest.mark.parametrize(
    ("caller", "held"),
    [
        pytest.param(person(Role.SCOPED, SEND | UPDATE), SEND, id="a scoped person changes nobody"),
        pytest.param(person(Role.ADMIN), CATALOGUE, id="an admin does"),
        pytest.param(key(SEND | UPDATE), SEND | UPDATE, id="a key that was given it does"),
    ],
)
def test_what_a_caller_may_hand_on_is_what_he_can_do_himself(caller, held):
    assert grant_of(caller).scopes == held
