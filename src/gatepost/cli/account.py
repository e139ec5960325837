"""``gatepost account``: the tenants."""

from datetime import datetime

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.certainty import settle, settle_and_hold
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_fields, print_json, print_table, say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.decision import Deny
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle, membership
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.joining import Inviting
from gatepost.tenancy.accounts.lifecycle import AccountRefused
from gatepost.tenancy.accounts.membership import SET_UP_VALID_FOR
from gatepost.tenancy.accounts.ports import AccountNameTaken
from gatepost.tenancy.accounts.teammate import PersonRefused, require_email


@click.group()
def account() -> None:
    """Make and manage accounts, the tenants of this service."""


@account.command()
@click.argument("name")
@click.pass_obj
def create(context: CommandContext, name: str) -> None:
    """Make an account. Prints its id."""
    with context.control_plane() as plane:
        try:
            made = lifecycle.create(plane.accounts, name, now=plane.clock.now(), entropy=plane.entropy)
        except AccountRefused as error:
            raise click.BadParameter(str(error), param_hint="NAME") from error
        except AccountNameTaken as error:
            raise click.ClickException(f"there is an account {name!r} already: see `gatepost account list`") from error
    click.echo(made.id)
    say(f"Made account {name}. Next: `gatepost domain add --account {name} DOMAIN`.")


@account.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context: CommandContext, as_json: bool) -> None:
    """List the accounts."""
    with context.control_plane() as plane:
        rows = [_fields(each) for each in plane.accounts.list_all()]
    if as_json:
        print_json(rows)
    elif rows:
        print_table([["NAME", "ID", "STATE", "CREATED"], *([*row.values()] for row in rows)])
    else:
        say("There are no accounts: make one with `gatepost account create NAME`.")


@account.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: CommandContext, name: str, as_json: bool) -> None:
    """Show one account, by name or id."""
    with context.control_plane() as plane:
        fields = _fields(get_account(plane, name))
    if as_json:
        print_json(fields)
    else:
        print_fields({**fields})


@account.command()
@click.argument("name")
@click.pass_obj
def suspend(context: CommandContext, name: str) -> None:
    """Take no more mail from an account, and hold what it has queued."""
    with context.control_plane() as plane:
        found = get_account(plane, name)
        _stop(context, plane, found, AccountState.SUSPENDED)


@account.command()
@click.argument("name")
@click.pass_obj
def resume(context: CommandContext, name: str) -> None:
    """Take mail from a suspended account again. What is held stays held until it is released."""
    with context.control_plane() as plane:
        _move(plane, get_account(plane, name), AccountState.ACTIVE)
    say(f"Account {name} is active. What was held stays so until `gatepost queue release --account {name}`.")


@account.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def close(context: CommandContext, name: str, yes: bool) -> None:
    """Close an account for good, and hold what it has queued."""
    with context.control_plane() as plane:
        found = get_account(plane, name)
        if not yes:
            click.confirm(f"Close account {found.name} for good?", abort=True, err=True)
        _stop(context, plane, found, AccountState.CLOSED)


@account.command()
@click.argument("name", metavar="ACCOUNT")
@click.argument("email")
@click.pass_obj
def owner(context: CommandContext, name: str, email: str) -> None:
    """Invite an account's first owner. Prints a token, once: hand it to that person by a way you trust."""
    with context.control_plane() as plane:
        holder = get_account(plane, name)
        made = Inviting(plane.people_tools).invite_owner(holder.id, _read_email(email), plane.actor)
    if isinstance(made, Deny):
        raise click.ClickException(
            f"account {holder.name} has an owner already: see `gatepost teammate list --account {holder.name}`; for "
            "one who is locked out there is `gatepost account recover`"
        )
    invitation, token = made
    click.echo(token.reveal())
    ends = _end(invitation.expires_at)
    say(f"The line above makes {invitation.email} the owner of {holder.name}, once, until {ends}.")
    say("It is given to POST /v3/invitations/accept together with a user name and a password.")


@account.command()
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def recover(context: CommandContext, person: str, yes: bool) -> None:
    """Let a locked-out PERSON (user name or e-mail address) begin anew. Prints a token, once.

    Takes away the password, every second factor and every recovery code, and ends every session: make sure that it is
    that person who asks. With the token he sets a password, and has to enrol a second factor.
    """
    with context.control_plane() as plane:
        found = plane.people_stores.teammates.resolve(person)
        if found is None:
            raise click.ClickException(f"nobody is called {person!r}: see `gatepost teammate list --account NAME`")
        if not yes:
            click.confirm(f"Take all that {found.username} ({found.email}) signs in with away?", abort=True, err=True)
        token = membership.recover(plane.people_tools, found, plane.actor)
        ends_at = plane.clock.now() + SET_UP_VALID_FOR
    settle(context, done=f"All sessions of {found.username} have ended; nothing he signed in with works any more")
    click.echo(token.reveal())
    say(f"The line above is given to POST /v3/password_resets/redeem, once, until {_end(ends_at)}.")


def _read_email(text: str) -> str:
    try:
        return require_email(text)
    except PersonRefused as error:
        raise click.BadParameter(str(error), param_hint="EMAIL") from error


def _end(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _stop(context: CommandContext, plane: ControlPlane, found: Account, state: AccountState) -> None:
    _move(plane, found, state)
    settle_and_hold(
        context,
        Predicate(account_id=found.id),
        done=f"Account {found.name} is {state.value}",
        reason=f"account {state.value}",
    )


def _move(plane: ControlPlane, found: Account, state: AccountState) -> None:
    try:
        lifecycle.move(plane.accounts, found, state)
    except AccountRefused as error:
        raise click.ClickException(str(error)) from error


def _fields(each: Account) -> dict[str, str]:
    return {
        "name": each.name,
        "id": each.id,
        "state": each.state.value,
        "created_at": instant(each.created_at) or "",
    }
