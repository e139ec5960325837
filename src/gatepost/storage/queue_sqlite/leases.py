"""Where every lease of a shard is: in stock, being proved, or handed out; and what each finished job changes in that.

Used by the event loop alone. The effects of jobs are applied in the order in which the jobs were put.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gatepost.mailflow.queue.recipient import Lease, Predicate, QueuedMessage, RecipientState
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import MessageId
from gatepost.storage.queue_sqlite.codec import names_of, to_milliseconds
from gatepost.storage.queue_sqlite.counters import QueueCounters
from gatepost.storage.queue_sqlite.in_hand import InHand
from gatepost.storage.queue_sqlite.jobs import (
    AcceptAllJob,
    AcceptJob,
    EndScheduleJob,
    FillJob,
    GiveBackJob,
    HoldJob,
    Job,
    LeaseRecord,
    Order,
    ReleaseJob,
    SetAsideJob,
    SettleJob,
)
from gatepost.storage.queue_sqlite.lanes import Lanes
from gatepost.storage.queue_sqlite.recovery import Suspect
from gatepost.storage.queue_sqlite.shard import Report
from gatepost.storage.queue_sqlite.trials import Trials
from gatepost.storage.spool import SpooledContent

_LOOK_AGAIN_SECONDS: Final = 30.0
"""However far the next due instant: the clock may be set meanwhile."""

_PAUSE_AFTER_ERROR_SECONDS: Final = 1.0

_PATIENCE_SECONDS: Final = 5.0
"""So long a lease may lie in stock for want of room before it goes back to the table."""


class Leases:
    """The leases of one shard.

    ``put`` hands a job to the writer; ``in_hand`` outlives a crash. ``work`` is set whenever there may be something to
    hand out.
    """

    def __init__(
        self,
        lanes: Lanes,
        *,
        suspects: Sequence[Suspect],
        put: Callable[[Job], None],
        in_hand: InHand,
        clock: Clock,
        counters: QueueCounters,
        report: Report,
    ) -> None:
        self.work = asyncio.Event()
        self._lanes = lanes
        self._put = put
        self._in_hand = in_hand
        self._clock = clock
        self._counters = counters
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._trials = Trials(suspects, lanes=lanes, excuse=in_hand.excuse, seconds=self._loop.time)
        #: By message and first position; a message's leases have no position in common.
        self._handed_out: dict[tuple[MessageId, int], LeaseRecord] = {}
        self._in_proof: dict[asyncio.Future[bool], LeaseRecord] = {}
        self._fills_under_way = 0
        self._no_fill_before = 0.0
        self._effects: dict[type[Job], Callable[..., None]] = {
            AcceptJob: self._after_accept,
            AcceptAllJob: self._after_accept_all,
            SettleJob: self._after_settle,
            FillJob: self._after_fill,
            GiveBackJob: self._after_give_back,
            HoldJob: self._after_hold,
            ReleaseJob: self._after_release,
            EndScheduleJob: self._after_end_schedule,
        }
        #: When the first of what is scheduled is due, or to be looked at again; None while nothing is.
        self.next_start_at: int | None = None

    @property
    def handed_out(self) -> int:
        """How many leases are with delivery."""
        return len(self._handed_out)

    @property
    def stocked(self) -> int:
        """How many leases are written down and wait in memory."""
        return self._lanes.stocked_leases

    def reserve(self, message: QueuedMessage) -> tuple[str, ...]:
        """Return the domains of a new message whose recipients are to be leased at once, with a place for each."""
        if message.is_scheduled:
            return ()
        domains = self._lanes.find_leasable(message, self._now())
        self._lanes.reserve(message, domains)
        return domains

    def hand_out(self, limit: int, room: Callable[[str], int]) -> list[Lease]:
        """Return what can be handed out now, and order more from the table for the next time."""
        now = self._now()
        records = self._try_alone(now) if self._trials.are_on else self._allot(limit, room, now)
        for record in records:
            self._handed_out[_handle(record.lease)] = record
            record.slot = self._in_hand.enter(record.first_key)
        return [record.lease for record in records]

    def _try_alone(self, now: int) -> list[LeaseRecord]:
        step = self._trials.step(is_reading=bool(self._fills_under_way or self._in_proof))
        if isinstance(step, LeaseRecord):
            return [step]
        if step is not None:
            self._fill([step], now)
        elif not self._trials.are_on:
            self.work.set()
        return []

    def _allot(self, limit: int, room: Callable[[str], int], now: int) -> list[LeaseRecord]:
        self._lanes.mature(now)
        records, orders, stuck = self._lanes.allot(limit=limit, room=room, now=now)
        for lane in stuck:
            if lane.stuck_since is not None and now - lane.stuck_since > _PATIENCE_SECONDS * 1000:
                self.give_back(self._lanes.withdraw(lane))
        if orders and (self._fills_under_way or self._loop.time() < self._no_fill_before):
            for order in orders:
                self._lanes.cancel(order)
        elif orders:
            self._fill(orders, now)
        return records

    def _fill(self, orders: list[Order], now: int) -> None:
        self._fills_under_way += 1
        self._put(FillJob(orders, now))

    def seconds_to_wait(self) -> float:
        """Return when to look again even if nothing happens."""
        if self._trials.are_on:
            return self._trials.seconds_to_wait()
        pause = self._no_fill_before - self._loop.time()
        if pause > 0:
            return pause
        seconds = _PATIENCE_SECONDS if self._lanes.stocked_leases else _LOOK_AGAIN_SECONDS
        if self._lanes.next_due_at is not None:
            seconds = min(seconds, max(0.0, (self._lanes.next_due_at - self._now()) / 1000) + 0.001)
        return seconds

    def find(self, lease: Lease) -> LeaseRecord | None:
        """Return the record of a lease that is handed out; None if it is stale."""
        record = self._handed_out.get(_handle(lease))
        # The number of attempts tells a lease from an earlier one of the same recipients.
        return record if record is not None and record.lease.recipients == lease.recipients else None

    def take(self, lease: Lease) -> None:
        """Forget that a lease is handed out: it is being settled."""
        del self._handed_out[_handle(lease)]

    def withdraw(self, predicate: Predicate | None) -> GiveBackJob:
        """Give back what is in stock, all of it or what matches: in the table it is leased, but it is only waiting."""
        return self.give_back(
            self._lanes.withdraw_matching(lambda record: predicate is None or _is_meant(predicate, record.lease))
        )

    def give_back(self, records: list[LeaseRecord]) -> GiveBackJob:
        """Queue leases again that were never handed out."""
        job = GiveBackJob(records, self._now())
        if records:
            self._put(job)
        return job

    async def finish_proofs(self) -> None:
        """Return when no content is being read for proof any more."""
        while self._in_proof:
            await asyncio.wait(list(self._in_proof))

    def apply(self, job: Job) -> None:
        """Apply the effects of a job that has ended, well or with an error."""
        effect = self._effects.get(type(job))
        if effect is not None:
            effect(job)

    # The effects.

    def _after_accept(self, job: AcceptJob) -> None:
        message = job.message
        self._lanes.cancel_reservation(message, job.leased_domains)
        paths = message.envelope.forward_paths
        if job.error is not None:
            self._counters.refused_messages += 1
            return
        self._counters.accepted_messages += 1
        self._counters.accepted_recipients += len(paths)
        for record in job.records:
            self._lanes.put(record)
        if message.is_scheduled:
            self.note_scheduled(to_milliseconds(message.due_at))
        elif len(paths) > 1 or not job.records:
            due_at = to_milliseconds(message.accepted_at)
            for domain in {mailbox.domain for mailbox in paths}.difference(job.leased_domains):
                self._lanes.note_due(message.account_id, domain, due_at)
        self.work.set()

    def _after_accept_all(self, job: AcceptAllJob) -> None:
        for part in job.parts:
            part.error = job.error
            self._after_accept(part)

    def _after_settle(self, job: SettleJob) -> None:
        record = job.record
        if job.error is not None:
            self._handed_out[_handle(record.lease)] = record
            return
        self._in_hand.leave(record.slot)
        record.slot = -1
        self._counters.settled_leases += 1
        again = [settled.next_attempt_at for settled in job.settlement.recipients if settled.next_attempt_at]
        if again:
            lease = record.lease
            self._lanes.note_due(lease.message.account_id, lease.domain, to_milliseconds(min(again)))
            self.work.set()

    def _after_fill(self, job: FillJob) -> None:
        self._fills_under_way -= 1
        self.work.set()
        if job.error is not None:
            self._after_failed_fill(job)
            return
        for fault in job.set_aside:
            self._count_set_aside(fault)
        for order in job.orders:
            unproved = [record for record in order.records if isinstance(record.lease.message.content, SpooledContent)]
            order.records = [record for record in order.records if record not in unproved]
            self._lanes.deliver(order)
            for record in unproved:
                self._prove(record)

    def _after_failed_fill(self, job: FillJob) -> None:
        if isinstance(job.error, Permanent) and len(job.orders) > 1:
            for order in job.orders:  # one lane is at fault; the others are not to wait for it
                self._fill([order], job.now)
            return
        self._no_fill_before = self._loop.time() + _PAUSE_AFTER_ERROR_SECONDS
        for order in job.orders:
            self._lanes.cancel(order)

    def _after_give_back(self, job: GiveBackJob) -> None:
        for record in job.records:
            if job.error is None:
                self._lanes.note_due(record.lease.message.account_id, record.lease.domain, job.now)
            elif record.is_marked:  # it must not be handed out
                self._loop.call_later(_PAUSE_AFTER_ERROR_SECONDS, self.give_back, [record])
            else:
                self._lanes.put(record)
        self.work.set()

    def _after_hold(self, job: HoldJob) -> None:
        if job.error is not None or not job.marked:
            return
        marked = frozenset(job.marked)
        withdrawn = self._lanes.withdraw_matching(lambda record: not marked.isdisjoint(record.recipient_keys()))
        for record in [*withdrawn, *self._outside_stock()]:
            record.is_marked = record.is_marked or not marked.isdisjoint(record.recipient_keys())
        self.give_back(withdrawn)

    def _after_release(self, job: ReleaseJob) -> None:
        if job.error is not None:
            return
        unmarked = frozenset(job.unmarked)
        for record in self._outside_stock() if unmarked else ():
            record.is_marked = record.is_marked and unmarked.isdisjoint(record.recipient_keys())
        for account_id, domain in job.lanes:
            self._lanes.note_due(account_id, domain, job.now)
        self.work.set()

    def note_scheduled(self, due_at: int) -> None:
        """Remember that something is scheduled for then."""
        self.next_start_at = due_at if self.next_start_at is None else min(self.next_start_at, due_at)

    def _after_end_schedule(self, job: EndScheduleJob) -> None:
        if job.error is None:
            for account_id, domain in job.lanes:
                self._lanes.note_due(account_id, domain, job.now)
            self.work.set()

    # A content on disk is read through before it is handed out, beside the writer: it may be large.

    def _prove(self, record: LeaseRecord) -> None:
        content = record.lease.message.content
        assert isinstance(content, SpooledContent)
        proof = self._loop.run_in_executor(None, content.is_whole)
        self._in_proof[proof] = record
        proof.add_done_callback(self._after_proof)

    def _after_proof(self, proof: "asyncio.Future[bool]") -> None:
        record = self._in_proof.pop(proof)
        if proof.cancelled():
            return
        if not proof.result():
            fault = "the spooled content's checksum differs"
            self._count_set_aside(f"message {record.lease.message.id}: {fault}")
            self._put(SetAsideJob(record, fault, self._now()))
        elif record.is_marked:
            self.give_back([record])
        else:
            self._lanes.put(record)
            self.work.set()

    def _outside_stock(self) -> Iterable[LeaseRecord]:
        return [*self._handed_out.values(), *self._in_proof.values()]

    def _count_set_aside(self, fault: str) -> None:
        self._counters.set_aside_messages += 1
        self._report("queue_record_set_aside", {"fault": fault})

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())


def _handle(lease: Lease) -> tuple[MessageId, int]:
    return (lease.message.id, lease.recipients[0].position)


def _is_meant(predicate: Predicate, lease: Lease) -> bool:
    """Tell whether a predicate about waiting recipients means those of a lease in stock."""
    message = lease.message
    return (
        predicate.account_id in {None, message.account_id}
        and predicate.key_id in {None, message.key_id}
        and predicate.message_id in {None, message.id}
        and predicate.domain in {None, lease.domain}
        and predicate.state in {None, RecipientState.QUEUED}
        and predicate.held_for is None
        and (predicate.sender is None or predicate.sender.mean(*names_of(message)))
    )
