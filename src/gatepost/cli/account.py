"""``gatepost account``: the tenants."""

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.certainty import settle_and_hold
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_fields, print_json, print_table, say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.lifecycle import AccountRefused
from gatepost.tenancy.accounts.ports import AccountNameTaken


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
