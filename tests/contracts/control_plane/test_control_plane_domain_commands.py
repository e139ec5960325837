"""``gatepost domain`` on the real control plane; the DNS and the mail workers are ports, stood in for."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from sqlalchemy import text

from gatepost.cli.domain import domain as domain_group
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN, Predicate
from gatepost.primitives.errors import Permanent
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.dkim_key import SigningKeys
from gatepost.tenancy.senders.domain import DomainState
from gatepost.tenancy.senders.sender_names import SenderNames


@pytest.fixture(autouse=True)
def rival(control_plane: ControlPlane, account: Account) -> Account:
    return lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )


def run(commands: Any, *arguments: str, account: str = "acme", **more: str) -> Result:
    result: Result = commands.run(domain_group, *arguments, "--account", account, **more)
    return result


def add(commands: Any, name: str = "example.com", account: str = "acme") -> dict[str, str]:
    """Add a domain; return the values to publish by name."""
    result = run(commands, "add", name, "--json", account=account)
    assert result.exit_code == 0, result.output
    return {record["name"]: record["value"] for record in json.loads(result.stdout)}


def publish(commands: Any, records: dict[str, str]) -> None:
    commands.dns.texts.update({name: [value.encode()] for name, value in records.items()})


def add_verified(commands: Any) -> None:
    publish(commands, add(commands))
    assert run(commands, "verify", "example.com").exit_code == 0


def test_adding_makes_two_keys_that_rest_sealed(
    commands: Any, control_plane: ControlPlane, account: Account, is_stored: Callable[[bytes], bool]
) -> None:
    result = run(commands, "add", "Example.COM.")

    assert result.exit_code == 0
    claim = control_plane.domains.find(account.id, "example.com")
    assert claim is not None
    assert claim.state is DomainState.PENDING
    rsa, ed25519 = (key.private_key for key in SigningKeys(control_plane.keyring).keys_for(claim))
    assert isinstance(rsa, RSAPrivateKey)
    assert isinstance(ed25519, Ed25519PrivateKey)
    assert rsa.key_size == 2048
    prime = rsa.private_numbers().p
    assert not is_stored(prime.to_bytes((prime.bit_length() + 7) // 8, "big"))
    assert not is_stored(ed25519.private_bytes_raw())
    for key in claim.dkim_keys:
        assert is_stored(key.sealed_private_key[:64])
        assert f"{key.selector}._domainkey.example.com. 3600 IN TXT" in result.stdout
    assert "gatepost domain verify --account acme example.com" in result.stderr


def test_a_sealed_key_moved_to_another_claim_is_worthless(
    commands: Any, control_plane: ControlPlane, account: Account, rival: Account
) -> None:
    add(commands)
    claim = control_plane.domains.find(account.id, "example.com")
    assert claim is not None
    with control_plane.database.writing() as connection:
        connection.execute(text("UPDATE domains SET account_id = :rival"), {"rival": rival.id})

    moved = control_plane.domains.find(rival.id, "example.com")

    assert moved is not None
    with pytest.raises(Permanent):
        SigningKeys(control_plane.keyring).keys_for(moved)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("com", "top-level name"),
        ("exa mple.com", "write a name like example.com"),
        ("x-.example", "write a name like example.com"),
        ("192.0.2.1", "write a name like example.com"),
        ("news@example.com", "write a name like example.com"),
    ],
)
def test_what_is_no_domain_is_not_added(
    commands: Any, control_plane: ControlPlane, account: Account, name: str, message: str
) -> None:
    result = run(commands, "add", name)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert control_plane.domains.list_all(account.id) == []


def test_a_domain_is_added_once_and_shown_again(commands: Any) -> None:
    records = add(commands)

    again = run(commands, "add", "example.com")
    shown = run(commands, "show", "example.com", "--json")

    assert again.exit_code == 1
    assert "gatepost domain show --account acme example.com" in again.stderr
    details = json.loads(shown.stdout)
    assert {record["name"]: record["value"] for record in details["records"]} == records
    assert (details["state"], details["verified_at"], len(details["selectors"])) == ("pending", None, 2)
    assert "_domainkey.example.com" in run(commands, "show", "example.com").stdout


def test_domains_are_listed(commands: Any) -> None:
    empty = run(commands, "list")
    add_verified(commands)
    add(commands, "b.example")

    assert "gatepost domain add --account acme" in empty.stderr
    assert run(commands, "list").stdout.split() == [
        "DOMAIN", "STATE", "VERIFIED", "b.example", "pending", "-", "example.com", "verified", "2026-03-01T12:00:00Z",
    ]  # fmt: skip
    assert [each["name"] for each in json.loads(run(commands, "list", "--json").stdout)] == ["b.example", "example.com"]


def test_a_domain_is_verified_once_its_records_are_there(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    records = add(commands)
    early = run(commands, "verify", "example.com")
    assert control_plane.domains.find_verified("example.com") is None

    publish(commands, records)
    late = run(commands, "verify", "example.com")

    assert early.exit_code == 1
    assert early.stdout.count("missing") == 4
    assert "not verified" in early.stderr
    assert (late.exit_code, late.stdout.count("valid")) == (0, 4)
    found = control_plane.domains.find_verified("example.com")
    assert found is not None
    assert found.account_id == account.id


def test_a_dns_that_does_not_answer_verifies_nothing(commands: Any, control_plane: ControlPlane) -> None:
    publish(commands, add(commands))
    commands.dns.is_down = True

    result = run(commands, "verify", "example.com")

    assert result.exit_code == 1
    assert "timed out" in result.stdout
    assert control_plane.domains.find_verified("example.com") is None


def test_what_one_account_published_verifies_nothing_for_another(commands: Any, control_plane: ControlPlane) -> None:
    publish(commands, add(commands))
    add(commands, account="rival")

    assert run(commands, "verify", "example.com", account="rival").exit_code == 1


def test_a_name_that_another_account_has_verified_is_refused(commands: Any) -> None:
    add_verified(commands)
    publish(commands, add(commands, account="rival"))

    result = run(commands, "verify", "example.com", account="rival")

    assert result.exit_code == 1
    assert "another account has verified example.com" in result.stderr


@pytest.mark.parametrize("command", [["show"], ["verify"], ["remove", "--yes"]])
def test_a_domain_of_another_account_is_not_there(
    commands: Any, control_plane: ControlPlane, command: list[str]
) -> None:
    add_verified(commands)

    result = run(commands, *command, "example.com", account="rival")

    assert result.exit_code == 1
    assert "account rival has no domain example.com" in result.stderr
    assert commands.mail_workers.asked == []
    assert control_plane.domains.find_verified("example.com") is not None


def test_removing_withdraws_then_holds_then_forgets(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    add_verified(commands)
    commands.mail_workers.witness = lambda: (
        control_plane.domains.find_verified("example.com"),
        control_plane.domains.find(account.id, "example.com") is not None,
    )

    result = run(commands, "remove", "--yes", "example.com")

    assert result.exit_code == 0
    gone = Predicate(account_id=account.id, sender=SenderNames(name="example.com"))
    assert commands.mail_workers.asked == [("hold", gone, "domain removed")]
    assert commands.mail_workers.seen == [(None, True)]
    assert control_plane.domains.find(account.id, "example.com") is None


def test_a_removal_that_is_not_certain_finishes_when_given_again(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    add_verified(commands)
    commands.mail_workers.answer_with((0, "does not answer"))

    first = run(commands, "remove", "--yes", "example.com")
    meanwhile = control_plane.domains.find_verified("example.com")
    commands.mail_workers.answer_with((0, ""))
    second = run(commands, "remove", "--yes", "example.com")

    assert (first.exit_code, meanwhile, second.exit_code) == (1, None, 0)
    assert "NOT certain" in first.stderr
    assert len(commands.mail_workers.asked) == 2
    assert control_plane.domains.find(account.id, "example.com") is None


def test_a_claim_that_was_never_verified_is_removed_without_holding_anything(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    add(commands)

    kept = run(commands, "remove", "example.com", stdin="n\n")
    removed = run(commands, "remove", "example.com", stdin="y\n")

    assert (kept.exit_code, removed.exit_code) == (1, 0)
    assert commands.mail_workers.asked == []
    assert control_plane.domains.find(account.id, "example.com") is None


def test_the_doctor_says_what_is_broken_first_and_fails(commands: Any) -> None:
    publish(commands, {"example.com": "v=spf1 +all", "_dmarc.example.com": "v=DMARC1; p=reject"})

    result = commands.run(domain_group, "doctor", "Example.com")

    assert result.exit_code == 1
    first, second, *_ = result.stdout.splitlines()
    assert " ".join(first.split()).startswith("broken SPF the SPF record ends in +all")
    assert second.strip() == "publish: example.com TXT v=spf1 ~all"


def test_the_doctor_looks_for_the_keys_of_an_account(commands: Any) -> None:
    publish(commands, add(commands))

    advices = json.loads(run(commands, "doctor", "example.com", "--json").stdout)

    found = [advice["text"] for advice in advices if advice["subject"] == "DKIM"]
    assert len(found) == 2
    assert all("there is a key at gp" in text for text in found)


def test_the_doctor_has_no_fault_to_find_where_the_dns_is_silent(commands: Any) -> None:
    commands.dns.is_down = True

    result = commands.run(domain_group, "doctor", "example.com")

    assert result.exit_code == 0
    assert "unknown SPF" in " ".join(result.stdout.split())
    assert "ask again later" in result.stdout


def test_a_domain_that_is_proved_again_lets_go_on_what_waited_for_it(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    add_verified(commands)
    claim = control_plane.domains.find(account.id, "example.com")
    assert claim is not None
    at = control_plane.clock.now()
    control_plane.domains.withdraw(account.id, claim.id)
    control_plane.domains.change(account.id, claim.id, lambda present: replace(present, failing_since=at))
    commands.mail_workers.answer_with((2, "does not answer"))

    unsure = run(commands, "verify", "example.com")
    commands.mail_workers.answer_with((2, ""))
    again = run(commands, "verify", "example.com")
    once_more = run(commands, "verify", "example.com")

    back = SenderNames(name="example.com", all_of_them=True)
    release = ("release", Predicate(account_id=account.id, sender=back, held_for=HELD_UNTIL_RETURN), "")
    assert (unsure.exit_code, again.exit_code, once_more.exit_code) == (1, 0, 0)
    assert "NOT certain" in unsure.stderr
    assert "queued recipients released" in again.stderr
    assert commands.mail_workers.asked.count(release) == 2


def test_removing_holds_what_subusers_have_in_the_name_too(
    commands: Any, control_plane: ControlPlane, account: Account
) -> None:
    add_verified(commands)
    news = lifecycle.create(
        control_plane.accounts,
        "news",
        now=control_plane.clock.now(),
        entropy=control_plane.entropy,
        parent=account,
        email="news@acme.example",
        addresses=("198.51.100.7",),
    )
    control_plane.domains.assign(account.id, "example.com", news.id)

    assert run(commands, "remove", "--yes", "example.com").exit_code == 0

    held = [predicate.account_id for what, predicate, _ in commands.mail_workers.asked if what == "hold"]
    assert held == [account.id, news.id]
