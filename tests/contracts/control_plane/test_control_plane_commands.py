"""``gatepost account`` and ``gatepost key`` on the real control plane; the mail workers are a port, stood in for."""

import json
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from click.testing import CliRunner

from gatepost.cli.account import account as account_group
from gatepost.cli.key import key as key_group
from gatepost.cli.migrate import migrate as migrate_command
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.ids import KeyId
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane
from gatepost.storage.database import Database
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.accounts.account import Account, AccountState

PEER = ip_address("192.0.2.1")


def create_key(commands: Any, *more: str) -> str:
    result = commands.run(key_group, "create", "--account", "acme", "--name", "billing", "--scope", "mail.send", *more)
    assert result.exit_code == 0, result.output
    return str(result.stdout.strip())


@pytest.fixture
def commands(commands: Any, control_plane: ControlPlane, account: Account) -> Any:
    def witness() -> object:
        [found] = control_plane.keys.list_all(account.id)
        holder = control_plane.accounts.find(account.id)
        return found.revoked_at is not None, found.grant.scopes, holder and holder.state

    commands.mail_workers.witness = witness
    return commands


def sign_in(control_plane: ControlPlane, text: str) -> Any:
    return control_plane.principals.authenticate("apikey", Secret(text.encode()), PEER)


# ---------------------------------------------------------------- accounts


def test_an_account_is_made_and_its_id_printed(commands: Any, control_plane: ControlPlane) -> None:
    result = commands.run(account_group, "create", "globex")

    made = control_plane.accounts.find_by_name("globex")
    assert made is not None
    assert (result.exit_code, result.stdout) == (0, f"{made.id}\n")
    assert "domain add --account globex" in result.stderr


@pytest.mark.parametrize(
    ("name", "exit_code", "message"), [("acme", 1, "already"), ("Acme Corp", 2, "use 1 to 64 of a-z")]
)
def test_a_name_that_cannot_be_had_is_explained(commands: Any, name: str, exit_code: int, message: str) -> None:
    result = commands.run(account_group, "create", name)

    assert result.exit_code == exit_code
    assert message in result.stderr
    assert result.stdout == ""


def test_accounts_are_listed_and_shown(commands: Any, account: Account) -> None:
    expected = {
        "name": "acme", "id": account.id, "state": "active", "effective_state": "active", "parent_id": None,
        "email": "", "created_at": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    shown = expected | {"credits": "unlimited"}

    assert json.loads(commands.run(account_group, "list", "--json").stdout) == [expected]
    assert json.loads(commands.run(account_group, "show", "acme", "--json").stdout) == shown
    assert json.loads(commands.run(account_group, "show", account.id, "--json").stdout) == shown
    assert commands.run(account_group, "list").stdout.split() == [
        "NAME", "ID", "STATE", "CREATED", "acme", account.id, "active", "2026-03-01T12:00:00Z",
    ]  # fmt: skip
    assert "active" in commands.run(account_group, "show", "acme").stdout


@pytest.mark.parametrize("command", ["show", "suspend", "resume", "close"])
def test_an_account_that_is_not_there_is_named(commands: Any, command: str) -> None:
    result = commands.run(account_group, command, "globex")

    assert result.exit_code == 1
    assert "there is no account 'globex': see `gatepost account list`" in result.stderr
    assert commands.mail_workers.asked == []


@pytest.mark.parametrize(
    ("command", "state"), [(("suspend",), AccountState.SUSPENDED), (("close", "--yes"), AccountState.CLOSED)]
)
def test_stopping_an_account_commits_first_and_then_holds(
    commands: Any, control_plane: ControlPlane, account: Account, command: tuple[str, ...], state: AccountState
) -> None:
    text = create_key(commands)
    principal = sign_in(control_plane, text)
    commands.mail_workers.answer_with((2, ""), (3, ""))

    result = commands.run(account_group, *command, "acme")

    assert result.exit_code == 0
    assert f"Account acme is {state.value}; 5 queued recipients held" in result.stderr
    assert commands.mail_workers.asked == [("hold", Predicate(account_id=account.id), f"account {state.value}")]
    assert commands.mail_workers.seen == [(False, frozenset({"mail.send"}), state)]
    assert control_plane.principals.recheck(principal, PEER).reason is AccessDenial.ACCOUNT_NOT_ACTIVE


def test_a_resumed_account_sends_again(commands: Any, control_plane: ControlPlane) -> None:
    text = create_key(commands)
    commands.run(account_group, "suspend", "acme")

    result = commands.run(account_group, "resume", "acme")

    assert result.exit_code == 0
    assert "queue release" in result.stderr
    assert isinstance(sign_in(control_plane, text), Principal)


def test_a_closed_account_cannot_be_resumed_nor_given_keys(commands: Any) -> None:
    create_key(commands)
    commands.run(account_group, "close", "--yes", "acme")

    resumed = commands.run(account_group, "resume", "acme")
    keyed = commands.run(key_group, "create", "--account", "acme", "--name", "n", "--scope", "mail.send")

    assert (resumed.exit_code, keyed.exit_code) == (1, 1)
    assert "for good" in resumed.stderr
    assert "closed" in keyed.stderr


@pytest.mark.parametrize(
    ("stdin", "state"), [("n\n", AccountState.ACTIVE), ("", AccountState.ACTIVE), ("y\n", AccountState.CLOSED)]
)
def test_closing_asks_first(
    commands: Any, control_plane: ControlPlane, account: Account, stdin: str, state: AccountState
) -> None:
    create_key(commands)

    commands.run(account_group, "close", "acme", stdin=stdin)

    found = control_plane.accounts.find(account.id)
    assert found is not None
    assert found.state is state


def test_subusers_are_listed_below_their_parent_with_the_state_that_counts(commands: Any, account: Account) -> None:
    made = [
        commands.run(account_group, "create", *arguments)
        for arguments in (["globex"], ["news", "--parent", "acme", "--email", "ann@acme.example"])
    ]
    commands.run(account_group, "review", "acme")

    rows = commands.run(account_group, "list").stdout.splitlines()[1:]
    shown = json.loads(commands.run(account_group, "show", "news", "--json").stdout)

    assert [each.exit_code for each in made] == [0, 0]
    assert [row[:7].rstrip() for row in rows] == ["acme", "  news", "globex"]
    assert "under review (itself active)" in rows[1]
    assert shown["parent_id"] == account.id
    assert (shown["email"], shown["effective_state"]) == ("ann@acme.example", "under review")


def test_a_subuser_of_a_subuser_is_refused(commands: Any) -> None:
    commands.run(account_group, "create", "news", "--parent", "acme")

    result = commands.run(account_group, "create", "below", "--parent", "news")

    assert result.exit_code == 2
    assert "a subuser has none of its own" in result.stderr


@pytest.mark.parametrize("command", [("review",), ("suspend",), ("close", "--yes")])
def test_stopping_a_parent_holds_what_its_subusers_have_queued(
    commands: Any, control_plane: ControlPlane, account: Account, command: tuple[str, ...]
) -> None:
    create_key(commands)
    for name in ("news", "shop"):
        commands.run(account_group, "create", name, "--parent", "acme")
    subusers = control_plane.accounts.list_subusers(account.id)

    result = commands.run(account_group, *command, "acme")

    assert result.exit_code == 0
    assert [asked[1] for asked in commands.mail_workers.asked] == [
        Predicate(account_id=each.id) for each in (account, *subusers)
    ]


def test_a_subuser_that_is_resumed_stays_down_with_its_parent(commands: Any) -> None:
    commands.run(account_group, "create", "news", "--parent", "acme")
    commands.run(account_group, "suspend", "acme")

    result = commands.run(account_group, "resume", "news")

    assert "active by itself, but its parent keeps it suspended" in result.stderr


def test_an_account_is_given_credits_and_every_worker_is_told(commands: Any, control_plane: ControlPlane) -> None:
    create_key(commands)

    given = commands.run(account_group, "credits", "acme", "--total", "500", "--every", "month")
    shown = commands.run(account_group, "show", "acme").stdout
    lifted = commands.run(account_group, "credits", "acme", "--unlimited")

    assert "has credits: 500 of 500 left, monthly" in given.stderr
    assert "500 of 500 left, monthly" in shown
    assert "has credits: unlimited" in lifted.stderr
    assert [asked[0] for asked in commands.mail_workers.asked] == ["refresh", "refresh"]


@pytest.mark.parametrize("arguments", [[], ["--unlimited", "--total", "5"], ["--unlimited", "--every", "day"]])
def test_credits_that_contradict_themselves_are_refused(commands: Any, arguments: list[str]) -> None:
    assert commands.run(account_group, "credits", "acme", *arguments).exit_code == 2


# ---------------------------------------------------------------- keys


def test_a_new_key_is_printed_alone_and_works(commands: Any, control_plane: ControlPlane) -> None:
    result = commands.run(key_group,
        "create", "--account", "acme", "--name", "billing", "--scope", "mail.send", "--scope", "stats.read",
        "--expires", "30d", "--allow-ip", "192.0.2.0/24", "--allow-ip", "2001:db8::1",
        "--from", "News@Example.COM", "--from", "bücher.example",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    text = result.stdout.removesuffix("\n")
    assert text.split(".")[2] not in result.stderr
    assert sign_in(control_plane, text) == Principal(
        account_id=control_plane.keys.resolve(KeyId(text[3:25])).account_id,
        account_state=AccountState.ACTIVE,
        key_id=KeyId(text[3:25]),
        scopes=frozenset({"mail.send", "stats.read"}),
        allowed_networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8::1")),
        allowed_authors=("News@example.com", "xn--bcher-kva.example"),
        expires_at=control_plane.clock.now() + timedelta(days=30),
    )


def test_a_key_that_cannot_send_is_pointed_out(commands: Any) -> None:
    result = commands.run(key_group, "create", "--account", "acme", "--name", "n", "--scope", "stats.read")

    assert "without the scope mail.send it cannot send mail" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scope", "mail.sent"], "did you mean mail.send"),
        (["--expires", "soon"], "write 12h, 30d, 2w"),
        (["--expires", "2026-03-01"], "not in the future"),
        (["--expires", "0d"], "not in the future"),
        (["--expires", "2027-01-01T12:00"], "has no time zone"),
        (["--expires", "2027-02-30"], "is no time"),
        (["--allow-ip", "10.0.0.7/8"], "host bits"),
        (["--allow-ip", "example.com"], "write 192.0.2.7 or 192.0.2.0/24"),
        (["--from", "news@"], "write news@example.com or example.com"),
        (["--from", "a b@example.com"], "write news@example.com"),
        (["--name", " "], "printable characters"),
        (["--name", "x\x1b[31m"], "printable characters"),
        (["--account", "globex"], "there is no account 'globex'"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    commands: Any, control_plane: ControlPlane, account: Account, arguments: list[str], message: str
) -> None:
    result = commands.run(key_group, "create", "--account", "acme", "--name", "n", "--scope", "mail.send", *arguments)

    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert control_plane.keys.list_all(account.id) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12h", "2026-03-02T00:00:00Z"),
        ("2w", "2026-03-15T12:00:00Z"),
        ("2027-01-01", "2027-01-01T00:00:00Z"),
        ("2027-01-01T12:00:00+02:00", "2027-01-01T10:00:00Z"),
    ],
)
def test_an_expiry_is_read_as_meant(commands: Any, text: str, expected: str) -> None:
    key = create_key(commands, "--expires", text)

    assert json.loads(commands.run(key_group, "show", key, "--json").stdout)["expires_at"] == expected


def test_keys_are_listed_and_shown_without_their_secret(commands: Any, control_plane: ControlPlane, clock: Any) -> None:
    text = create_key(commands, "--expires", "1h", "--from", "example.com")
    sign_in(control_plane, text)
    control_plane.principals.flush_last_used()

    outputs = [commands.run(key_group, "list", "--account", "acme", *more).stdout for more in ([], ["--json"])]
    outputs += [commands.run(key_group, "show", text[3:25], *more).stdout for more in ([], ["--json"])]

    assert [text[3:25] in output for output in outputs] == [True] * 4
    assert [text.split(".")[2] in output for output in outputs] == [False] * 4
    shown = json.loads(outputs[3])
    assert (shown["state"], shown["last_used_from"]) == ("valid", "192.0.2.1")
    assert json.loads(outputs[1]) == [shown]
    clock.advance(hours=1)
    assert " expired " in commands.run(key_group, "list", "--account", "acme").stdout


def test_an_account_without_keys_is_told_how_to_make_one(commands: Any) -> None:
    result = commands.run(key_group, "list", "--account", "acme")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "gatepost key create" in result.stderr


@pytest.mark.parametrize("reference", ["whole key", "id"])
def test_revoking_commits_first_then_holds_and_then_returns(
    commands: Any, control_plane: ControlPlane, account: Account, reference: str
) -> None:
    text = create_key(commands)
    principal = sign_in(control_plane, text)

    result = commands.run(key_group, "revoke", text if reference == "whole key" else text[3:25])

    assert result.exit_code == 0
    assert text.split(".")[2] not in result.output
    assert commands.mail_workers.asked == [
        ("hold", Predicate(account_id=account.id, key_id=KeyId(text[3:25])), "key revoked")
    ]
    assert commands.mail_workers.seen[0][0] is True
    assert control_plane.principals.recheck(principal, PEER).reason is AccessDenial.KEY_NOT_VALID


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([(4, ""), (0, "its worker runs and does not answer")], "mail worker 1: its worker runs"),
        ([Transient("no control socket")], "the mail workers could not be asked: no control socket"),
    ],
    ids=["silent worker", "no way"],
)
@pytest.mark.parametrize(
    "command",
    [("key", "revoke"), ("key", "narrow", "--expires", "1d"), ("key", "narrow", "--from", "example.com")],
    ids=["revoke", "narrow", "narrow and hold"],
)
def test_what_is_not_certain_is_said_and_is_no_success(
    commands: Any, control_plane: ControlPlane, command: tuple[str, ...], answer: Any, message: str
) -> None:
    text = create_key(commands)
    commands.mail_workers.answer_with(*answer)

    result = commands.run(key_group, *command[1:], text[3:25])

    assert result.exit_code == 1
    assert "That is stored" in result.stderr
    assert "NOT certain is that messages being accepted" in result.stderr
    assert message in result.stderr
    commands.mail_workers.answer_with((0, ""))
    assert commands.run(key_group, *command[1:], text[3:25]).exit_code == 0


def test_giving_an_uncertain_command_again_holds_again(commands: Any, clock: Any) -> None:
    text = create_key(commands, "--scope", "stats.read")
    for command in (["narrow", "--scope", "stats.read"], ["narrow", "--from", "example.com"], ["revoke"]):
        commands.mail_workers.asked.clear()
        for _ in range(2):
            commands.run(key_group, *command, text[3:25])
            clock.advance(seconds=1)

        assert [what for what, _, _ in commands.mail_workers.asked] == ["hold", "hold"]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--scope", "stats.read"], "hold"),
        (["--from", "news@example.com"], "hold"),
        (["--scope", "mail.send"], "refresh"),
        (["--allow-ip", "192.0.2.1"], "refresh"),
        (["--expires", "1d"], "refresh"),
    ],
)
def test_narrowing_settles_every_worker_and_holds_what_might_not_be_sent_today(
    commands: Any, arguments: list[str], asked: str
) -> None:
    text = create_key(commands, "--scope", "stats.read", "--from", "example.com", "--allow-ip", "192.0.2.0/24")

    result = commands.run(key_group, "narrow", text[3:25], *arguments)

    assert result.exit_code == 0, result.output
    assert [what for what, _, _ in commands.mail_workers.asked] == [asked]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scope", "mail.send", "--scope", "billing.read"], "scopes: billing.read"),
        (["--allow-ip", "192.0.0.0/16"], "networks: 192.0.0.0/16"),
        (["--from", "example.net"], "authors: example.net"),
        (["--expires", "2027-01-01"], "expiry: 2027-01-01"),
    ],
)
def test_a_key_cannot_be_widened(commands: Any, arguments: list[str], message: str) -> None:
    text = create_key(commands, "--from", "example.com", "--allow-ip", "192.0.2.0/24", "--expires", "30d")
    before = commands.run(key_group, "show", text[3:25], "--json").stdout

    result = commands.run(key_group, "narrow", text[3:25], *arguments)

    assert result.exit_code == 1
    assert message in result.stderr
    assert "Nothing was changed" in result.stderr
    assert commands.run(key_group, "show", text[3:25], "--json").stdout == before
    assert commands.mail_workers.asked == []


def test_narrowing_to_nothing_in_particular_is_a_mistake(commands: Any) -> None:
    text = create_key(commands)

    result = commands.run(key_group, "narrow", text[3:25])

    assert result.exit_code == 2
    assert "say what to narrow" in result.stderr


@pytest.mark.parametrize("command", [["show"], ["revoke"], ["narrow", "--expires", "1d"]])
def test_a_key_of_another_account_is_not_there(commands: Any, command: list[str]) -> None:
    text = create_key(commands)
    commands.run(account_group, "create", "globex")

    wrong_account = commands.run(key_group, *command, text[3:25], "--account", "globex")
    right_account = commands.run(key_group, *command, text[3:25], "--account", "acme")
    unknown = commands.run(key_group, *command, text[3:])

    assert [each.exit_code for each in (wrong_account, right_account, unknown)] == [1, 0, 1]
    assert "there is no such key in account 'globex'" in wrong_account.stderr
    assert text.split(".")[2] not in unknown.output


def test_an_option_misspelt_is_a_mistake(commands: Any) -> None:
    text = create_key(commands)

    assert commands.run(key_group, "revoke", text[3:25], "--acount=acme").exit_code == 2
    assert commands.mail_workers.asked == []


def test_what_is_wrong_with_the_set_up_rises_to_the_main_program(commands: Any, place: Any) -> None:
    place.keyring_file.chmod(0o644)

    result = commands.run(account_group, "list")

    assert isinstance(result.exception, Misconfigured)
    assert "chmod 600" in str(result.exception)


# ---------------------------------------------------------------- migrations


@dataclass(frozen=True)
class DatabaseSettings:
    control_database_url: Secret[str]


@dataclass(frozen=True)
class SettingsOnly:
    settings: DatabaseSettings


def test_migrate_makes_the_database_and_may_be_run_again(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    context = SettingsOnly(DatabaseSettings(Secret(url)))

    results = [CliRunner().invoke(migrate_command, obj=context) for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 0]
    Database(url).close()


def test_migrate_where_it_cannot_says_why(tmp_path: Any) -> None:
    context = SettingsOnly(DatabaseSettings(Secret(f"sqlite:///{tmp_path}/nowhere/new.db")))

    result = CliRunner().invoke(migrate_command, obj=context)

    assert isinstance(result.exception, Misconfigured)
    assert str(result.exception).startswith("cannot create ")
