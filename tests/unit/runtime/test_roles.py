import asyncio
import socket
from datetime import timedelta

import pytest

from gatepost.entrypoints.operations.control_protocol import WorkerStatus
from gatepost.runtime.control_client import ask_status, socket_path
from gatepost.runtime.periodic import Periodic
from gatepost.runtime.roles import DRAIN_FOR, HURRIED_ATTEMPTS, HURRIED_DRAIN, MailParts, MailWorker, QueueState
from gatepost.telemetry.metrics import Metrics


class Parts:
    """Every part of a worker at once; writes down the order in which it was used."""

    def __init__(self):
        self.order = []
        self.delivery_trouble = None
        self._stopped = asyncio.Event()
        self.open_connections = 3

    # a listener
    async def start(self, sockets):
        self.order.append(("listen", len(sockets)))

    async def stop_listening(self, *, drain_for):
        self.order.append(("drain", drain_for))

    # delivery
    async def run(self):
        self.order.append("deliver")
        if self.delivery_trouble:
            raise self.delivery_trouble
        await self._stopped.wait()
        self.order.append("delivered")

    # the queue
    async def close_queue(self):
        self.order.append("queue closed")

    async def flush(self):
        self.order.append("flush")


@pytest.fixture
async def parts():
    return Parts()


@pytest.fixture
async def worker(parts, tmp_path):
    class Listener:
        start, stop, open_connections = parts.start, parts.stop_listening, 3

    class Delivery:
        run = parts.run

        def stop(self, *, within=None):
            parts.order.append("deliver no more")
            parts.attempts_within = within
            parts._stopped.set()

    class Queue:
        close = parts.close_queue

    async def nothing():
        return ()

    async def state():
        return QueueState(recipients={"queued": 2}, is_suspect=True)

    return MailWorker(
        4,
        MailParts(
            queue=Queue(),
            listeners={"587-starttls": Listener()},
            delivery=Delivery(),
            refresh=nothing,
            reload=nothing,
            queue_state=state,
            metrics=Metrics(),
            periodic=(Periodic(name="flush", every=timedelta(hours=1), work=parts.flush),),
            close=lambda: parts.order.append("closed"),
        ),
        socket_path(tmp_path, 4),
    )


@pytest.fixture
def sockets():
    with socket.socket() as sock:
        yield [("587-starttls", sock), ("465-implicit", sock)]


async def test_worker_starts_and_stops_its_parts_in_order(worker, parts, sockets):
    ready = asyncio.Event()
    task = asyncio.create_task(worker.run(sockets, on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 5)
    await asyncio.sleep(0)
    worker.stop()
    await asyncio.wait_for(task, 5)

    assert set(parts.order[:2]) == {"deliver", ("listen", 1)}
    assert parts.order[2] == "deliver no more"
    assert set(parts.order[3:5]) == {("drain", DRAIN_FOR), "delivered"}
    assert parts.order[5:] == ["flush", "queue closed", "closed"]


async def test_worker_told_to_stop_while_it_starts_stops_in_order_too(worker, parts, sockets):
    await asyncio.wait_for(worker.run(sockets, on_ready=worker.stop), 5)

    assert parts.order[-3:] == ["flush", "queue closed", "closed"]
    assert "delivered" in parts.order


async def test_worker_can_be_reached_before_it_accepts_and_until_it_has_closed_its_queue(
    worker, parts, sockets, tmp_path
):
    seen = []
    path = socket_path(tmp_path, 4)
    start, close = parts.start, parts.close_queue

    async def looking_start(given):
        seen.append(path.exists())
        await start(given)

    async def looking_close():
        seen.append(path.exists())
        await close()

    worker._parts.listeners["587-starttls"].start = looking_start
    worker._parts.queue.close = looking_close

    await worker.run(sockets, on_ready=worker.stop)

    assert seen == [True, True]
    assert await asyncio.to_thread(ask_status, path, timeout=timedelta(seconds=5)) is None


async def test_worker_without_a_supervisor_drains_in_a_hurry(worker, parts, sockets):
    await asyncio.wait_for(worker.run(sockets, on_ready=lambda: worker.stop(in_a_hurry=True)), 5)

    assert ("drain", HURRIED_DRAIN) in parts.order
    assert parts.attempts_within == HURRIED_ATTEMPTS


async def test_worker_that_ends_leaves_the_socket_of_the_next_alone(worker, parts, sockets, tmp_path):
    path = socket_path(tmp_path, 4)

    async def next_takes_over():
        path.unlink()
        path.touch()

    worker._parts.queue.close = next_takes_over

    await asyncio.wait_for(worker.run(sockets, on_ready=worker.stop), 5)

    assert path.exists()


async def test_status_tells_sessions_queue_and_whether_it_drains(worker, sockets, tmp_path):
    running = asyncio.Event()
    task = asyncio.create_task(worker.run(sockets, on_ready=running.set))
    await asyncio.wait_for(running.wait(), 5)

    status = await asyncio.to_thread(ask_status, socket_path(tmp_path, 4), timeout=timedelta(seconds=5))

    assert isinstance(status, WorkerStatus)
    assert (status.index, status.state, status.sessions) == (4, "ready", 3)
    assert (status.is_suspect, status.recipients) == (True, {"queued": 2})
    worker.stop()
    assert (await worker.status()).state == "draining"
    await task


async def test_part_that_fails_ends_the_worker_and_still_closes_the_queue(worker, parts, sockets):
    parts.delivery_trouble = RuntimeError("broken")

    with pytest.raises(ExceptionGroup) as caught:
        await worker.run(sockets, on_ready=lambda: None)

    assert caught.group_contains(RuntimeError, match="broken")
    assert "queue closed" in parts.order
