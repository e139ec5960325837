"""``gatepost explain``, and ``gatepost domain held``, ``approve``, ``reject``, on the real control plane."""

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from click.testing import Result

from gatepost.cli.domain import domain as domain_group
from gatepost.cli.explain import explain
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.review import DomainReview, ReviewState
from gatepost.tenancy.senders.single_sender import SenderDetails, SingleSender


def verify(control_plane: ControlPlane, account: Account, name: str) -> None:
    at = account.created_at
    control_plane.domains.add(
        AuthenticatedDomain(
            name=name, account_id=account.id, state=DomainState.VERIFIED, dkim_keys=(), created_at=at, verified_at=at
        )
    )


@pytest.fixture(autouse=True)
def rival(control_plane: ControlPlane, account: Account) -> Account:
    made = lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )
    verify(control_plane, made, "rival-shop.com")
    verify(control_plane, account, "example.com")
    sender = SingleSender(
        account_id=account.id,
        email="ann@gmail.test",
        details=SenderDetails(nickname="Ann", reply_to="ann@gmail.test"),
        created_at=account.created_at,
        token_expires_at=account.created_at + timedelta(hours=1),
    )
    control_plane.senders.add(sender, b"h" * 32)
    control_plane.senders.prove(account.id, b"h" * 32, account.created_at)
    return made


def ask(commands: Any, *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    result: Result = commands.run(explain, *arguments, "--json")
    assert result.exit_code in {0, 1}, result.output
    told = json.loads(result.stdout)
    assert told["is_allowed"] is (result.exit_code == 0)
    return result.exit_code, {step["check"]: (step["outcome"], step["detail"]) for step in told["steps"]}


FROM = {
    "own domain": ("a@example.com", 0, "verified domain example.com"),
    "below it": ("a@news.example.com", 0, "verified domain above it example.com"),
    "single sender": ("ann@gmail.test", 0, "verified single sender ann@gmail.test"),
    "another tenant's": ("a@rival-shop.com", 1, "domain of another account"),
    "nobody's": ("bob@gmail.test", 1, "domain not verified"),
}


@pytest.mark.parametrize(("author", "status", "rule"), FROM.values(), ids=FROM)
def test_the_rule_is_told_for_an_account(commands: Any, author: str, status: int, rule: str) -> None:
    assert ask(commands, "--account", "acme", "--from", author)[1]["From"][1] == f"{author}: {rule}"
    assert ask(commands, "--account", "acme", "--from", author)[0] == status


def test_a_good_key_is_explained_step_by_step(commands: Any, issue: Any) -> None:
    key = issue(scopes=frozenset({"mail.send"})).key

    status, steps = ask(commands, "--key", key.id, "--from", "a@example.com", "--to", "b@dest.example")

    assert status == 0
    assert {check: outcome for check, (outcome, _) in steps.items()} == {
        "key": "yes", "address it is used from": "yes", "scope": "yes", "account": "yes", "credits": "yes",
        "recipient": "yes", "envelope sender": "yes", "From": "yes", "signature": "-",
    }  # fmt: skip
    assert steps["signature"][1] == "DKIM with d=example.com"


REFUSED = {
    "scope": (("scope",), {"scopes": frozenset({"alerts.read"})}, ()),
    "restriction": (("From",), {"scopes": frozenset({"mail.send"}), "allowed_authors": ("b@example.com",)}, ()),
    "address": (
        ("address it is used from",),
        {"scopes": frozenset({"mail.send"}), "allowed_networks": (ip_network("10.0.0.0/8"),)},
        ("--peer", "192.0.2.1"),
    ),
    "envelope": (
        ("envelope sender",), {"scopes": frozenset({"mail.send"})}, ("--envelope-from", "x@rival-shop.com"),
    ),
    "recipient": (("recipient",), {"scopes": frozenset({"mail.send"})}, ("--to", "x@mail.relay.example")),
}  # fmt: skip


@pytest.mark.parametrize(("checks", "grant", "more"), REFUSED.values(), ids=REFUSED)
def test_the_check_that_refuses_is_told(
    commands: Any, issue: Any, checks: tuple[str, ...], grant: dict[str, Any], more: tuple[str, ...]
) -> None:
    key = issue(**grant).key

    status, steps = ask(commands, "--key", key.id, "--from", "a@example.com", *more)

    assert status == 1
    assert tuple(check for check, (outcome, _) in steps.items() if outcome == "no") == checks


def test_an_address_that_was_not_given_is_not_judged(commands: Any, issue: Any) -> None:
    key = issue(scopes=frozenset({"mail.send"}), allowed_networks=(ip_network("10.0.0.0/8"),)).key

    status, steps = ask(commands, "--key", key.id, "--from", "a@example.com")

    assert status == 0
    assert steps["address it is used from"][1].startswith("not judged")


def test_a_revoked_key_and_a_suspended_account_are_told(
    commands: Any, control_plane: ControlPlane, issue: Any, account: Account
) -> None:
    key = issue(scopes=frozenset({"mail.send"})).key
    control_plane.accounts.change_state(account.id, to=AccountState.SUSPENDED, only_from=[AccountState.ACTIVE])
    suspended = ask(commands, "--key", key.id, "--from", "a@example.com")
    control_plane.keys.revoke(account.id, key.id, account.created_at)
    revoked = ask(commands, "--key", key.id, "--from", "a@example.com")

    assert (suspended[0], suspended[1]["account"][0]) == (1, "no")
    assert (revoked[0], revoked[1]["key"][0]) == (1, "no")
    assert ask(commands, "--account", "acme", "--from", "a@example.com")[0] == 1


def test_the_signing_domain_of_the_operator_signs_for_single_senders(commands: Any) -> None:
    unsigned = ask(commands, "--account", "acme", "--from", "ann@gmail.test")[1]["signature"][1]
    commands.settings.senders.signing_domain = "rival-shop.com"
    signed = ask(commands, "--account", "acme", "--from", "ann@gmail.test")[1]["signature"][1]

    assert unsigned.startswith("not signed")
    assert signed == "DKIM with d=rival-shop.com, the service's own domain: DMARC does not pass for gmail.test"


def test_the_default_domain_of_the_account_signs_for_its_single_senders(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    commands.settings.senders.signing_domain = "rival-shop.com"
    claim = control_plane.domains.find(account.id, "example.com")
    assert claim is not None
    control_plane.domains.change(account.id, claim.id, lambda present: replace(present, is_default=True))

    signature = ask(commands, "--account", "acme", "--from", "ann@gmail.test")[1]["signature"][1]

    assert signature == "DKIM with d=example.com, the account's default domain: DMARC does not pass for gmail.test"


def pend(plane: ControlPlane, account: Account, name: str, **more: Any) -> None:
    """Give an account a claim that is not verified."""
    claim = AuthenticatedDomain(
        name=name, account_id=account.id, state=DomainState.PENDING, dkim_keys=(), created_at=account.created_at, **more
    )
    plane.domains.add(claim)


#: The address, and what the operator is told to do.
MENDS = {
    "nobody's": ("bob@gmail.test", "`gatepost domain add --account acme gmail.test`"),
    "nobody's, the other way": ("bob@gmail.test", "POST /v3/verified_senders"),
    "claimed": ("a@claimed.example", "`gatepost domain verify --account acme claimed.example`"),
    "below a claimed one": ("a@x.claimed.example", "`gatepost domain verify --account acme claimed.example`"),
    "withdrawn": ("a@gone.example", "gone since 2026-03-01 12:00 UTC"),
    "held for review": ("a@rival-sh0p.com", "it looks like rival-shop.com: look at it, then `gatepost domain approve"),
    "rejected": ("a@rivai-shop.com", "was rejected"),
    "another tenant's": ("a@rival-shop.com", "account rival has verified rival-shop.com"),
    "below another tenant's": ("a@x.rival-shop.com", "account rival has verified rival-shop.com"),
    "an address not proved": ("eve@gmail.test", "GET /v3/verified_senders/verify/TOKEN"),
    "a literal": ("a@[192.0.2.1]", "an address literal is nobody's"),
}


@pytest.mark.parametrize(("author", "advice"), MENDS.values(), ids=MENDS)
def test_a_refusal_says_what_to_do_next(
    commands: Any, control_plane: ControlPlane, account: Account, author: str, advice: str
) -> None:
    at = control_plane.clock.now()
    pend(control_plane, account, "claimed.example")
    pend(control_plane, account, "gone.example", verified_at=at, failing_since=at)
    for name, state in (("rival-sh0p.com", ReviewState.HELD), ("rivai-shop.com", ReviewState.REJECTED)):
        pend(control_plane, account, name)
        review = DomainReview(account_id=account.id, name=name, looks_like="rival-shop.com", state=state, held_at=at)
        control_plane.reviews.hold(review)
    control_plane.senders.add(
        SingleSender(
            account_id=account.id,
            email="eve@gmail.test",
            details=SenderDetails(nickname="Eve", reply_to="eve@gmail.test"),
            created_at=at,
        ),
        b"e" * 32,
    )

    told = " ".join(commands.run(explain, "--account", "acme", "--from", author).stderr.split())

    assert advice in told


def test_a_subuser_is_told_that_its_parent_can_lend_the_domain(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    news = lifecycle.create(
        control_plane.accounts,
        "news",
        now=control_plane.clock.now(),
        entropy=control_plane.entropy,
        parent=account,
        email="news@acme.example",
        addresses=("198.51.100.7",),
    )
    refused = commands.run(explain, "--account", "news", "--from", "a@example.com")
    control_plane.domains.assign(account.id, "example.com", news.id)
    status, steps = ask(commands, "--account", "news", "--from", "a@example.com")

    assert "its parent acme has verified example.com and not lent it" in " ".join(refused.stderr.split())
    assert (status, steps["From"][1]) == (0, "a@example.com: assigned domain example.com")


def test_a_restricted_key_says_to_what(commands: Any, issue: Any) -> None:
    key = issue(scopes=frozenset({"mail.send"}), allowed_authors=("b@example.com",)).key

    told = commands.run(explain, "--key", key.id, "--from", "a@example.com").stderr

    assert "this key is limited to b@example.com" in " ".join(told.split())


def test_words_are_for_people_and_bad_input_says_what_to_write(commands: Any) -> None:
    good = commands.run(explain, "--account", "acme", "--from", "a@example.com", "--envelope-from", "")
    bad = commands.run(explain, "--account", "acme", "--from", "a@rival-shop.com")

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "null reverse-path" in good.stdout
    assert "domain of another account" in bad.stdout
    assert "write name@example.com" in commands.run(explain, "--account", "acme", "--from", "x").output
    assert "--key or --account" in commands.run(explain, "--from", "a@example.com").output


# ---------------------------------------------------------------- look-alikes


def run(commands: Any, *arguments: str, account: str = "acme") -> Result:
    result: Result = commands.run(domain_group, *arguments, "--account", account)
    return result


@pytest.fixture
def held(commands: Any) -> str:
    name = "rival-sh0p.com"
    added = run(commands, "add", name, "--json")
    commands.dns.texts.update({each["name"]: [each["value"].encode()] for each in json.loads(added.stdout)})
    refused = run(commands, "verify", name)
    assert refused.exit_code == 1
    assert "looks like rival-shop.com" in refused.output
    return name


def state(commands: Any, name: str) -> str:
    listed = json.loads(run(commands, "list", "--json").stdout)
    return str(next(each["state"] for each in listed if each["name"] == name))


def test_a_look_alike_is_held_until_it_is_approved(commands: Any, control_plane: ControlPlane, held: str) -> None:
    before = state(commands, held)
    waiting = commands.run(domain_group, "held").stdout
    approved = run(commands, "approve", held)
    verified = run(commands, "verify", held)

    assert before == "held"
    assert held in waiting
    assert "rival-shop.com" in waiting
    assert (approved.exit_code, verified.exit_code) == (0, 0)
    assert control_plane.domains.find_verified(held) is not None
    assert state(commands, held) == "verified"
    assert "No domain is held" in commands.run(domain_group, "held").stderr


def test_a_look_alike_that_was_rejected_is_so_also_when_it_is_added_again(commands: Any, held: str) -> None:
    run(commands, "reject", held)
    run(commands, "remove", held, "--yes")
    added = run(commands, "add", held, "--json")
    commands.dns.texts.update({each["name"]: [each["value"].encode()] for each in json.loads(added.stdout)})

    again = run(commands, "verify", held)

    assert again.exit_code == 1
    assert "was rejected" in again.output
    assert state(commands, held) == "rejected"


def test_the_operators_own_names_are_protected(commands: Any) -> None:
    added = run(commands, "add", "operator-brand.test", "--json")
    commands.dns.texts.update({each["name"]: [each["value"].encode()] for each in json.loads(added.stdout)})

    assert "looks like operator-brand.example" in run(commands, "verify", "operator-brand.test").output


def test_what_is_not_held_cannot_be_decided(commands: Any, held: str) -> None:
    assert "is not held" in run(commands, "approve", "weather.example").output
    assert "is not held" in run(commands, "approve", held, account="rival").output
    run(commands, "approve", held)
    run(commands, "verify", held)
    assert "domain remove" in run(commands, "reject", held).output
