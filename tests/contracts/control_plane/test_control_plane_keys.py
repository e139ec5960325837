"""ApiKeyStore on the real engine."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.grant import Grant, Widening, narrow
from gatepost.tenancy.access.ports import KeyUse
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account

Issue = Callable[..., Any]


@pytest.fixture
def stranger(control_plane: ControlPlane) -> Account:
    return lifecycle.create(
        control_plane.accounts, "stranger", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


def test_a_key_is_found_as_it_was_stored(
    control_plane: ControlPlane, other_process: ControlPlane, issue: Issue
) -> None:
    key = issue(
        scopes=frozenset({"mail.send", "stats.read"}),
        allowed_networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
        allowed_authors=("example.com", "news@example.net"),
        expires_at=control_plane.clock.now() + timedelta(days=30, microseconds=1),
    ).key

    assert other_process.keys.find(key.account_id, key.id) == key
    assert other_process.keys.resolve(key.id) == key
    assert other_process.keys.list_all(key.account_id) == [key]


def test_the_secret_is_nowhere_in_the_database(is_stored: Callable[[bytes], bool], issue: Issue) -> None:
    issued = issue()
    secret = issued.password.reveal().split(b".")[2]

    assert is_stored(issued.key.id.encode())
    assert not is_stored(secret)


def test_a_key_of_no_account_cannot_be_stored(control_plane: ControlPlane, issue: Issue) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        issue(account_id=AccountId("acc_none"))


def test_the_hash_of_an_unknown_key_is_the_one_given(control_plane: ControlPlane, issue: Issue) -> None:
    issued = issue()

    assert len(control_plane.keys.secret_hash(issued.key.id, otherwise=b"")) == 32
    assert control_plane.keys.secret_hash(KeyId("none"), otherwise=b"otherwise") == b"otherwise"


@pytest.mark.parametrize("call", ["find", "revoke", "change_grant"])
def test_another_account_s_key_is_out_of_reach(
    control_plane: ControlPlane, issue: Issue, stranger: Account, call: str
) -> None:
    key = issue().key
    more = {
        "find": (),
        "revoke": (control_plane.clock.now(),),
        "change_grant": (lambda grant: Grant(scopes=frozenset()),),
    }

    assert getattr(control_plane.keys, call)(stranger.id, key.id, *more[call]) is None

    assert control_plane.keys.list_all(stranger.id) == []
    assert control_plane.keys.resolve(key.id) == key


def test_keys_are_listed_oldest_first(control_plane: ControlPlane, clock: Any, issue: Issue) -> None:
    names = ["one", "two", "three"]
    for name in names:
        clock.advance(seconds=1)
        key = issue(name=name).key

    assert [each.name for each in control_plane.keys.list_all(key.account_id)] == names


def test_the_first_revocation_stands(control_plane: ControlPlane, clock: Any, issue: Issue) -> None:
    key = issue().key
    first = clock.advance(seconds=1)
    control_plane.keys.revoke(key.account_id, key.id, first)

    again = control_plane.keys.revoke(key.account_id, key.id, clock.advance(seconds=1))

    assert again == replace(key, revoked_at=first)


def test_a_grant_is_replaced_and_kept(control_plane: ControlPlane, other_process: ControlPlane, issue: Issue) -> None:
    key = issue(scopes=frozenset({"mail.send", "stats.read"})).key
    wanted = replace(key.grant, scopes=frozenset({"mail.send"}), allowed_networks=(ip_network("192.0.2.1"),))

    changed = control_plane.keys.change_grant(key.account_id, key.id, lambda grant: narrow(grant, wanted))

    assert changed == replace(key, grant=wanted)
    assert other_process.keys.find(key.account_id, key.id) == changed


def test_a_refused_grant_changes_nothing(control_plane: ControlPlane, issue: Issue) -> None:
    key = issue().key
    wider = replace(key.grant, scopes=frozenset({"mail.send", "billing.read"}))

    refused = control_plane.keys.change_grant(key.account_id, key.id, lambda grant: narrow(grant, wider))

    assert refused == Deny(Widening.SCOPES, "billing.read")
    assert control_plane.keys.find(key.account_id, key.id) == key


def test_a_grant_narrowed_meanwhile_is_not_widened_back(
    control_plane: ControlPlane, other_process: ControlPlane, issue: Issue
) -> None:
    key = issue(scopes=frozenset({"mail.send", "stats.read"})).key
    read_before = key.grant
    other_process.keys.change_grant(key.account_id, key.id, lambda grant: replace(grant, scopes=frozenset()))

    outcome = control_plane.keys.change_grant(key.account_id, key.id, lambda grant: narrow(grant, read_before))

    assert outcome == Deny(Widening.SCOPES, "mail.send, stats.read")


def test_last_uses_are_noted_together(control_plane: ControlPlane, clock: Any, issue: Issue) -> None:
    keys = [issue(name=name).key for name in ("one", "two", "idle")]
    at = clock.advance(seconds=5)

    control_plane.keys.record_uses(
        [KeyUse(account_id=key.account_id, key_id=key.id, at=at, peer="192.0.2.7") for key in keys[:2]]
    )

    found = {
        each.name: (each.last_used_at, each.last_used_from) for each in control_plane.keys.list_all(keys[0].account_id)
    }
    assert found == {"one": (at, "192.0.2.7"), "two": (at, "192.0.2.7"), "idle": (None, None)}


def test_an_earlier_use_does_not_replace_a_later_one(control_plane: ControlPlane, clock: Any, issue: Issue) -> None:
    key = issue().key
    early, late = clock.advance(seconds=1), clock.advance(seconds=1)

    for at, peer in ((late, "late"), (early, "early")):
        control_plane.keys.record_uses([KeyUse(account_id=key.account_id, key_id=key.id, at=at, peer=peer)])

    found = control_plane.keys.resolve(key.id)
    assert found is not None
    assert (found.last_used_at, found.last_used_from) == (late, "late")


def test_a_use_under_another_account_is_not_noted(control_plane: ControlPlane, issue: Issue, stranger: Account) -> None:
    key = issue().key

    control_plane.keys.record_uses(
        [KeyUse(account_id=stranger.id, key_id=key.id, at=control_plane.clock.now(), peer="192.0.2.7")]
    )

    assert control_plane.keys.resolve(key.id) == key


def test_no_uses_are_no_commit(control_plane: ControlPlane) -> None:
    before = control_plane.version.version()

    control_plane.keys.record_uses([])

    assert control_plane.version.version() == before


def test_an_account_has_no_more_keys_than_it_may(
    control_plane: ControlPlane, account: Account, stranger: Account, issue: Issue
) -> None:
    issued = [issue() for _ in range(2)]
    issue(account_id=stranger.id)

    def add(at_most: int | None) -> bool:
        key, _ = api_key.issue(
            account_id=account.id,
            name="more",
            grant=Grant(scopes=frozenset()),
            now=control_plane.clock.now(),
            entropy=control_plane.entropy,
        )
        return control_plane.keys.add(key, bytes(32), at_most=at_most)

    assert not add(2)
    assert len(control_plane.keys.list_all(account.id)) == 2
    control_plane.keys.revoke(account.id, issued[0].key.id, control_plane.clock.now())
    assert add(2)
    assert add(None)


def test_a_key_is_renamed_with_its_grant_or_not_at_all(control_plane: ControlPlane, issue: Issue) -> None:
    key = issue(name="old").key

    renamed = control_plane.keys.change_grant(key.account_id, key.id, lambda grant: grant, name="new")
    denied = control_plane.keys.change_grant(key.account_id, key.id, lambda _: Deny(Widening.SCOPES), name="newer")

    assert isinstance(denied, Deny)
    assert renamed == replace(key, name="new") == control_plane.keys.find(key.account_id, key.id)
