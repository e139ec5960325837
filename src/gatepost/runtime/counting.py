"""Statistics, kept up to date: what the shards of this machine have noted since, added to the control plane's counts.

Every machine's jobs worker counts its own shards, whether or not it has the lease of the other jobs: nobody else can
read them. The hot path has no part in it; counts are up to a minute behind.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import RelayError
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.schema import ShardNotMade
from gatepost.storage.queue_sqlite.shard import list_shards
from gatepost.storage.queue_sqlite.tally import tally_events
from gatepost.storage.statistics import SqlStatisticsStore
from gatepost.telemetry.logger import get_logger

COUNT_EVERY: Final = timedelta(minutes=1)
"""Not more often: each commit to the control plane makes mail workers look their keys up anew."""

log = get_logger()


class Counting:
    """Counts the shards of one queue directory."""

    def __init__(self, queue_dir: Path, machine: str, store: SqlStatisticsStore) -> None:
        """Count for the machine of that name; "" where the control plane serves one machine only."""
        self._queue_dir = queue_dir
        self._machine = machine
        self._store = store

    async def run_until(self, stopping: asyncio.Event) -> None:
        """Count again and again; what goes wrong is logged, the next time may go well."""
        waiting = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            try:
                await asyncio.to_thread(self.count, is_stopping=stopping.is_set)
            except Exception:
                log.exception("statistics_not_counted")
            await asyncio.wait((waiting,), timeout=COUNT_EVERY.total_seconds())
        await waiting

    def count(self, *, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Count what is new in every shard; return how many steps that took.

        A shard that cannot be read is told of and hides no other; it is counted once it can be read again.
        """
        return sum([self._count_shard(path, is_stopping) for path in list_shards(self._queue_dir)])

    def _count_shard(self, path: Path, is_stopping: Callable[[], bool]) -> int:
        name, steps = f"{self._machine}/{path.stem}", 0
        try:
            while not is_stopping():
                place = self._store.find_place(name)
                tally = tally_events(path, place)
                if tally.place == place:
                    break
                self._store.add(name, place, tally)
                steps += 1
                if not tally.has_more:
                    break
        except ShardNotMade:
            pass
        except RelayError as error:
            log.error("statistics_not_counted", shard=path.name, reason=str(error))  # noqa: TRY400 - it says it all
        return steps


def find_machine_name(settings: Settings, entropy: Entropy) -> str:
    """Return what this machine's shards are told from others' by: drawn once, and kept in the state directory.

    A control plane on SQLite has one machine, which needs no name.
    """
    if settings.control_database_url.reveal().startswith("sqlite:"):
        return ""
    path = settings.state_dir / "machine-id"
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_text(entropy.draw(8).hex(), encoding="ascii")
        partial.replace(path)
    return path.read_text(encoding="ascii")
