"""Revocation is exact: a command that takes a right away returns 0 only once that is so in every mail worker.

The commit comes first; from then on every worker judges by it (``Principals``). What it had begun to accept before is
waited for, what it had queued is held. When a worker cannot be asked, the commit stands, the command says what is not
certain, and exits with 1; giving it again is harmless and asks again.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import click

from gatepost.cli.context import CommandContext, WorkerReport
from gatepost.cli.output import say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import RelayError
from gatepost.runtime.compose_senders import compose_sender_settlement
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.senders.domain import AuthenticatedDomain

TIMEOUT: Final = timedelta(seconds=15)
"""How long the workers have, all together: a commit in progress takes milliseconds, on a disk in trouble seconds."""


def settle_and_hold(context: CommandContext, predicate: Predicate, *, done: str, reason: str) -> None:
    """Make a change of rights certain, and hold what is queued under them.

    Args:
        context: Where the workers are.
        predicate: What to hold.
        done: What has been committed, as a sentence without its full stop.
        reason: Goes into the events of what is held.

    Raises:
        click.ClickException: Not all of it is certain.
    """
    _report(
        done,
        *_ask(lambda: context.workers().refresh_and_hold(predicate, reason=reason, timeout=TIMEOUT)),
        unsure="that messages being accepted at that moment are settled, and that what is queued is held",
    )


def settle_domain(
    context: CommandContext,
    plane: ControlPlane,
    claim: AuthenticatedDomain,
    *,
    done: str,
    reason: str,
    moved: str = "held",
) -> None:
    """Make a change of who may send as a domain certain: what is queued is held or goes on as the author rule says.

    Args:
        context: Where the workers are.
        plane: As it is after the change.
        claim: As it was before: its holder and those it was assigned to are concerned.
        done: What has been committed, as a sentence without its full stop.
        reason: Goes into the events of what is held.
        moved: What becomes of queued recipients by this change.

    Raises:
        click.ClickException: Not all of it is certain.
    """
    settlement = compose_sender_settlement(plane, context.workers(), timeout=TIMEOUT)
    holders = (claim.account_id, *sorted(claim.assigned_to))
    _report(
        done,
        *_ask(lambda: settlement.settle_domain(holders, claim.name, reason=reason)),
        unsure="that messages being accepted at that moment are settled, and that what is queued is held or released",
        moved=moved,
    )


def settle(context: CommandContext, *, done: str) -> None:
    """Make a change of rights certain that holds nothing. Arguments and errors as ``settle_and_hold``."""
    _report(
        done,
        *_ask(lambda: context.workers().refresh(timeout=TIMEOUT)),
        unsure="that messages being accepted at that moment are settled",
    )


def _ask(question: Callable[[], Sequence[WorkerReport]]) -> tuple[int, list[str]]:
    try:
        reports = question()
    except RelayError as error:
        return 0, [f"the mail workers could not be asked: {error}"]
    troubles = [f"mail worker {report.index}: {report.trouble}" for report in reports if report.trouble]
    return sum(report.count for report in reports), troubles


def _report(done: str, held: int, troubles: list[str], *, unsure: str, moved: str = "held") -> None:
    if troubles:
        raise click.ClickException(
            f"{done}. That is stored, and every worker judges each further message by it. NOT certain is {unsure}:\n"
            + "".join(f"  - {trouble}\n" for trouble in troubles)
            + "Mend that, then give the same command again."
        )
    say(f"{done}; {held} queued recipients {moved} (see `gatepost queue`)." if held else f"{done}.")
