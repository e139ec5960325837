"""Revocation is exact: a command that takes a right away returns 0 only once that is so in every mail worker.

The commit comes first; from then on every worker judges by it (``Principals``). What it had begun to accept before is
waited for, what it had queued is held. When a worker cannot be asked, the commit stands, the command says what is not
certain, and exits with 1; giving it again is harmless and asks again.
"""

from collections.abc import Callable

import click

from gatepost.cli.context import WorkersAnswer, describe
from gatepost.cli.output import say
from gatepost.primitives.errors import RelayError


def make_certain(done: str, ask: Callable[[], WorkersAnswer]) -> None:
    """Ask the workers, and report.

    Args:
        done: What has been committed, as a sentence without its full stop.
        ask: The call to the workers.

    Raises:
        click.ClickException: Not all of it is certain.
    """
    try:
        answer = ask()
    except RelayError as error:
        answer = WorkersAnswer(uncertain=(f"the mail workers could not be asked: {error}",))
    if answer.uncertain:
        raise click.ClickException(
            f"{done}: that is stored, and each message is judged by it from now on. NOT yet certain is that every "
            f"message being accepted at that moment was settled, and that what is queued is held:\n"
            f"{describe(answer.uncertain)}\n"
            "Mend that and give the same command again."
        )
    held = f"; {answer.held} queued recipients are held (see `gatepost queue`)" if answer.held else ""
    say(f"{done}{held}.")
