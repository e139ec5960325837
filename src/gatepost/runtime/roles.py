"""What a mail worker does from its start to its end; its parts are chosen in ``compose``.

Start: control socket, delivery, then the listeners. The control socket comes first, so that there is no session that a
revocation could not reach. End, on SIGTERM or a ``stop`` request: no new session and no new attempt; transactions and
attempts under way run to their end, within a limit; then the queue is closed. What was accepted is durable anyway.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from gatepost.entrypoints.operations.control import ControlServer, WorkerControls
from gatepost.entrypoints.operations.control_protocol import WorkerStatus
from gatepost.mailflow.queue.ports import Queue
from gatepost.runtime.periodic import Periodic, do_once, flush_metrics, repeat
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics

DRAIN_FOR: Final = timedelta(seconds=15)
"""How long transactions under way may take to end at a stop; the supervisor kills after 30 s."""

HURRIED_DRAIN: Final = timedelta(seconds=2)
HURRIED_ATTEMPTS: Final = timedelta(seconds=5)
"""Without a supervisor: a service that is started anew waits, and accepts nothing meanwhile."""

CONTROL_DEADLINE: Final = timedelta(seconds=60)
METRICS_EVERY: Final = timedelta(seconds=1)

log = get_logger()


class MailListener(Protocol):
    """The submission listener of one name (``entrypoints.smtp``)."""

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that are bound already."""
        ...

    async def stop(self, *, drain_for: timedelta) -> None:
        """Stop accepting; let transactions under way end, for so long; then end the sessions that are left."""
        ...

    @property
    def open_connections(self) -> int:
        """How many there are."""
        ...


class Delivery(Protocol):
    """The delivery worker (``mailflow.delivery``)."""

    async def run(self) -> None:
        """Deliver until ``stop``; returns when nothing is under way any more."""
        ...

    def stop(self, *, within: timedelta | None = None) -> None:
        """Begin no attempt any more; those under way may take so long to end, or as long as they are used to."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What the queue says about itself."""

    recipients: dict[str, int]
    is_suspect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParts:
    """What a mail worker is made of.

    Attributes:
        listeners: By the name of the listener; none at a worker that only empties a shard left from before.
        refresh, reload: See ``WorkerControls``.
        queue_state: Cheap enough to be asked every few seconds.
        close: Lets go of what else was opened, after the queue.
    """

    queue: Queue
    listeners: Mapping[str, MailListener]
    delivery: Delivery
    refresh: Callable[[], Awaitable[None]]
    reload: Callable[[], Awaitable[tuple[str, ...]]]
    queue_state: Callable[[], Awaitable[QueueState]]
    metrics: Metrics
    periodic: tuple[Periodic, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)


class MailWorker:
    """One mail worker: runs its parts in order, and stops them in order."""

    def __init__(self, index: int, parts: MailParts, control_path: Path) -> None:
        """Make a worker that has started nothing yet."""
        self._index = index
        self._parts = parts
        self._stopping = asyncio.Event()
        self._is_in_a_hurry = False
        self._control = ControlServer(
            control_path,
            WorkerControls(
                queue=parts.queue, refresh=parts.refresh, reload=parts.reload, status=self.status, stop=self.stop
            ),
            deadline=CONTROL_DEADLINE,
        )

    def stop(self, *, in_a_hurry: bool = False) -> None:
        """Begin to drain; ``run`` returns when it is done.

        Args:
            in_a_hurry: Nobody keeps this process any more, and another may be waiting for its shard.
        """
        self._is_in_a_hurry = self._is_in_a_hurry or in_a_hurry
        self._stopping.set()

    async def status(self) -> WorkerStatus:
        """Say how the worker is."""
        queue = await self._parts.queue_state()
        return WorkerStatus(
            index=self._index,
            pid=os.getpid(),
            state="draining" if self._stopping.is_set() else "ready",
            sessions=sum([listener.open_connections for listener in self._parts.listeners.values()]),
            is_suspect=queue.is_suspect,
            recipients=queue.recipients,
        )

    async def run(self, sockets: Sequence[tuple[str, socket.socket]], *, on_ready: Callable[[], None]) -> None:
        """Work until stopped.

        Args:
            sockets: Bound sockets with the names of their listeners.
            on_ready: Called once connections are accepted.

        Raises:
            ExceptionGroup: A part failed; the process is to end, and to be started anew.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._control.start()
                delivering = tasks.create_task(self._parts.delivery.run())
                repeated = [tasks.create_task(repeat(periodic)) for periodic in self._parts.periodic]
                repeated.append(tasks.create_task(flush_metrics(self._parts.metrics, METRICS_EVERY)))
                await self._open_listeners(sockets)
                on_ready()
                await self._stopping.wait()
                await self._drain(delivering)
                for task in repeated:
                    task.cancel()
        finally:
            await self._close()

    async def _open_listeners(self, sockets: Sequence[tuple[str, socket.socket]]) -> None:
        for name, listener in self._parts.listeners.items():
            own = [sock for named, sock in sockets if named == name]
            await listener.start(own)
            log.info("listening", listener=name, addresses=[str(sock.getsockname()[:2]) for sock in own])

    async def _drain(self, delivering: "asyncio.Task[None]") -> None:
        log.info("worker_draining", worker=self._index, is_in_a_hurry=self._is_in_a_hurry)
        self._parts.delivery.stop(within=HURRIED_ATTEMPTS if self._is_in_a_hurry else None)
        drain_for = HURRIED_DRAIN if self._is_in_a_hurry else DRAIN_FOR
        stops = [listener.stop(drain_for=drain_for) for listener in self._parts.listeners.values()]
        await asyncio.gather(*stops)
        await delivering

    async def _close(self) -> None:
        for periodic in self._parts.periodic:
            await do_once(periodic)
        self._parts.metrics.flush()
        await self._parts.queue.close()
        # Last: as long as the shard is ours, whoever asks finds us here.
        await self._control.close()
        self._parts.close()
        log.info("worker_stopped", worker=self._index)
