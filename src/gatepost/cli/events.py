"""``gatepost events``: what happened to mail, and what happens."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final

import click

from gatepost.cli.arguments import get_account, read_since
from gatepost.cli.context import CommandContext
from gatepost.cli.event_text import event_fields, event_line
from gatepost.cli.names import AccountNames
from gatepost.cli.output import print_json_line, printable, say
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.ids import MessageId
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.readings import Readings

POLL_SECONDS: Final = 0.5

_AT_ONCE: Final = 1000
"""How many events are read from a shard at a time; a follower that falls behind catches up in such steps."""

Found = tuple[int, Event]
"""An event and its id, which grows within a shard."""


@click.command()
@click.option("--account", help="Of this account: name or id.")
@click.option("--message", help="Of this message: the id that the client was told.")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice([each.value for each in EventType]),
    help="Of this type. Repeatable.",
)
@click.option("--since", help="Not before: 15m or 2d ago, 2027-01-01, or 2027-01-01T12:00:00Z.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=100, show_default=True, help="Show the newest so many of the past."
)
@click.option("--follow", is_flag=True, help="Then show each further event as it happens, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one event a line.")
@click.pass_obj
def events(
    context: CommandContext,
    *,
    account: str | None,
    message: str | None,
    types: tuple[str, ...],
    since: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Show what happened to mail, the newest last."""
    with context.control_plane() as plane:
        selection = _Selection(
            Predicate(
                account_id=get_account(plane, account).id if account else None,
                message_id=MessageId(message) if message else None,
            ),
            [EventType(name) for name in types],
        )
        first = read_since(since, plane.clock.now()) if since else None
        # Names are looked up while the control plane is open: a follower does not keep it so for days.
        accounts = AccountNames(plane)
    show = _printer(accounts, as_json=as_json)
    try:
        with context.readings() as readings:
            past, is_cut = selection.find_newest(readings, first, limit)
        if is_cut and limit:
            say("Earlier ones are left out: see --limit and --since.")
        show(past)
        if follow:
            _follow(context, selection, show)
    except KeyboardInterrupt:
        if not follow:
            raise


class _Selection:
    """Which events are meant, and up to which event of each shard they have been seen."""

    def __init__(self, predicate: Predicate, types: Sequence[EventType]) -> None:
        self._predicate = predicate
        self._types = types
        self._seen: dict[Path, int] = {}

    def find_newest(self, readings: Readings, first: datetime | None, limit: int) -> tuple[list[Event], bool]:
        """Return the newest events by time, and whether there are older ones."""

        def read(reader: QueueReader) -> list[Found]:
            seen = reader.last_event_id()
            newest = reader.list_newest_events(
                limit=limit + 1, since=first, predicate=self._predicate, types=self._types
            )
            self._seen[reader.path] = max([seen, *[id_ for id_, _ in newest]])
            return newest

        found = chain.from_iterable(readings.ask(read))
        ordered = _by_time(found)
        return ordered[max(0, len(ordered) - limit) :], len(ordered) > limit

    def find_new(self, readings: Readings) -> list[Event]:
        """Return events that have not been seen, by time; of a shard that is new, all."""

        def read(reader: QueueReader) -> list[Found]:
            last = reader.last_event_id()
            newer = reader.list_events(
                after_id=self._seen.get(reader.path, 0), limit=_AT_ONCE, predicate=self._predicate, types=self._types
            )
            ids = [id_ for id_, _ in newer]
            # What did not match need not be looked at again, unless there is more to read before it.
            self._seen[reader.path] = max(ids) if len(ids) == _AT_ONCE else max([last, *ids])
            return newer

        return _by_time(chain.from_iterable(readings.ask(read)))


def _follow(context: CommandContext, selection: _Selection, show: Callable[[Sequence[Event]], None]) -> None:
    """Show new events until interrupted. Shards are looked for each time: workers may be added."""
    while True:
        with context.readings() as readings:
            new = selection.find_new(readings)
        show(new)
        if len(new) < _AT_ONCE:
            time.sleep(POLL_SECONDS)


def _by_time(found: Iterable[Found]) -> list[Event]:
    """Order events of several shards; the order within a shard is kept where two have one instant."""
    return [event for _, event in sorted(found, key=lambda each: (each[1].at, each[0]))]


def _printer(accounts: AccountNames, *, as_json: bool) -> Callable[[Sequence[Event]], None]:
    def show(some: Sequence[Event]) -> None:
        for event in some:
            if as_json:
                print_json_line(event_fields(event, accounts))
            else:
                click.echo(printable(event_line(event, accounts)))

    return show
