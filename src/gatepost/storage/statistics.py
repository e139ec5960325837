"""Statistics at rest."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date
from typing import Final

from sqlalchemy import Connection, insert, select, update

from gatepost.mailflow.events.statistics import COUNTED, Counts, DayCounts
from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.queue_sqlite.tally import BEGINNING, Place, Tally
from gatepost.storage.schema import counted_events, statistics

_PLACE: Final = select(counted_events.c.event_id, counted_events.c.event_at)


class SqlStatisticsStore:
    """Implements StatisticsStore, and takes what is counted."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def list_days(self, account_ids: Collection[AccountId], first: date, last: date) -> Sequence[DayCounts]:
        """Return what was counted, by day and account."""
        statement = (
            select(statistics)
            .where(statistics.c.account_id.in_(list(account_ids)), statistics.c.day.between(first, last))
            .order_by(statistics.c.day, statistics.c.account_id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            DayCounts(
                account_id=AccountId(row.account_id),
                day=row.day,
                counts=Counts(**{name: getattr(row, name) for name in COUNTED}),
            )
            for row in rows
        ]

    def find_place(self, shard: str) -> Place:
        """Return up to which event a shard is counted."""
        with self._database.reading() as connection:
            return _find_place(connection, shard)

    def add(self, shard: str, after: Place, tally: Tally) -> bool:
        """Add what was counted after a place of a shard; False, and nothing, if it is counted further than that.

        One transaction: each event is counted once, however many processes count and whenever they die.
        """
        with self._database.writing() as connection:
            if _find_place(connection, shard) != after:
                return False
            for each in tally.days:
                _add_day(connection, each)
            values = {"event_id": tally.place.event_id, "event_at": tally.place.event_at}
            found = update(counted_events).where(counted_events.c.shard == shard).values(values)
            if connection.execute(found).rowcount == 0:
                connection.execute(insert(counted_events).values(shard=shard, **values))
        return True


def _find_place(connection: Connection, shard: str) -> Place:
    row = connection.execute(_PLACE.where(counted_events.c.shard == shard)).one_or_none()
    return BEGINNING if row is None else Place(event_id=row.event_id, event_at=row.event_at)


def _add_day(connection: Connection, each: DayCounts) -> None:
    counts = asdict(each.counts)
    present = update(statistics).where(statistics.c.account_id == each.account_id, statistics.c.day == each.day)
    added = {name: statistics.c[name] + count for name, count in counts.items()}
    if connection.execute(present.values(added)).rowcount == 0:
        connection.execute(insert(statistics).values(account_id=each.account_id, day=each.day, **counts))
