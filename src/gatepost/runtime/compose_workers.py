"""The way to the mail workers and their shards, for commands and for the API."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.runtime.control_client import IdleShard, Workers
from gatepost.runtime.control_client import ShardBusy as WorkerRuns
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.readings import Readings
from gatepost.storage.queue_sqlite.shard import ShardBusy, list_shards

if TYPE_CHECKING:
    from gatepost.storage.queue_sqlite.store import SQLiteQueue


def compose_workers(settings: Settings) -> Workers:
    """Return the way to all mail workers, and to the shards whose worker does not run."""
    return Workers(
        run_dir=settings.run_dir, queue_dir=settings.queue_dir, open_shard=partial(_open_idle_shard, settings)
    )


@contextmanager
def open_readings(settings: Settings) -> Iterator[Readings]:
    """Open every shard read-only, by number; works beside running workers and without them."""
    with closing(Readings(list_shards(settings.queue_dir))) as readings:
        yield readings


class _LoopShard:
    """A shard opened by this process, driven by an event loop of its own."""

    def __init__(self, runner: asyncio.Runner, queue: "SQLiteQueue") -> None:
        self._runner = runner
        self._queue = queue

    def hold(self, predicate: Predicate, *, reason: str) -> int:
        return self._runner.run(self._queue.hold(predicate, reason=reason))

    def release(self, predicate: Predicate) -> int:
        return self._runner.run(self._queue.release(predicate))

    def remove(self, predicate: Predicate, *, reason: str) -> int:
        return self._runner.run(self._queue.remove(predicate, reason=reason))


@contextmanager
def _open_idle_shard(settings: Settings, index: int) -> Iterator[IdleShard]:
    # Most commands find every worker running.
    from gatepost.runtime.compose_queue import open_queue

    with asyncio.Runner() as runner:
        try:
            queue = runner.run(open_queue(settings, index))
        except ShardBusy as error:
            raise WorkerRuns(str(error)) from error
        try:
            yield _LoopShard(runner, queue)
        finally:
            runner.run(queue.close())
