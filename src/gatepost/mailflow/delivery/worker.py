"""lease → attempt → settle, for ever; each destination within its own limits, so that none delays another."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gatepost.mailflow.delivery.attempt import AttemptReport, Attempts, local_failure
from gatepost.mailflow.delivery.fault_count import FaultCount
from gatepost.mailflow.delivery.outcome import Outcome, Verdict
from gatepost.mailflow.delivery.pool import ConnectionPool
from gatepost.mailflow.delivery.settlement import RetryPolicy, plan_settlement
from gatepost.mailflow.delivery.shaping import Shaping
from gatepost.mailflow.queue.ports import Queue
from gatepost.mailflow.queue.recipient import Lease, Predicate, Settlement
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Transient

OnFault = Callable[[str, Lease | None, BaseException], None]
"""Told of what went wrong on our side: a word for the step, the lease, the error. For logging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Limits of one worker.

    Attributes:
        max_leases: In hand at once, waiting for a connection or under way.
        drain_seconds: How long attempts under way may take to end after ``stop``; those that do not are cut off and
            left unsettled, so that the queue finds them interrupted.
        settle_again_seconds: The pause after a settlement that could not be committed.
        lease_again_seconds: The pause after a lease that failed.
    """

    max_leases: int = 1000
    drain_seconds: float = 20.0
    settle_again_seconds: float = 1.0
    lease_again_seconds: float = 1.0


class DeliveryWorker:
    """Delivers what one queue hands out."""

    def __init__(
        self,
        *,
        queue: Queue,
        attempts: Attempts,
        shaping: Shaping,
        pool: ConnectionPool,
        retry: RetryPolicy,
        clock: Clock,
        monotonic: Callable[[], float],
        on_fault: OnFault,
        on_settled: Callable[[Settlement], None],
        limits: WorkerLimits | None = None,
    ) -> None:
        """Deliver with these; ``monotonic`` counts seconds, ``on_settled`` is told of each lease that has ended."""
        self._queue = queue
        self._attempts = attempts
        self._shaping = shaping
        self._pool = pool
        self._retry = retry
        self._clock = clock
        self._monotonic = monotonic
        self._on_fault = on_fault
        self._on_settled = on_settled
        self._limits = limits or WorkerLimits()
        self._lanes: dict[str, deque[Lease]] = {}
        self._in_hand = 0
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._room = asyncio.Event()
        self._faults = FaultCount()
        self._drain_seconds = self._limits.drain_seconds

    async def run(self) -> None:
        """Deliver until ``stop``; returns when nothing is under way any more."""
        async with asyncio.TaskGroup() as tasks:
            sweeper = tasks.create_task(self._close_idle_connections())
            try:
                await self._lease_until_stopped(tasks)
                self._give_back_waiting(tasks)
                await self._drain()
            finally:
                # However it ends, no further attempt is begun.
                self._stopping.set()
                sweeper.cancel()
        self._pool.close()

    def stop(self, *, within: timedelta | None = None) -> None:
        """Lease no more, give back what waits for a connection, and let attempts under way end. May be called twice.

        Args:
            within: How long they may take, if not as long as the limits say.
        """
        if within is not None:
            self._drain_seconds = within.total_seconds()
        self._stopping.set()

    async def _lease_until_stopped(self, tasks: asyncio.TaskGroup) -> None:
        stopping = tasks.create_task(self._stopping.wait())
        while not self._stopping.is_set():
            free = self._limits.max_leases - self._in_hand
            if free <= 0:
                self._room.clear()
                room = tasks.create_task(self._room.wait())
                await asyncio.wait((room, stopping), return_when=asyncio.FIRST_COMPLETED)
                room.cancel()
                continue
            leasing = tasks.create_task(self._lease(free))
            await asyncio.wait((leasing, stopping), return_when=asyncio.FIRST_COMPLETED)
            # Cancelled between commit and hand-over, a lease would be found interrupted at the next start: not lost.
            if not leasing.done():
                leasing.cancel()
                continue
            for lease in leasing.result():
                self._take(lease, tasks)

    async def _lease(self, limit: int) -> list[Lease]:
        try:
            return await self._queue.lease(limit=limit, room=self._shaping.room)
        except Transient as error:
            self._on_fault("lease", None, error)
            await asyncio.sleep(self._limits.lease_again_seconds)
            return []

    def _take(self, lease: Lease, tasks: asyncio.TaskGroup) -> None:
        self._in_hand += 1
        self._shaping.reserve(lease.domain, len(lease.recipients))
        self._lanes.setdefault(self._shaping.destination_of(lease.domain), deque()).append(lease)
        self._start_waiting(lease.domain, tasks)

    def _start_waiting(self, domain: str, tasks: asyncio.TaskGroup) -> None:
        """Begin as many attempts of a destination as may run side by side."""
        destination = self._shaping.destination_of(domain)
        lane = self._lanes.get(destination)
        while lane and not self._stopping.is_set() and self._shaping.may_begin(domain):
            lease = lane.popleft()
            refusal = self._shaping.begin(lease.domain, self._monotonic())
            task = tasks.create_task(self._carry_out(lease, refusal, tasks))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if not lane:
            self._lanes.pop(destination, None)

    async def _carry_out(self, lease: Lease, refusal: str, tasks: asyncio.TaskGroup) -> None:
        try:
            report = await self._attempt(lease, refusal)
        finally:
            self._shaping.end(lease.domain)
            self._start_waiting(lease.domain, tasks)
        await self._settle(lease, report, untried="on hold")

    async def _attempt(self, lease: Lease, refusal: str) -> AttemptReport:
        if refusal:
            report = AttemptReport()
            report.add(lease.recipients, Outcome(verdict=Verdict.DEFERRED, reason=refusal))
            return report
        try:
            report = await self._attempts.attempt(lease)
        except Transient as error:
            # The control plane does not answer: nothing is wrong with the message.
            self._on_fault("attempt", lease, error)
            return local_failure(lease, error)
        except Exception as error:  # noqa: BLE001 - one message that breaks us must not stop the others
            self._on_fault("attempt", lease, error)
            self._faults.note(lease, error)
            return local_failure(lease, error)
        self._faults.forget(lease)
        if report.host_failure:
            self._shaping.note_failure(lease.domain, self._monotonic(), report.host_failure)
        elif report.host_failure is not None:
            self._shaping.note_success(lease.domain)
        return report

    async def _settle(self, lease: Lease, report: AttemptReport, *, untried: str) -> None:
        try:
            await self._settle_for_certain(lease, report, untried)
        except Exception as error:  # noqa: BLE001 - one message that breaks us must not stop the others
            # It stays leased as it is written down, and the next start finds it interrupted.
            self._on_fault("settle", lease, error)
        finally:
            self._let_go(lease)

    async def _settle_for_certain(self, lease: Lease, report: AttemptReport, untried: str) -> None:
        settlement = plan_settlement(
            lease, report.recipients, now=self._clock.now(), retry=self._retry, untried=untried
        )
        while not await self._commit(settlement):  # noqa: ASYNC110 - the store tells nobody when it is back
            # That a message was delivered must not be forgotten: on and on.
            await asyncio.sleep(self._limits.settle_again_seconds)
        self._on_settled(settlement)
        if reason := self._faults.find_reason(lease):
            await self._set_aside(lease, reason)

    async def _set_aside(self, lease: Lease, reason: str) -> None:
        try:
            await self._queue.hold(Predicate(message_id=lease.message.id, domain=lease.domain), reason=reason)
        except Transient as error:
            # It fails and is counted again; then this is tried again.
            self._on_fault("set aside", lease, error)
            return
        self._faults.forget(lease)

    async def _commit(self, settlement: Settlement) -> bool:
        try:
            await self._queue.settle(settlement)
        except Transient as error:
            self._on_fault("settle", settlement.lease, error)
            return False
        return True

    def _let_go(self, lease: Lease) -> None:
        self._in_hand -= 1
        self._shaping.release(lease.domain, len(lease.recipients))
        self._room.set()
        self._queue.wake()

    def _give_back_waiting(self, tasks: asyncio.TaskGroup) -> None:
        for lane in self._lanes.values():
            for lease in lane:
                task = tasks.create_task(self._settle(lease, AttemptReport(), untried="relay is shutting down"))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        self._lanes.clear()

    async def _drain(self) -> None:
        if self._running:
            _, late = await asyncio.wait(list(self._running), timeout=self._drain_seconds)
            for task in late:
                task.cancel()

    async def _close_idle_connections(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._pool.close_idle()
