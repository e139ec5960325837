"""``gatepost limit``: how much an account may send in a time."""

from dataclasses import asdict, replace

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.certainty import settle
from gatepost.cli.context import CommandContext
from gatepost.cli.output import print_fields, print_json
from gatepost.tenancy.accounts.sending_limits import UNLIMITED

_COUNT = click.IntRange(min=0, max=1_000_000_000)


@click.group()
def limit() -> None:
    """Say how much an account may send in a time, where it differs from the table [limits] of the settings file."""


@limit.command()
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: CommandContext, account: str, as_json: bool) -> None:
    """Show what was set for an account."""
    with context.control_plane() as plane:
        limits = plane.sending_limits.find(get_account(plane, account).id)
    if as_json:
        print_json(asdict(limits))
    else:
        print_fields({name: _text(value) for name, value in asdict(limits).items()})


@limit.command(name="set")
@click.argument("account")
@click.option("--messages-per-minute", type=_COUNT, help="0 means no limit.")
@click.option("--messages-per-hour", type=_COUNT, help="As above.")
@click.option("--recipients-per-minute", type=_COUNT, help="As above.")
@click.option("--recipients-per-hour", type=_COUNT, help="As above.")
@click.pass_obj
def set_limits(context: CommandContext, /, account: str, **given: int | None) -> None:
    """Set limits of an account; those left out stay as they are."""
    changed = {name: value for name, value in given.items() if value is not None}
    if not changed:
        raise click.UsageError("give at least one limit, as in --messages-per-hour 5000")
    with context.control_plane() as plane:
        found = get_account(plane, account)
        plane.sending_limits.put(found.id, replace(plane.sending_limits.find(found.id), **changed))
    settle(context, done=f"Account {found.name}: " + ", ".join([f"{_words(n)} {_text(v)}" for n, v in changed.items()]))


@limit.command()
@click.argument("account")
@click.pass_obj
def clear(context: CommandContext, account: str) -> None:
    """Set nothing for an account any more: the settings file decides."""
    with context.control_plane() as plane:
        found = get_account(plane, account)
        plane.sending_limits.put(found.id, UNLIMITED)
    settle(context, done=f"Account {found.name}: the limits are those of the settings file")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: int | None) -> str:
    return "as the settings file says" if value is None else str(value) if value else "no limit"
