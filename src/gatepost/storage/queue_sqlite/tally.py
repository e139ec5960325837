"""Counts the events of a shard that were not counted yet, from any process, without touching the shard."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.events.statistics import Counts, DayCounts, classify_bounce
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.schema import connect_reader, unreadable

AT_ONCE: Final = 50_000
"""How many events are looked at in one go: a tenth of a second."""

_DAY_MS: Final = 86_400_000
_FIRST_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).date()

_NAMES: Final = {
    EventType.PROCESSED.value: "requests",
    EventType.DELIVERED.value: "delivered",
    EventType.DEFERRED.value: "deferred",
    EventType.DROPPED.value: "dropped",
}

_NEWEST: Final = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)"
_AT: Final = "SELECT at FROM event WHERE id = ?"
_COUNT: Final = f"""
    SELECT account_id, at / {_DAY_MS}, type, count(*) FROM event
    WHERE id > ? AND id <= ? AND at > ? AND type <> '{EventType.BOUNCE.value}' GROUP BY 1, 2, 3
"""  # noqa: S608 - constants
_BOUNCES: Final = f"""
    SELECT account_id, at / {_DAY_MS}, detail FROM event
    WHERE id > ? AND id <= ? AND at > ? AND type = '{EventType.BOUNCE.value}'
"""  # noqa: S608 - constants

_DETAIL: Final = msgspec.json.Decoder(dict[str, str])
_LONG_AGO: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Up to which event of a shard was counted: its id, and when it happened in Unix milliseconds."""

    event_id: int = 0
    event_at: int = 0


BEGINNING: Final = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted, and up to where. ``has_more``: there are further events."""

    days: tuple[DayCounts, ...]
    place: Place
    has_more: bool


def tally_events(path: Path, after: Place, *, at_once: int = AT_ONCE) -> Tally:
    """Count up to ``at_once`` events that come after a place.

    A shard that was emptied by hand, or comes from a backup, begins with lower ids than were counted: then only what
    is younger than the place counts.

    Raises:
        ShardNotMade, Misconfigured, Transient: As ``connect_reader``.
    """
    try:
        with closing(connect_reader(path)) as connection:
            connection.execute("BEGIN")
            return _tally(connection, after, at_once)
    except sqlite3.DatabaseError as error:
        raise unreadable(path, error) from error


def _tally(connection: sqlite3.Connection, after: Place, at_once: int) -> Tally:
    (newest,) = connection.execute(_NEWEST).fetchone()
    first, younger_than = (
        (0, after.event_at) if _is_replaced(connection, after, newest) else (after.event_id, _LONG_AGO)
    )
    last = min(newest, first + at_once)
    counted: Counter[tuple[str, int, str]] = Counter()
    for account_id, day, name, count in _count(connection, (first, last, younger_than)):
        counted[account_id, day, name] += count
    row = connection.execute(_AT, (last,)).fetchone()
    return Tally(
        days=tuple(_days(counted)),
        place=Place(event_id=last, event_at=row[0] if row else after.event_at),
        has_more=last < newest,
    )


def _is_replaced(connection: sqlite3.Connection, after: Place, newest: int) -> bool:
    if newest < after.event_id:
        return True
    row = connection.execute(_AT, (after.event_id,)).fetchone()
    return row is not None and row[0] != after.event_at


def _count(connection: sqlite3.Connection, values: tuple[int, int, int]) -> Iterator[tuple[str, int, str, int]]:
    for account_id, day, kind, count in connection.execute(_COUNT, values):
        if kind in _NAMES:
            yield account_id, day, _NAMES[kind], count
    for account_id, day, detail in connection.execute(_BOUNCES, values):
        yield account_id, day, classify_bounce(_read(detail)), 1


def _read(detail: str) -> Mapping[str, str]:
    try:
        return _DETAIL.decode(detail)
    except msgspec.DecodeError:
        # A damaged record is a bounce all the same.
        return {}


def _days(counted: Mapping[tuple[str, int, str], int]) -> Iterator[DayCounts]:
    by_day: dict[tuple[str, int], dict[str, int]] = {}
    for (account_id, day, name), count in counted.items():
        by_day.setdefault((account_id, day), {})[name] = count
    for (account_id, day), counts in by_day.items():
        yield DayCounts(account_id=AccountId(account_id), day=_date(day), counts=Counts(**counts))


def _date(day: int) -> date:
    return _FIRST_DAY + timedelta(days=day)
