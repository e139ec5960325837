"""``gatepost audit``."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gatepost.cli import audit as audit_command
from gatepost.cli.account import account as account_group
from gatepost.cli.audit import audit as audit_group
from gatepost.cli.key import key as key_group
from gatepost.primitives.errors import Permanent
from gatepost.runtime.control_plane import ControlPlane
from gatepost.system.keyring import create_keyring
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.audit.entry import Actor, ActorKind

ALICE = Actor(kind=ActorKind.OPERATOR, id="alice", origin="ssh 192.0.2.7", credential="uid 1000")


def execute(plane: ControlPlane, statement: str) -> int:
    with plane.database.writing() as connection:
        return connection.execute(text(statement)).rowcount


@pytest.fixture
def acme(commands: Any) -> Any:
    commands.actor = ALICE
    assert commands.run(account_group, "create", "acme").exit_code == 0
    made = commands.run(key_group, "create", "--account", "acme", "--name", "n", "--scope", "mail.send").stdout.strip()
    assert commands.run(key_group, "revoke", made).exit_code == 0
    assert commands.run(account_group, "create", "globex").exit_code == 0
    return commands


def test_tail_shows_who_did_what(acme: Any) -> None:
    lines = acme.run(audit_group, "tail", "--account", "acme").stdout.splitlines()

    assert len(lines) == 3
    assert re.fullmatch(
        r"2026-03-01T12:00:00Z  acme 1  account_created  account/acc_\S+  by operator alice ssh 192.0.2.7"
        r'  name: "acme"; state: "active"',
        lines[0],
    )
    assert lines[2].endswith('revoked_at: - → "2026-03-01T12:00:00+00:00"')


def test_tail_of_all_accounts_shows_the_newest(acme: Any, clock: Any) -> None:
    clock.advance(hours=1)
    acme.run(account_group, "suspend", "acme")

    shown = [json.loads(line) for line in acme.run(audit_group, "tail", "--json", "--limit", "2").stdout.splitlines()]

    assert [(each["account"], each["act"]) for each in shown][-1] == ("acme", "account_suspended")
    assert len(shown) == 2
    assert shown[1]["before"] == {"name": "acme", "state": "active"}
    assert shown[1]["actor"] == {
        "kind": "operator", "id": "alice", "origin": "ssh 192.0.2.7", "credential": "uid 1000"
    }  # fmt: skip
    assert acme.run(audit_group, "tail", "--limit", "0").stdout == ""


def test_tail_follows(acme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([lambda: acme.run(account_group, "suspend", "globex"), lambda: None])

    def sleep(seconds: float) -> None:
        try:
            next(rounds)()
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(audit_command.time, "sleep", sleep)

    result = acme.run(audit_group, "tail", "--follow", "--limit", "0")

    assert result.exit_code == 0
    assert [line.split()[3] for line in result.stdout.splitlines()] == ["account_suspended"]


def test_tail_of_a_damaged_log_says_what_to_do(acme: Any, control_plane: ControlPlane) -> None:
    execute(control_plane, "UPDATE audit_entries SET record = link WHERE sequence = 2")

    result = acme.run(audit_group, "tail")

    assert isinstance(result.exception, Permanent)
    assert "entry 2 of the audit log of acc_" in str(result.exception)


def test_a_whole_log_verifies(acme: Any) -> None:
    result = acme.run(audit_group, "verify")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "All 4 entries of 2 accounts are there" in result.stderr
    assert "--head" in result.stderr


def test_a_fault_is_named_and_fails(acme: Any, control_plane: ControlPlane) -> None:
    execute(control_plane, "DELETE FROM audit_entries WHERE sequence = 2")

    result = acme.run(audit_group, "verify")

    assert (result.exit_code, result.stdout) == (1, "acme: entry 2 is missing\n")
    assert acme.run(audit_group, "verify", "--account", "acme").exit_code == 1
    assert acme.run(audit_group, "verify", "--account", "globex").exit_code == 0


def test_a_kept_head_proves_that_nothing_was_set_back(acme: Any, control_plane: ControlPlane, tmp_path: Any) -> None:
    tables = ("audit_entries", "audit_heads")
    for table in tables:
        execute(control_plane, f"CREATE TABLE old_{table} AS SELECT * FROM {table}")
    acme.run(account_group, "suspend", "acme")
    [kept] = acme.run(audit_group, "head", "--account", "acme").stdout.splitlines()
    heads = tmp_path / "heads"
    heads.write_text(acme.run(audit_group, "head").stdout, encoding="utf-8")
    assert acme.run(audit_group, "verify", "--head", kept, "--heads", str(heads)).exit_code == 0
    for table in tables:
        execute(control_plane, f"DELETE FROM {table}")
        execute(control_plane, f"INSERT INTO {table} SELECT * FROM old_{table}")

    assert acme.run(audit_group, "verify").exit_code == 0
    for arguments in (["--head", kept], ["--heads", str(heads)]):
        result = acme.run(audit_group, "verify", *arguments)
        assert (result.exit_code, result.stdout) == (1, "acme: entry 4 is missing, though its link was kept\n")


def test_a_head_that_is_none_is_explained(acme: Any) -> None:
    result = acme.run(audit_group, "verify", "--head", "deadbeef")

    assert result.exit_code == 2
    assert "gatepost audit head" in result.stderr


def test_nothing_is_proved_by_the_log_of_another_keyring(acme: Any, control_plane: ControlPlane) -> None:
    acme.place.keyring_file.unlink()
    create_keyring(acme.place.keyring_file, acme.place.entropy)

    assert acme.run(audit_group, "verify").exit_code == 1
    assert acme.run(account_group, "suspend", "acme").exit_code == 0


def test_what_was_typed_into_a_name_does_not_reach_the_terminal(acme: Any, control_plane: ControlPlane) -> None:
    bell = replace(ALICE, id="\x1b]0;owned\x07")
    holder = control_plane.accounts.find_by_name("acme")
    assert holder is not None
    lifecycle.move(control_plane.acting_as(bell).accounts, holder, AccountState.CLOSED)

    for more in ([], ["--json"]):
        assert "\x1b" not in acme.run(audit_group, "tail", *more).stdout
