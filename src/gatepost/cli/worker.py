"""``gatepost worker``: one worker process; for the supervisor, not for people."""

import os

import click

from gatepost.cli.main import CommandContext
from gatepost.runtime.listening_sockets import adopt_socket
from gatepost.runtime.worker_plan import WorkerPlan
from gatepost.runtime.worker_process import ROLES, run_worker


@click.command(hidden=True)
@click.argument("role", type=click.Choice(sorted(ROLES)))
@click.option("--index", type=click.IntRange(min=0), required=True, help="The shard of a mail worker.")
@click.option("--listen", multiple=True, help="NAME:DESCRIPTOR of a socket that the supervisor has bound.")
@click.pass_obj
def worker(context: CommandContext, role: str, index: int, listen: tuple[str, ...]) -> None:
    """Run one worker process."""
    sockets = tuple(
        (name, adopt_socket(int(descriptor))) for name, _, descriptor in [i.rpartition(":") for i in listen]
    )
    plan = WorkerPlan(
        role=role,
        index=index,
        settings=context.settings,
        config_path=context.config_path,
        sockets=sockets,
        environment=os.environ,
    )
    run_worker(plan)
