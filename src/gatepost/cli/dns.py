"""``gatepost dns``: the zone of our own, into which customers with automatic security publish their CNAMEs."""

import click

from gatepost.cli.context import CommandContext
from gatepost.cli.output import say


@click.group()
def dns() -> None:
    """Export or push the zone that customers' CNAMEs lead to."""


@dns.command()
@click.pass_obj
def export(context: CommandContext) -> None:
    """Print the zone as a master file, for any name server."""
    with context.control_plane() as plane:
        click.echo(context.own_zone(plane).to_text(), nl=False)


@dns.command()
@click.pass_obj
def push(context: CommandContext) -> None:
    """Send what has changed to the name server of [dns.push], by signed updates (RFC 2136)."""
    with context.control_plane() as plane:
        changed = context.push_own_zone(plane)
    say(f"{changed} sets of records had to change." if changed else "The name server had everything already.")
