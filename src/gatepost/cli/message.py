"""``gatepost message``: what became of a message."""

import click

from gatepost.cli.context import CommandContext
from gatepost.cli.message_report import find_message, message_fields, print_message
from gatepost.cli.output import print_json


@click.group()
def message() -> None:
    """Tell a message's whole story."""


@message.command()
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: CommandContext, message_id: str, *, as_json: bool) -> None:
    """Show a message, also after it has left the queue, by the id that the client was told.

    Who sent it and from where, how it stands with each recipient, and everything that has happened, in order.
    """
    report = find_message(context, message_id)
    with context.control_plane() as plane:
        if as_json:
            print_json(message_fields(report, plane))
        else:
            print_message(report, plane)
