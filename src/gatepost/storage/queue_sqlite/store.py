"""The Queue port on one shard: the event loop's side."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.queue.recipient import Lease, Predicate, QueuedMessage, RecipientState, Settlement
from gatepost.mailflow.queue.schedule import DueGroup, ScheduleEnd
from gatepost.mailflow.queue.states import SETTLED
from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId
from gatepost.storage.ballast import Ballast
from gatepost.storage.queue_sqlite.codec import to_milliseconds, to_nearest_instant
from gatepost.storage.queue_sqlite.counters import QueueCounters
from gatepost.storage.queue_sqlite.intervention import compile_predicate
from gatepost.storage.queue_sqlite.jobs import (
    AcceptAllJob,
    AcceptJob,
    BarrierJob,
    EndScheduleJob,
    FindDueJob,
    HoldJob,
    Job,
    PruneJob,
    PruneRequestsJob,
    ReleaseJob,
    RemoveJob,
    SettleJob,
    StopJob,
)
from gatepost.storage.queue_sqlite.lanes import Lanes, StockLimits
from gatepost.storage.queue_sqlite.leases import Leases
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS
from gatepost.storage.queue_sqlite.shard import Report, Shard
from gatepost.storage.queue_sqlite.writer import Writer
from gatepost.storage.spool import SpoolDirectory, SpooledContent

_LOOK_AT_PAUSED_AFTER: Final = timedelta(seconds=5)
"""So long mail of a batch may still wait once the batch is not paused any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """What a shard can be told.

    Attributes:
        longest_delay: Of the retry schedule; a row due further ahead was written under another clock.
        stock: How many leases may lie in memory.
        ballast_octets: Room that is given back when the disk is full, so that delivery goes on; 0 for none.
    """

    longest_delay: timedelta
    stock: StockLimits = field(default_factory=StockLimits)
    ballast_octets: int = 0


class SQLiteQueue:
    """Implements Queue.

    All methods are for the event loop it was opened in; ``open`` is how to get one.

    Attributes:
        spool: Where large contents go while they arrive; implements ContentSpool.
        ballast: Room that the writer gives back when the disk is full; to be taken by whoever watches the disk.
        counters: What metrics read.
    """

    def __init__(self, shard: Shard, *, clock: Clock, settings: QueueSettings, report: Report) -> None:
        longest_delay = settings.longest_delay // timedelta(milliseconds=1)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._lease_lock = asyncio.Lock()
        self.spool: SpoolDirectory = shard.spool
        self.ballast: Ballast = shard.ballast
        self.counters = QueueCounters(interrupted_recipients=shard.recovered.interrupted)
        self._writer = Writer(
            shard,
            longest_delay=longest_delay,
            counters=self.counters,
            loop=self._loop,
            on_done=self._complete,
            report=report,
        )
        lanes = Lanes(limits=settings.stock, longest_delay=longest_delay)
        now = to_milliseconds(clock.now())
        for account_id, domain, first, last in shard.lanes:
            lanes.note_found(AccountId(account_id), domain, first, last, now)
        shard.lanes = []
        self._leases = Leases(
            lanes,
            suspects=shard.recovered.trials,
            put=self._writer.put,
            in_hand=shard.in_hand,
            clock=clock,
            counters=self.counters,
            report=report,
        )
        self._leases.next_start_at = shard.next_start_at
        self._writer.start()

    @classmethod
    async def open(
        cls,
        directory: Path,
        number: int,
        *,
        clock: Clock,
        entropy: Entropy,
        settings: QueueSettings,
        report: Report,
    ) -> "SQLiteQueue":
        """Open or make shard ``number`` under ``directory`` and recover it; see ``Shard`` for what is raised."""
        now = to_milliseconds(clock.now())
        shard = await asyncio.to_thread(
            Shard, directory, number, entropy=entropy, now=now, ballast_octets=settings.ballast_octets
        )
        if shard.recovered.interrupted:
            report("queue_interrupted", {"shard": number, "recipients": shard.recovered.interrupted})
        if shard.recovered.set_aside:
            report("queue_set_aside_after_crashes", {"shard": number, "recipients": shard.recovered.set_aside})
        if shard.recovered.trials:
            report("queue_tries_suspects_alone", {"shard": number, "leases": len(shard.recovered.trials)})
        if shard.restored:
            report("queue_restored", {"shard": number, "held": shard.restored})
        return cls(shard, clock=clock, settings=settings, report=report)

    @property
    def is_suspect(self) -> bool:
        """A flush has failed: nothing is accepted or handed out until the process has been restarted."""
        return self._writer.is_suspect

    @property
    def handed_out(self) -> int:
        """How many leases are with delivery."""
        return self._leases.handed_out

    @property
    def stocked(self) -> int:
        """How many leases are written down and wait in memory."""
        return self._leases.stocked

    async def accept(self, message: QueuedMessage) -> None:
        """Take a message; see the port."""
        try:
            self._refuse_new_work()
            _check_message(message)
        except (StoreUnavailable, Permanent):
            self.counters.refused_messages += 1
            if isinstance(message.content, SpooledContent):
                message.content.abandon()
            raise
        if isinstance(message.content, SpooledContent):
            message.content.claim()
        await self._do(AcceptJob(message, self._leases.reserve(message)))

    async def accept_all(self, messages: Sequence[QueuedMessage], *, record: RequestRecord | None = None) -> None:
        """Take all of these messages or none; see the port."""
        try:
            self._refuse_new_work()
            for message in messages:
                _check_message(message)
                if isinstance(message.content, SpooledContent):
                    raise Permanent("messages that are taken together have their contents in memory")
        except (StoreUnavailable, Permanent):
            self.counters.refused_messages += len(messages)
            raise
        parts = [AcceptJob(message, self._leases.reserve(message)) for message in messages]
        await self._do(AcceptAllJob(parts, record))

    async def lease(self, *, limit: int, room: Callable[[str], int]) -> list[Lease]:
        """Hand out leases; see the port."""
        async with self._lease_lock:
            while True:
                self._refuse_new_work()
                self._leases.work.clear()
                if leases := self._leases.hand_out(limit, room):
                    return leases
                await self._wait_for_work()

    def wake(self) -> None:
        """Look again; see the port."""
        self._leases.work.set()

    def is_on_hold(self, lease: Lease) -> bool:
        """Tell whether a lease was put on hold after it was handed out; see the port."""
        record = self._leases.find(lease)
        return record is not None and record.is_marked

    async def settle(self, settlement: Settlement) -> None:
        """End a lease; see the port."""
        self._refuse_after_close()
        _check_settlement(settlement)
        record = self._leases.find(settlement.lease)
        if record is not None:
            self._leases.take(settlement.lease)
            await self._do(SettleJob(record, settlement))

    async def hold(self, predicate: Predicate, *, reason: str) -> int:
        """Hold what matches; see the port."""
        count = await self._sweep(HoldJob(predicate, self._now(), reason))
        await self.barrier()  # what was in stock has been given back, and is held in the table too
        return count

    async def release(self, predicate: Predicate) -> int:
        """Queue again what is on hold and matches; see the port."""
        return await self._sweep(ReleaseJob(predicate, self._now()))

    async def remove(self, predicate: Predicate, *, reason: str) -> int:
        """Drop what is queued or held and matches; see the port. If it raises, some may have been dropped."""
        await self.barrier()
        withdrawn = self._leases.withdraw(predicate)
        count = await self._sweep(RemoveJob(predicate, self._now(), reason))
        if withdrawn.error is not None:
            raise withdrawn.error
        return count

    async def prune_events(self, before: datetime) -> int:
        """Forget the events that happened before an instant; return how many."""
        job = PruneJob(to_milliseconds(before))
        count = 0
        while True:
            await self._do(job)
            count += job.count
            if job.next_first is None:
                return count
            job = PruneJob(job.before, job.next_first)

    @property
    def next_start_at(self) -> datetime | None:
        """When scheduled mail is worth a look; see the port."""
        at = self._leases.next_start_at
        return None if at is None else to_nearest_instant(at)

    async def find_due(self, now: datetime) -> tuple[DueGroup, ...]:
        """Return the groups of which some is due; see the port."""
        job = FindDueJob(to_milliseconds(now))
        self._leases.next_start_at = None  # what is scheduled from now on is noted again
        try:
            await self._do(job)
        except BaseException:
            self._leases.note_scheduled(job.now)
            raise
        if job.next_due_at is not None:
            self._leases.note_scheduled(job.next_due_at)
        if job.groups:  # what is paused stays due
            self._leases.note_scheduled(job.now + _LOOK_AT_PAUSED_AFTER // timedelta(milliseconds=1))
        return job.groups

    async def end_schedule(self, group: DueGroup, end: ScheduleEnd) -> int:
        """Queue or drop what of a group is due; see the port."""
        count = 0
        while True:
            job = EndScheduleJob(group, end, self._now())
            await self._do(job)
            count += job.count
            if not job.has_more:
                return count

    async def prune_requests(self, before: datetime) -> None:
        """Forget the requests that were carried out before an instant."""
        await self._do(PruneRequestsJob(to_milliseconds(before)))

    async def barrier(self) -> None:
        """Return when all called before has been committed or refused; see the port."""
        await self._do(BarrierJob())

    async def close(self) -> None:
        """Finish and let go; see the port. What is handed out counts as interrupted at the next opening."""
        if self._is_closed:
            return
        self._is_closed = True
        self._leases.work.set()
        await self._finish(BarrierJob())
        await self._leases.finish_proofs()
        self._leases.withdraw(None)
        await self._finish(StopJob())
        await asyncio.to_thread(self._writer.join)

    async def _wait_for_work(self) -> None:
        alarm = self._loop.call_later(self._leases.seconds_to_wait(), self._leases.work.set)
        try:
            await self._leases.work.wait()
        finally:
            alarm.cancel()

    async def _sweep(self, job: HoldJob | ReleaseJob | RemoveJob) -> int:
        compile_predicate(job.predicate)  # refuses one that would mean everything
        count = 0
        while True:
            await self._do(job)
            count += job.count
            if job.next_first is None:
                return count
            job = type(job)(job.predicate, job.now, job.reason, job.next_first)

    async def _do(self, job: Job) -> None:
        self._refuse_after_close()
        await self._finish(job)

    async def _finish(self, job: Job) -> None:
        job.future = self._loop.create_future()
        self._writer.put(job)
        await job.future

    def _complete(self, jobs: list[Job]) -> None:
        """Apply the effects of one group and wake who waits; called by the loop for the writer."""
        for job in jobs:
            self._leases.apply(job)
            future = job.future
            if future is None or future.done():  # done: its caller was cancelled; what is committed stays
                continue
            if job.error is None:
                future.set_result(None)
            else:
                future.set_exception(job.error)

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())

    def _refuse_new_work(self) -> None:
        self._refuse_after_close()
        if self._writer.is_suspect:
            raise StoreUnavailable(StoreTrouble.SUSPECT, "restart the process, and check the disk")

    def _refuse_after_close(self) -> None:
        if self._is_closed:
            raise StoreUnavailable(StoreTrouble.CLOSED)


def _check_message(message: QueuedMessage) -> None:
    recipients = len(message.envelope.forward_paths)
    if not 0 < recipients <= MAX_RECIPIENTS:
        raise Permanent(f"a message needs 1 to {MAX_RECIPIENTS} recipients, not {recipients}")


def _check_settlement(settlement: Settlement) -> None:
    """Refuse a settlement that does not say exactly one legal thing of each recipient of its lease."""
    leased = [recipient.position for recipient in settlement.lease.recipients]
    if sorted(leased) != sorted([settled.position for settled in settlement.recipients]):
        raise ValueError("a settlement must name each recipient of its lease once, and no other")
    for settled in settlement.recipients:
        if settled.state not in SETTLED:
            raise ValueError(f"a lease cannot be settled as {settled.state.value}")
        if (settled.state is RecipientState.QUEUED) != (settled.next_attempt_at is not None):
            raise ValueError(
                "the instant of the next attempt belongs to a recipient that is queued again, and to no other"
            )
