"""``gatepost serve``: run the relay in the foreground, under a service manager or in a terminal."""

import os

import click

from gatepost.cli.main import CommandContext
from gatepost.runtime.child_process import SupervisorLink
from gatepost.runtime.service import run_service


@click.command()
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Run the relay until SIGTERM (or Ctrl-C), which drains it.

    SIGHUP reads certificates and settings again; SIGUSR2 replaces its processes by new ones without a pause.
    """
    # `gatepost demo` starts the service as its child and must not leave it behind; nobody else asks for this.
    SupervisorLink(os.environ).end_with_supervisor()
    context: CommandContext = ctx.obj
    ctx.exit(run_service(context.settings, context.config_path, os.environ))
