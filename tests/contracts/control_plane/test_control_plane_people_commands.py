"""``gatepost account owner``, ``gatepost account recover``, ``gatepost teammate list`` on the real control plane."""

import asyncio
import json

import pytest
from tests.support.replay import VISITOR, compose

from gatepost.cli.account import account as account_group
from gatepost.cli.teammate import teammate as teammate_group
from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.console_session import Step
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind


@pytest.fixture
def people(control_plane):
    return compose(control_plane)


def accept(people, token, username="ann"):
    return asyncio.run(
        people.joining.accept(
            Secret(token), username=username, first_name="", last_name="", password=Secret("tin-lantern-oboe-47"),
            visitor=VISITOR,
        )
    )  # fmt: skip


def test_the_first_owner_is_made_with_a_token_that_is_printed(commands, control_plane, account, people):
    commands.actor = Actor(kind=ActorKind.OPERATOR, id="root")
    result = commands.run(account_group, "owner", "acme", "Ann@x.example")
    opened = accept(people, result.stdout.strip())

    assert (result.exit_code, opened.step) == (0, Step.ENROLMENT)
    assert (opened.person.email, opened.person.role) == ("ann@x.example", Role.OWNER)
    assert "POST /v3/invitations/accept" in result.stderr
    events = [entry.event for entry in control_plane.audit.list_after(account.id, 0, 10)]
    [invited] = [event for event in events if event.act is Act.TEAMMATE_INVITED]
    assert (invited.actor.kind, invited.actor.id) == (ActorKind.OPERATOR, "root")


def test_an_owner_invited_again_makes_the_first_token_worthless(commands, account, people):
    first = commands.run(account_group, "owner", "acme", "ann@x.example").stdout.strip()
    second = commands.run(account_group, "owner", "acme", "bob@x.example").stdout.strip()

    assert isinstance(accept(people, first), Deny)
    assert not isinstance(accept(people, second), Deny)


def test_there_is_one_owner(commands, account, people):
    accept(people, commands.run(account_group, "owner", "acme", "ann@x.example").stdout.strip())

    result = commands.run(account_group, "owner", "acme", "bob@x.example")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "has an owner already" in result.stderr


@pytest.mark.parametrize(("email", "text"), [("ann", "email"), ("", "email")])
def test_what_is_no_address_is_refused(commands, account, email, text):
    result = commands.run(account_group, "owner", "acme", email)

    assert result.exit_code == 2
    assert text in result.stderr


@pytest.mark.parametrize("name", ["ann", "ANN@x.example"])
def test_a_locked_out_owner_begins_anew(commands, account, people, control_plane, name):
    opened = accept(people, commands.run(account_group, "owner", "acme", "ann@x.example").stdout.strip())

    result = commands.run(account_group, "recover", name, "--yes")
    begun = people.sign_in.with_reset_token(Secret(result.stdout.strip()), VISITOR)

    assert (result.exit_code, begun.step) == (0, Step.PASSWORD)
    assert control_plane.people_stores.sessions.list_all(opened.person) == [begun.session]
    assert [what for what, *_ in commands.mail_workers.asked] == ["refresh"]


def test_recovering_is_asked_about_and_nobody_is_recovered_by_mistake(commands, account, people):
    opened = accept(people, commands.run(account_group, "owner", "acme", "ann@x.example").stdout.strip())

    declined = commands.run(account_group, "recover", "ann", stdin="n\n")
    unknown = commands.run(account_group, "recover", "bob", "--yes")

    assert (declined.exit_code, unknown.exit_code) == (1, 1)
    assert "nobody is called 'bob'" in unknown.stderr
    assert people.tools.stores.sessions.list_all(opened.person) == [opened.session]


def test_people_and_invitations_are_listed(commands, account, people):
    empty = commands.run(teammate_group, "list", "--account", "acme")
    accept(people, commands.run(account_group, "owner", "acme", "ann@x.example").stdout.strip())
    people.inviting.invite(account.id, "bob@x.example", Role.ADMIN, frozenset(), commands.actor)

    listed = json.loads(commands.run(teammate_group, "list", "--account", "acme", "--json").stdout)

    assert "account owner acme" in empty.stderr
    assert [(each["username"], each["role"], each["second_factors"]) for each in listed] == [
        ("ann", "owner", "0"), ("(invited)", "admin", "-"),
    ]  # fmt: skip
    assert "bob@x.example" in commands.run(teammate_group, "list", "--account", "acme").stdout
