"""Lists of addresses on the real stores: who gets in, from when on, who came, and that each edit is written down."""

import json
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gatepost.cli.access import access as access_group
from gatepost.cli.limit import limit as limit_group
from gatepost.primitives.decision import Deny
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.access_list import EVERYWHERE, AccessList, ListMode, Verdict
from gatepost.tenancy.access.ip_access.attempt import Attempt, AuthMethod
from gatepost.tenancy.access.ip_access.edit import Author
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.sending_limits import UNLIMITED, SendingLimits

Issue = Callable[..., Any]
HERE, THERE = ip_address("192.0.2.1"), ip_address("203.0.113.7")
OPERATOR = Author(address=None, may_force=True)


def let_in(plane: ControlPlane, account: Account, *networks: str) -> AccessList:
    wanted = [ip_network(text) for text in networks]
    after = edit.add_rules(plane.ip_access, account.id, wanted, OPERATOR, now=plane.clock.now())
    assert isinstance(after, AccessList)
    return after


def observe(plane: ControlPlane, account: Account) -> None:
    edit.set_mode(plane.ip_access, account.id, ListMode.OBSERVED, OPERATOR)


def verdicts(plane: ControlPlane, account: Account) -> dict[tuple[str, str], tuple[str, int]]:
    plane.principals.flush_attempts()
    return {
        (each.address, each.method.value): (each.verdict.value, each.count)
        for each in plane.attempts.list_recent(account.id, 100)
    }


def test_an_account_without_a_list_is_reached_from_everywhere(control_plane: ControlPlane, account: Account) -> None:
    assert control_plane.ip_access.find(account.id) == EVERYWHERE


def test_a_list_comes_back_as_it_was_put(control_plane: ControlPlane, account: Account) -> None:
    after = let_in(control_plane, account, "192.0.2.0/24", "2001:db8::/32", "10.0.0.7")
    edit.remove_rules(control_plane.ip_access, account.id, [2], OPERATOR)
    observe(control_plane, account)

    found = control_plane.ip_access.find(account.id)

    assert found.rules == (after.rules[0], after.rules[2])
    assert (found.mode, found.last_id) == (ListMode.OBSERVED, 3)


def test_a_list_is_of_one_account_alone(
    control_plane: ControlPlane, account: Account, issue: Issue, place: Any
) -> None:
    other = lifecycle.create(control_plane.accounts, "globex", now=place.clock.now(), entropy=place.entropy)
    let_in(control_plane, other, "10.0.0.0/8")

    assert isinstance(control_plane.principals.authenticate("apikey", issue().password, HERE), Principal)
    assert control_plane.ip_access.find(account.id) == EVERYWHERE


@pytest.mark.parametrize("scope", ["mail.send", None])
def test_whoever_comes_from_elsewhere_is_refused(
    control_plane: ControlPlane, account: Account, issue: Issue, scope: str | None
) -> None:
    let_in(control_plane, account, "192.0.2.0/24")
    issued = issue()

    answers = [
        control_plane.principals.authenticate("apikey", issued.password, peer, scope=scope) for peer in (HERE, THERE)
    ]

    assert isinstance(answers[0], Principal)
    assert isinstance(answers[1], Deny)
    assert answers[1].reason is AccessDenial.ADDRESS_NOT_LISTED


def test_an_edit_by_another_process_is_seen_by_the_very_next_question(
    control_plane: ControlPlane, account: Account, issue: Issue, place: Any
) -> None:
    principal = control_plane.principals.authenticate("apikey", issue().password, THERE)
    assert isinstance(principal, Principal)
    with place.open() as another:
        for _ in range(20):
            rules = let_in(another, account, "192.0.2.0/24").rules
            refused = control_plane.principals.recheck(principal, THERE)
            edit.remove_rules(another.ip_access, account.id, [rules[-1].id], OPERATOR)
            allowed = control_plane.principals.recheck(principal, THERE)

            assert isinstance(refused, Deny)
            assert refused.reason is AccessDenial.ADDRESS_NOT_LISTED
            assert isinstance(allowed, Principal)


def test_an_observed_list_refuses_nobody_and_shows_whom_it_would(
    control_plane: ControlPlane, account: Account, issue: Issue
) -> None:
    observe(control_plane, account)
    let_in(control_plane, account, "192.0.2.0/24")
    issued = issue()

    for peer in (HERE, THERE, THERE):
        assert isinstance(control_plane.principals.authenticate("apikey", issued.password, peer), Principal)

    assert verdicts(control_plane, account) == {
        (str(HERE), "SMTP"): ("allowed", 1),
        (str(THERE), "SMTP"): ("would refuse", 2),
    }


def test_a_session_that_was_open_before_the_list_is_seen_when_it_sends(
    control_plane: ControlPlane, account: Account, issue: Issue
) -> None:
    principal = control_plane.principals.authenticate("apikey", issue().password, THERE)
    assert isinstance(principal, Principal)
    verdicts(control_plane, account)
    observe(control_plane, account)
    let_in(control_plane, account, "192.0.2.0/24")

    control_plane.principals.recheck(principal, THERE, method=AuthMethod.SMTP)
    control_plane.principals.recheck(principal, THERE)

    assert verdicts(control_plane, account)[(str(THERE), "SMTP")] == ("would refuse", 1)


def test_attempts_say_by_what_way_and_count_only_who_proved_a_key(
    control_plane: ControlPlane, account: Account, issue: Issue
) -> None:
    let_in(control_plane, account, "192.0.2.0/24")
    issued, narrow = issue(), issue(allowed_networks=(ip_network("10.0.0.0/8"),))

    control_plane.principals.authenticate("apikey", issued.password, HERE, method=AuthMethod.API)
    control_plane.principals.authenticate("apikey", issued.password, THERE)
    control_plane.principals.authenticate("apikey", narrow.password, HERE)
    control_plane.principals.authenticate("somebody", issued.password, ip_address("198.51.100.1"))

    assert verdicts(control_plane, account) == {
        (str(HERE), "API"): ("allowed", 1),
        (str(THERE), "SMTP"): ("refused", 1),
        (str(HERE), "SMTP"): ("refused", 1),
    }


def attempt(account: Account, address: str, at: Any, count: int = 1) -> Attempt:
    return Attempt(
        account_id=account.id,
        address=address,
        method=AuthMethod.API,
        verdict=Verdict.ALLOWED,
        first_at=at,
        last_at=at,
        count=count,
    )


def test_attempts_add_up_and_the_first_time_stands(control_plane: ControlPlane, account: Account) -> None:
    now, later = control_plane.clock.now(), control_plane.clock.now() + timedelta(hours=1)
    for at, count in ((now, 2), (later, 3)):
        control_plane.attempts.record([attempt(account, "192.0.2.1", at, count)], keep=10, forget_before=now)

    [found] = control_plane.attempts.list_recent(account.id, 10)

    assert (found.first_at, found.last_at, found.count) == (now, later, 5)


def test_attempts_are_the_latest_of_each_account_and_none_too_old(
    control_plane: ControlPlane, account: Account, place: Any
) -> None:
    other = lifecycle.create(control_plane.accounts, "globex", now=place.clock.now(), entropy=place.entropy)
    now = control_plane.clock.now()
    old = [attempt(other, "198.51.100.1", now - timedelta(days=31)), attempt(other, "198.51.100.2", now)]
    control_plane.attempts.record(old, keep=3, forget_before=now - timedelta(days=60))
    many = [attempt(account, f"192.0.2.{number}", now + timedelta(seconds=number)) for number in range(10)]

    control_plane.attempts.record(many, keep=3, forget_before=now - timedelta(days=30))

    assert [each.address for each in control_plane.attempts.list_recent(account.id, 10)] == [
        "192.0.2.9", "192.0.2.8", "192.0.2.7"
    ]  # fmt: skip
    assert [each.address for each in control_plane.attempts.list_recent(account.id, 1)] == ["192.0.2.9"]
    assert [each.address for each in control_plane.attempts.list_recent(other.id, 10)] == ["198.51.100.2"]


def test_each_edit_is_in_the_audit_log_and_a_forced_one_by_that_name(
    control_plane: ControlPlane, account: Account
) -> None:
    let_in(control_plane, account, "192.0.2.0/24")
    let_in(control_plane, account, "192.0.2.0/24")
    edit.set_mode(control_plane.ip_access, account.id, ListMode.OBSERVED, OPERATOR, force=True)
    edit.add_rules(
        control_plane.ip_access, account.id, [ip_network("::1")], Author(address=HERE), now=control_plane.clock.now(),
        force=True,
    )  # fmt: skip

    entries = [
        entry.event
        for entry in control_plane.audit.list_after(account.id, 0, 100)
        if entry.event.subject.startswith("ip_access/")
    ]
    assert [(entry.act.value, entry.after) for entry in entries] == [
        ("ip_access_changed", {"mode": "enforced", "networks": ["192.0.2.0/24"]}),
        ("ip_access_forced", {"mode": "observed", "networks": ["192.0.2.0/24"]}),
    ]


# ---------------------------------------------------------------- limits


def test_limits_come_back_with_the_principal_and_are_written_down(
    control_plane: ControlPlane, account: Account, issue: Issue
) -> None:
    wanted = SendingLimits(messages_per_hour=500, recipients_per_minute=0)

    control_plane.sending_limits.put(account.id, wanted)

    principal = control_plane.principals.authenticate("apikey", issue().password, HERE)
    assert isinstance(principal, Principal)
    assert principal.limits == control_plane.sending_limits.find(account.id) == wanted
    [*_, entry] = [e.event for e in control_plane.audit.list_after(account.id, 0, 100) if "limits" in e.event.act.value]
    assert entry.after is not None
    assert (entry.after["messages_per_hour"], entry.after["messages_per_minute"]) == ("500", None)

    control_plane.sending_limits.put(account.id, UNLIMITED)

    assert control_plane.sending_limits.find(account.id) == UNLIMITED


# ---------------------------------------------------------------- commands


def run(commands: Any, *arguments: str, fails: bool = False) -> Any:
    result = commands.run(access_group, *arguments)
    assert (result.exit_code != 0) is fails, result.output
    return result


def test_the_operator_lists_adds_and_removes(commands: Any, control_plane: ControlPlane, account: Account) -> None:
    run(commands, "add", "acme", "192.168.*.*", "::ffff:10.0.0.1", "2001:db8::/32")
    run(commands, "remove", "acme", "2001:db8::/32", "1")

    listed = json.loads(run(commands, "list", "acme", "--json").stdout)
    assert listed["mode"] == "enforced"
    assert [(rule["id"], rule["network"]) for rule in listed["rules"]] == [(2, "10.0.0.1/32")]
    assert "10.0.0.1/32" in run(commands, "list", "acme").stdout
    assert [what for what, _, _ in commands.mail_workers.asked] == ["refresh", "refresh"]
    assert str(control_plane.ip_access.find(account.id).rules[0].network) == "10.0.0.1/32"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "acme", "10.0.0.7/8"], "host bits"),
        (["add", "acme", "example.com"], "write 192.0.2.7"),
        (["remove", "acme", "10.0.0.0/8"], "is not listed"),
        (["add", "globex", "10.0.0.0/8"], "there is no account 'globex'"),
        (["add", "acme"], "NETWORK"),
    ],
)
def test_what_cannot_be_done_is_explained(commands: Any, account: Account, arguments: list[str], message: str) -> None:
    assert message in run(commands, *arguments, fails=True).stderr
    assert commands.mail_workers.asked == []


def test_the_operator_is_stopped_before_nobody_is_let_in_any_more(
    commands: Any, control_plane: ControlPlane, account: Account, issue: Issue
) -> None:
    control_plane.principals.authenticate("apikey", issue().password, THERE)
    control_plane.principals.flush_attempts()

    refused = run(commands, "add", "acme", "192.0.2.0/24", fails=True)
    assert "access observe acme" in refused.stderr
    assert control_plane.ip_access.find(account.id) == EVERYWHERE

    run(commands, "observe", "acme")
    run(commands, "add", "acme", "192.0.2.0/24")
    run(commands, "enforce", "acme", fails=True)
    forced = run(commands, "enforce", "acme", "--force")

    assert "refused from now on: 203.0.113.7" in forced.stderr
    assert control_plane.ip_access.find(account.id).judge(THERE) is Verdict.REFUSED


def test_activity_is_shown(commands: Any, control_plane: ControlPlane, account: Account, issue: Issue) -> None:
    control_plane.principals.authenticate("apikey", issue().password, THERE)
    control_plane.principals.flush_attempts()

    [shown] = json.loads(run(commands, "activity", "acme", "--json").stdout)

    assert shown == {
        "address": "203.0.113.7", "by": "SMTP", "verdict": "allowed", "attempts": 1,
        "first_at": "2026-03-01T12:00:00Z", "last_at": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    assert "203.0.113.7" in run(commands, "activity", "acme").stdout


def test_an_edit_that_is_not_certain_everywhere_is_said_to_be_so(commands: Any, account: Account) -> None:
    commands.mail_workers.answer_with((0, "does not answer"))

    assert "NOT certain" in run(commands, "add", "acme", "192.0.2.0/24", fails=True).stderr


def test_limits_are_set_shown_and_cleared(commands: Any, control_plane: ControlPlane, account: Account) -> None:
    for arguments in (("--messages-per-hour", "500"), ("--recipients-per-minute", "0")):
        assert commands.run(limit_group, "set", "acme", *arguments).exit_code == 0

    assert json.loads(commands.run(limit_group, "show", "acme", "--json").stdout) == {
        "messages_per_minute": None, "messages_per_hour": 500, "recipients_per_minute": 0, "recipients_per_hour": None,
    }  # fmt: skip
    assert "no limit" in commands.run(limit_group, "show", "acme").stdout
    assert commands.run(limit_group, "set", "acme").exit_code == 2
    assert commands.run(limit_group, "clear", "acme").exit_code == 0
    assert control_plane.sending_limits.find(account.id) == UNLIMITED
