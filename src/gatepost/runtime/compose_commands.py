"""What the command line works with: the control plane, the mail workers, a resolver, a reader for each shard."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.runtime.compose_queue import open_queue
from gatepost.runtime.control_client import IdleShard, Workers
from gatepost.runtime.control_client import ShardBusy as WorkerRuns
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.readings import Readings
from gatepost.storage.queue_sqlite.shard import ShardBusy, list_shards
from gatepost.storage.queue_sqlite.store import SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.operator import identify_operator


def compose_control_plane(settings: Settings) -> ControlPlane:
    """Open the control plane for the user who gives the command; whoever asked closes it."""
    return open_control_plane(
        settings.control_database_url.reveal(),
        settings.keyring_path,
        SystemClock(),
        SystemEntropy(),
        actor=identify_operator(os.environ),
    )


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
    """A shard opened by this command, driven by an event loop of its own."""

    def __init__(self, runner: asyncio.Runner, queue: SQLiteQueue) -> None:
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
    with asyncio.Runner() as runner:
        try:
            queue = runner.run(open_queue(settings, index))
        except ShardBusy as error:
            raise WorkerRuns(str(error)) from error
        try:
            yield _LoopShard(runner, queue)
        finally:
            runner.run(queue.close())
