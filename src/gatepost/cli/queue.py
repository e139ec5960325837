"""``gatepost queue``: what waits to be delivered, and what an operator does about it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import chain
from typing import Final

import click

from gatepost.cli.arguments import read_reason
from gatepost.cli.context import CommandContext, WorkerReport
from gatepost.cli.message_report import find_message, print_queued_message, queued_message_fields
from gatepost.cli.names import AccountNames
from gatepost.cli.output import instant, print_json, print_table, say
from gatepost.cli.predicate import predicate_options, read_predicate, read_some_predicate
from gatepost.mailflow.queue.recipient import Predicate, RecipientRow, RecipientState
from gatepost.primitives.ids import AccountId

TIMEOUT: Final = timedelta(seconds=65)
"""For all shards together: a worker says after 60 s itself that it has not done."""

_STATES: Final = (RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD, RecipientState.SCHEDULED)


@click.group()
def queue() -> None:
    """List, hold, release and remove queued mail.

    Recipients are chosen by account, key, domain, sender, state and message; all that is given must match.
    """


@queue.command(name="list")
@predicate_options
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="List at most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context: CommandContext, /, *, limit: int, as_json: bool, **which: str | None) -> None:
    """List the recipients that wait, those accepted first on top."""
    with context.control_plane() as plane, context.readings() as readings:
        accounts, predicate = AccountNames(plane), read_predicate(plane, **which)
        found = chain.from_iterable(readings.ask(lambda reader: reader.list_recipients(predicate, limit=limit)))
        total = sum(readings.ask(lambda reader: reader.count_recipients(predicate)))
    rows = sorted(found, key=lambda row: (row.accepted_at, row.message_id, row.position))[:limit]
    if as_json:
        print_json({"total": total, "recipients": [_fields(row, accounts) for row in rows]})
    elif rows:
        _print_rows(rows, accounts)
        if total > len(rows):
            say(f"… and {total - len(rows)} more: raise --limit, or say which.")
    else:
        say("No such recipient is queued." if predicate != Predicate() else "The queue is empty.")


@queue.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def summary(context: CommandContext, /, *, as_json: bool) -> None:
    """Count each account's recipients by state."""
    counts: Counter[tuple[AccountId, RecipientState]] = Counter()
    with context.control_plane() as plane, context.readings() as readings:
        accounts = AccountNames(plane)
        for each in chain.from_iterable(readings.ask(lambda reader: reader.summarize())):
            counts[each.account_id, each.state] += each.recipients
    ids = sorted({account_id for account_id, _ in counts}, key=accounts.of)
    if as_json:
        print_json(
            [
                {"account": accounts.of(id_), "account_id": id_, **{s.value: counts[id_, s] for s in _STATES}}
                for id_ in ids
            ]
        )
    elif ids:
        rows = [[accounts.of(id_), *[str(counts[id_, state]) for state in _STATES]] for id_ in ids]
        print_table([["ACCOUNT", *[state.value.upper() for state in _STATES]], *rows])
    else:
        say("The queue is empty.")


@queue.command()
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: CommandContext, message_id: str, *, as_json: bool) -> None:
    """Show one queued message: its envelope, where it came from, and the recipients that wait."""
    with context.control_plane() as plane:
        report = find_message(context, message_id)
        if not report.recipients:
            raise click.ClickException(f"message {message_id} is not in the queue: see `gatepost message show`")
        if as_json:
            print_json(queued_message_fields(report, plane))
        else:
            print_queued_message(report, plane)


@queue.command()
@predicate_options
@click.option("--reason", default="held by operator", show_default=True, help="Goes into the events.")
@click.pass_obj
def hold(context: CommandContext, /, *, reason: str, **which: str | None) -> None:
    """Hold what matches: it is not tried until it is released.

    An attempt that is under way runs to its end; what is to be tried again after it is held.
    """
    why, predicate = read_reason(reason), _predicate(context, which)
    _report("held", context.workers().hold(predicate, reason=why, timeout=TIMEOUT))


@queue.command()
@predicate_options
@click.pass_obj
def release(context: CommandContext, /, **which: str | None) -> None:
    """Release what is held and matches: it is due at once."""
    predicate = _predicate(context, which)
    _report("released", context.workers().release(predicate, timeout=TIMEOUT))


@queue.command()
@predicate_options
@click.option("--reason", default="removed by operator", show_default=True, help="Goes into the events.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: CommandContext, /, *, reason: str, yes: bool, **which: str | None) -> None:
    """Drop what is queued or held and matches, for good. Nobody is told but by an event.

    An attempt that is under way is not stopped: hold first, then remove.
    """
    why, predicate = read_reason(reason), _predicate(context, which)
    if not yes and not _confirm(context, predicate):
        return
    _report("removed", context.workers().remove(predicate, reason=why, timeout=TIMEOUT))
    _note_leased(context, predicate)


def _predicate(context: CommandContext, which: dict[str, str | None]) -> Predicate:
    with context.control_plane() as plane:
        return read_some_predicate(plane, **which)


def _confirm(context: CommandContext, predicate: Predicate) -> bool:
    count = _count(context, predicate)
    if count == 0:
        say("Nothing matches.")
        return False
    return click.confirm(f"Remove {_recipients(count)} for good?", abort=True, err=True)


def _note_leased(context: CommandContext, predicate: Predicate) -> None:
    left = _count(context, predicate)
    if left:
        say(f"Not removed: {_recipients(left)} being tried at this moment, or just accepted.")


def _count(context: CommandContext, predicate: Predicate) -> int:
    with context.readings() as readings:
        return sum(readings.ask(lambda reader: reader.count_recipients(predicate)))


def _report(done: str, reports: Sequence[WorkerReport]) -> None:
    """Say how many recipients were concerned; raise where a shard is in trouble."""
    count = _recipients(sum(report.count for report in reports))
    troubles = [f"  - shard {report.index}: {report.trouble}\n" for report in reports if report.trouble]
    if troubles:
        raise click.ClickException(
            f"{count} {done}; it is NOT known to have happened in every shard:\n"
            + "".join(troubles)
            + "Mend that, then give the same command again."
        )
    say(f"{count} {done}.")


def _recipients(count: int) -> str:
    return "1 recipient" if count == 1 else f"{count} recipients"


def _print_rows(rows: Sequence[RecipientRow], accounts: AccountNames) -> None:
    columns: dict[str, Callable[[RecipientRow], str]] = {
        "MESSAGE": lambda row: row.message_id,
        "ACCOUNT": lambda row: accounts.of(row.account_id),
        "RECIPIENT": lambda row: str(row.mailbox),
        "STATE": lambda row: row.state.value,
        "ATTEMPTS": lambda row: str(row.attempts),
        "ACCEPTED": lambda row: instant(row.accepted_at) or "",
        "NEXT ATTEMPT": lambda row: instant(row.next_attempt_at) or "-",
        "LAST REPLY": lambda row: row.last_reply or "-",
    }
    print_table([[*columns], *([cell(row) for cell in columns.values()] for row in rows)])


def _fields(row: RecipientRow, accounts: AccountNames) -> dict[str, str | int | None]:
    return {
        "message_id": row.message_id,
        "account": accounts.of(row.account_id),
        "account_id": row.account_id,
        "key_id": row.key_id,
        "recipient": str(row.mailbox),
        "state": row.state.value,
        "attempts": row.attempts,
        "accepted_at": instant(row.accepted_at),
        "next_attempt_at": instant(row.next_attempt_at),
        "size_octets": row.size_octets,
        "last_reply": row.last_reply,
    }
