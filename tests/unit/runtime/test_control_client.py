import asyncio
import socket
import sqlite3
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from gatepost.entrypoints.operations import control_protocol as protocol
from gatepost.entrypoints.operations.control import ControlServer, WorkerControls
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.ids import KeyId
from gatepost.runtime.control_client import ShardBusy, WorkerReport, Workers, ask_status, find_shards, socket_path

PREDICATE = Predicate(key_id=KeyId("k"))
SOON = timedelta(seconds=10)
VERY_SOON = timedelta(milliseconds=150)


class RunningWorker:
    """A control server in a thread of its own, whose use cases write down what they were asked."""

    def __init__(self, run_dir, index):
        self.asked = []
        self.trouble = None
        self._path = socket_path(run_dir, index)
        self._index = index
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._is_up.wait(10)

    async def _run(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        controls = WorkerControls(
            queue=self, refresh=self.refresh, reload=self.reload, status=self.status, stop=lambda: None
        )
        server = ControlServer(self._path, controls, deadline=timedelta(seconds=5))
        await server.start()
        self._is_up.set()
        await self._end.wait()
        await server.close()

    async def refresh(self):
        if self.trouble:
            raise self.trouble
        self.told_at = time.monotonic()
        self.asked.append("refresh")

    async def barrier(self):
        self.asked.append("barrier")

    async def hold(self, predicate, *, reason):
        self.asked.append(("hold", predicate, reason))
        return 5

    async def release(self, predicate):
        return 6

    async def remove(self, predicate, *, reason):
        return 7

    async def reload(self):
        return ("note",)

    async def status(self):
        return protocol.WorkerStatus(index=self._index, pid=1, state="ready")

    def end(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


class Shards:
    """Shards without a worker; ``busy`` ones are held by one."""

    def __init__(self):
        self.acted = []
        self.busy = set()
        self.trouble = None

    @contextmanager
    def open(self, index):
        if index in self.busy:
            raise ShardBusy("held")
        if self.trouble:
            raise self.trouble
        self.acted.append(index)
        yield self

    def hold(self, predicate, *, reason):
        return 2

    def release(self, predicate):
        return 3

    def remove(self, predicate, *, reason):
        return 4


@pytest.fixture
def shards():
    return Shards()


@pytest.fixture
def place(tmp_path):
    for name in ("run", "queue"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def workers(place, shards):
    return Workers(run_dir=place / "run", queue_dir=place / "queue", open_shard=shards.open)


@pytest.fixture
def run_worker(place, shards):
    running = []

    def run_worker(index):
        (place / "queue" / f"shard-{index}.db").touch()
        shards.busy.add(index)
        running.append(RunningWorker(place / "run", index))
        return running[-1]

    yield run_worker
    for worker in running:
        worker.end()


def test_a_running_worker_refreshes_then_waits_then_holds(workers, run_worker):
    worker = run_worker(0)

    reports = workers.refresh_and_hold(PREDICATE, reason="key revoked", timeout=SOON)

    assert reports == [WorkerReport(index=0, is_running=True, count=5)]
    assert worker.asked == ["refresh", "barrier", ("hold", PREDICATE, "key revoked")]


def test_refresh_holds_nothing(workers, run_worker):
    worker = run_worker(0)

    workers.refresh(timeout=SOON)

    assert worker.asked == ["refresh", "barrier"]


def test_a_shard_without_a_worker_is_opened(workers, place, shards):
    (place / "queue" / "shard-3.db").touch()

    reports = workers.refresh_and_hold(PREDICATE, reason="r", timeout=SOON)

    assert reports == [WorkerReport(index=3, is_running=False, count=2)]


def test_socket_that_a_killed_worker_left_is_no_worker(workers, place, shards):
    (place / "queue" / "shard-0.db").touch()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(socket_path(place / "run", 0)))

    assert workers.hold(PREDICATE, reason="r", timeout=SOON) == [WorkerReport(index=0, is_running=False, count=2)]
    assert shards.acted == [0]


def test_every_shard_is_told(workers, run_worker, place):
    run_worker(0)
    (place / "queue" / "shard-10.db").touch()

    reports = workers.release(PREDICATE, timeout=SOON)

    assert [(report.index, report.count) for report in reports] == [(0, 6), (10, 3)]


def test_remove_and_reload_answer_what_the_worker_said(workers, run_worker):
    run_worker(0)

    assert workers.remove(PREDICATE, reason="r", timeout=SOON)[0].count == 7
    assert workers.reload(timeout=SOON)[0].notes == ("note",)


def test_worker_that_refuses_is_reported(workers, run_worker):
    run_worker(0).trouble = Transient("disk full")

    (report,) = workers.refresh_and_hold(PREDICATE, reason="r", timeout=SOON)

    assert "disk full" in report.trouble


def test_shard_that_cannot_be_opened_is_reported(workers, place, shards):
    (place / "queue" / "shard-0.db").touch()
    shards.trouble = Misconfigured("damaged")

    (report,) = workers.hold(PREDICATE, reason="r", timeout=SOON)

    assert (report.is_running, report.trouble) == (False, "damaged")


@pytest.mark.parametrize("trouble", [PermissionError("no"), sqlite3.OperationalError("disk I/O error")])
def test_any_trouble_with_one_shard_is_reported_and_the_others_are_told(workers, place, shards, run_worker, trouble):
    (place / "queue" / "shard-0.db").touch()
    run_worker(1)
    shards.trouble = trouble

    reports = workers.hold(PREDICATE, reason="r", timeout=SOON)

    assert (reports[0].is_running, str(trouble) in reports[0].trouble) == (False, True)
    assert (reports[1].is_running, reports[1].trouble) == (True, "")


def test_worker_that_starts_meanwhile_is_waited_for(workers, place, shards, run_worker):
    (place / "queue" / "shard-0.db").touch()
    shards.busy.add(0)
    starting = threading.Timer(0.2, run_worker, [0])
    starting.start()

    (report,) = workers.refresh_and_hold(PREDICATE, reason="r", timeout=SOON)

    starting.join()
    assert report == WorkerReport(index=0, is_running=True, count=5)


def test_worker_that_does_not_answer_is_reported_in_time_and_keeps_no_other_from_being_told(
    workers, place, shards, run_worker
):
    worker = run_worker(1)
    shards.busy.add(0)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(socket_path(place / "run", 0)))
        deaf.listen()
        began = time.monotonic()

        reports = workers.refresh_and_hold(PREDICATE, reason="r", timeout=timedelta(milliseconds=500))

    assert "does not answer" in reports[0].trouble
    assert reports[1].trouble == ""
    assert worker.told_at - began < 0.4
    assert time.monotonic() - began < 2


def test_worker_of_another_version_is_reported(workers, place):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_path(place / "run", 0)))
        other.listen()

        def serve():
            connection, _ = other.accept()
            connection.recv(1000)
            connection.sendall(b'{"answer":"maybe"}\n')
            connection.close()

        serving = threading.Thread(target=serve)
        serving.start()
        (report,) = workers.refresh(timeout=SOON)
        serving.join()

    assert "another version" in report.trouble


def test_status_is_asked_of_one_worker(place, run_worker):
    run_worker(0)

    status = ask_status(socket_path(place / "run", 0), timeout=SOON)

    assert status == protocol.WorkerStatus(index=0, pid=1, state="ready")
    assert ask_status(socket_path(place / "run", 1), timeout=VERY_SOON) is None


def test_nothing_is_found_where_nothing_is(tmp_path, shards):
    workers = Workers(run_dir=tmp_path / "no", queue_dir=tmp_path / "none", open_shard=shards.open)

    assert workers.refresh_and_hold(PREDICATE, reason="r", timeout=SOON) == []


def test_shards_are_found_by_their_files(place):
    for name in ("shard-0.db", "shard-0.db-wal", "shard-12.lock", "shard-x.db", "other"):
        (place / "queue" / name).touch()
    (place / "run" / "worker-4.sock").touch()

    assert find_shards(place / "queue", place / "run") == [0, 4, 12]
