"""``gatepost migrate``: bring the control-plane database to this version's schema."""

import click

from gatepost.cli.context import CommandContext
from gatepost.cli.output import say
from gatepost.storage.migrate import migrate as run_migrations


@click.command()
@click.pass_obj
def migrate(context: CommandContext) -> None:
    """Bring the control-plane database to this version's schema, or make it. May be run at any time, and again.

    Workers of the last version go on working on the new schema; there is no way back to an older schema.
    """
    run_migrations(context.settings.control_database_url.reveal())
    say("The control-plane database has the schema of this version.")
