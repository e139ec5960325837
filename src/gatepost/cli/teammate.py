"""``gatepost teammate``: the people of an account."""

import click

from gatepost.cli.arguments import get_account
from gatepost.cli.context import CommandContext
from gatepost.cli.output import instant, print_json, print_table, say


@click.group()
def teammate() -> None:
    """Show the people of an account."""


@teammate.command(name="list")
@click.option("--account", required=True, help="The account's name or id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context: CommandContext, account: str, as_json: bool) -> None:
    """List an account's people, and who is invited."""
    with context.control_plane() as plane:
        holder = get_account(plane, account)
        stores = plane.people_stores
        rows = [
            {
                "username": each.username,
                "email": each.email,
                "role": each.role.value,
                "second_factors": str(stores.factors.describe(each).count),
                "since": instant(each.created_at) or "",
            }
            for each in stores.teammates.list_all(holder.id)
        ]
        rows += [
            {
                "username": "(invited)",
                "email": each.email,
                "role": each.role.value,
                "second_factors": "-",
                "since": instant(each.created_at) or "",
            }
            for each in stores.invitations.list_all(holder.id)
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table([["USER NAME", "E-MAIL", "ROLE", "SECOND FACTORS", "SINCE"], *([*row.values()] for row in rows)])
    else:
        say(f"Nobody is in {holder.name}: invite its owner with `gatepost account owner {holder.name} EMAIL`.")
