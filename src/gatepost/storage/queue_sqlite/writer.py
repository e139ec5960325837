"""The writer thread: takes the jobs that have gathered, one transaction for all of them, one call back."""

import sqlite3
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Final

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.primitives.errors import Permanent
from gatepost.storage.queue_sqlite.acceptance import accept_messages
from gatepost.storage.queue_sqlite.checkpoint import Checkpointer, checkpoint
from gatepost.storage.queue_sqlite.codec import encode_message
from gatepost.storage.queue_sqlite.counters import QueueCounters
from gatepost.storage.queue_sqlite.intervention import hold, prune_events, release, remove
from gatepost.storage.queue_sqlite.jobs import (
    AcceptAllJob,
    AcceptJob,
    BarrierJob,
    EndScheduleJob,
    FillJob,
    FindDueJob,
    GiveBackJob,
    HoldJob,
    Job,
    PruneJob,
    PruneRequestsJob,
    ReleaseJob,
    RemoveJob,
    SetAsideJob,
    SettleJob,
    StopJob,
)
from gatepost.storage.queue_sqlite.leasing import fill, give_back, set_aside
from gatepost.storage.queue_sqlite.recovery import forget_suspects
from gatepost.storage.queue_sqlite.scheduling import end_schedule, find_due, prune_requests, record_request
from gatepost.storage.queue_sqlite.settlement import settle_leases
from gatepost.storage.queue_sqlite.shard import Report, Shard
from gatepost.storage.spool import SpooledContent
from gatepost.storage.trouble import classify, classify_os

_GROUP_JOBS: Final = 256
_GROUP_OCTETS: Final = 16 << 20
_JOB_OCTETS: Final = 4096  # what a job writes to the log beside content, nearly


class Writer(Thread):
    """Owns the write connection from ``start`` until the ``StopJob`` is done.

    Attributes:
        is_suspect: A flush has failed; nothing is accepted or leased any more.
    """

    def __init__(
        self,
        shard: Shard,
        *,
        longest_delay: int,
        counters: QueueCounters,
        loop: AbstractEventLoop,
        on_done: Callable[[list[Job]], None],
        report: Report,
    ) -> None:
        super().__init__(name=f"write {shard.paths.database.name}", daemon=True)
        self.is_suspect = False
        self._shard = shard
        self._connection = shard.connection
        self._longest_delay = longest_delay
        self._counters = counters
        self._loop = loop
        self._on_done = on_done
        self._report = report
        self._waiting: list[Job] = []  # put in this turn of the event loop; its alone
        self._jobs: SimpleQueue[list[Job]] = SimpleQueue()
        self._unreferenced: list[str] = []  # spooled contents to remove once the transaction is committed
        self._may_checkpoint = False
        self._checkpointer = Checkpointer(
            shard.paths.database, ask_writer=self._ask_for_checkpoint, on_suspect=self._suspect, report=report
        )

    def put(self, job: Job) -> None:
        """Let a job be executed after all that were put before it; returns at once. For the event loop alone.

        All that one turn of the loop puts is handed over together at its end: it makes one group instead of several,
        and the writer is woken once and not while the loop still holds the interpreter lock.
        """
        if not self._waiting:
            self._loop.call_soon(self._hand_over)
        self._waiting.append(job)
        if isinstance(job, StopJob):  # the last of its group: what is put behind it finds nobody
            self._hand_over()

    def run(self) -> None:
        """Commit groups until the last job."""
        self._checkpointer.start()
        if self._shard.ballast.is_spent:  # given back to open the shard: before others have taken the room
            self._checkpoint()
        is_last = False
        while not is_last:
            jobs = self._gather()
            is_last = isinstance(jobs[-1], StopJob)
            try:
                self._commit(jobs)
            except Exception as error:  # noqa: BLE001 - a fault of ours; nobody may wait for ever
                self._give_up(jobs, error)
            if is_last:
                self._checkpointer.stop()
                self._shard.close()
            try:
                self._loop.call_soon_threadsafe(self._on_done, jobs)
            except RuntimeError:  # the loop was closed without `close`; what is committed stays committed
                return
            if self._may_checkpoint and not is_last:
                self._checkpoint()

    def _hand_over(self) -> None:
        if self._waiting:
            jobs, self._waiting = self._waiting, []
            self._jobs.put(jobs)

    def _gather(self) -> list[Job]:
        jobs = self._jobs.get()
        octets = sum(map(_octets, jobs))
        try:
            while len(jobs) < _GROUP_JOBS and octets < _GROUP_OCTETS and not isinstance(jobs[-1], StopJob):
                more = self._jobs.get_nowait()
                octets += sum(map(_octets, more))
                jobs += more
        except Empty:
            pass
        return jobs

    def _commit(self, jobs: Sequence[Job], *, is_again: bool = False) -> None:
        """Execute the jobs in one transaction; each of those that cannot be done gets its ``error``."""
        started = perf_counter()
        work = [job for job in jobs if not isinstance(job, BarrierJob | StopJob)]
        work = self._flush_spooled([job for job in work if not self._is_refused(job) and self._is_encoded(job)])
        if not work:
            return
        try:
            self._transact(work)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            self._counters.failed_groups += 1
            self._roll_back()
            self._fail(work, error, is_again=is_again)
            return
        self._counters.count_group(len(work), perf_counter() - started)
        for name in self._unreferenced:
            self._shard.spool.remove(name)
        self._checkpointer.notify(sum(map(_octets, work)) + _JOB_OCTETS * len(work))

    def _transact(self, jobs: Sequence[Job]) -> None:
        self._unreferenced = []
        next_key = self._shard.next_key
        self._connection.execute("BEGIN IMMEDIATE")
        accepts: list[AcceptJob] = []
        settles: list[SettleJob] = []
        for job in jobs:
            # An acceptance and a settlement never touch the same rows; all else keeps its place between them.
            if isinstance(job, AcceptJob):
                accepts.append(job)
            elif isinstance(job, AcceptAllJob):
                accepts += job.parts
                if job.record is not None:
                    record_request(self._connection, job.record)
            elif isinstance(job, SettleJob):
                settles.append(job)
            else:
                next_key = self._batch(accepts, settles, next_key)
                self._execute(job)
        next_key = self._batch(accepts, settles, next_key)
        self._connection.execute("COMMIT")
        self._shard.next_key = next_key

    def _batch(self, accepts: list[AcceptJob], settles: list[SettleJob], next_key: int) -> int:
        if accepts:
            next_key = accept_messages(self._connection, accepts, next_key)
            accepts.clear()
        if settles:
            self._unreferenced += settle_leases(self._connection, settles)
            if self._shard.recovered.suspects:
                self._clear_suspects(settles)
            settles.clear()
        return next_key

    def _clear_suspects(self, settles: Sequence[SettleJob]) -> None:
        suspects = self._shard.recovered.suspects
        cleared = suspects.intersection([key for job in settles for key in job.record.recipient_keys()])
        if cleared:
            forget_suspects(self._connection, sorted(cleared))
            # Should this be rolled back, the one more crash that they are counted for is no harm.
            suspects -= cleared

    def _execute(self, job: Job) -> None:
        match job:
            case FillJob():
                fill(self._connection, job, spool=self._shard.spool, longest_delay=self._longest_delay)
            case GiveBackJob():
                give_back(self._connection, job)
            case HoldJob():
                hold(self._connection, job)
            case ReleaseJob():
                release(self._connection, job)
            case RemoveJob():
                self._unreferenced += remove(self._connection, job)
            case SetAsideJob():
                set_aside(self._connection, job)
            case EndScheduleJob():
                self._unreferenced += end_schedule(self._connection, job)
            case _:
                self._keep_up(job)

    def _keep_up(self, job: Job) -> None:
        match job:
            case PruneJob():
                prune_events(self._connection, job)
            case PruneRequestsJob():
                prune_requests(self._connection, job.before)
            case FindDueJob():
                find_due(self._connection, job)
            case _:
                raise AssertionError(f"nobody executes {type(job).__name__}")

    def _fail(self, jobs: Sequence[Job], error: Exception, *, is_again: bool) -> None:
        """Tell the jobs of a group that was rolled back, or execute anew those that may not be at fault."""
        trouble = classify(error)
        if trouble is StoreTrouble.SUSPECT:
            self._suspect(error)
            self._overwrite_failed_commit()
        has_made_room = trouble is StoreTrouble.NO_ROOM and not is_again and self._make_room()
        if len(jobs) == 1 and not has_made_room:
            self._refuse(jobs[0], trouble, error)
            return
        # Where there is no room, what makes room is still to be done; to begin an attempt is, if there is a little.
        refused = AcceptJob | AcceptAllJob if has_made_room else AcceptJob | AcceptAllJob | FillJob
        for job in jobs:
            if trouble is not None and isinstance(job, refused):
                self._refuse(job, trouble, error)
            else:
                self._commit([job], is_again=True)

    def _make_room(self) -> bool:
        """Give the ballast back and copy the log, so that it begins anew; return whether either made room.

        The log is copied at once, so that the room is in the database before anybody else has taken it.
        """
        is_given_back = self._shard.ballast.give_back()
        if is_given_back:
            self._report("queue_ballast_given_back", {"octets": self._shard.ballast.octets})
        return self._checkpoint() or is_given_back

    def _refuse(self, job: Job, trouble: StoreTrouble | None, error: Exception) -> None:
        if trouble is None:
            self._report("queue_job_failed", {"job": type(job).__name__, "error": repr(error)})
            job.error = Permanent(f"the queue cannot store this: {error}")
        else:
            self._report("queue_store_unavailable", {"trouble": trouble.value, "error": str(error)})
            job.error = StoreUnavailable(trouble, str(error))
        job.error.__cause__ = error
        if isinstance(job, AcceptJob) and isinstance(job.message.content, SpooledContent):
            job.message.content.abandon()

    def _is_refused(self, job: Job) -> bool:
        if self.is_suspect and isinstance(job, AcceptJob | AcceptAllJob | FillJob):
            self._refuse(job, StoreTrouble.SUSPECT, sqlite3.OperationalError("a flush has failed before"))
            return True
        return False

    def _is_encoded(self, job: Job) -> bool:
        try:
            for part in _acceptances(job):
                part.encoded = part.encoded or encode_message(part.message)
        except Exception as error:  # noqa: BLE001 - a message no codec foresaw must not cost its neighbours
            self._refuse(job, None, error)
            return False
        return True

    def _flush_spooled(self, jobs: list[Job]) -> list[Job]:
        """Put spooled contents on stable storage before the commit that names them; return what is left to do."""
        spooled = [
            job for job in jobs if isinstance(job, AcceptJob) and isinstance(job.message.content, SpooledContent)
        ]
        try:
            for job in spooled:
                assert isinstance(job.message.content, SpooledContent)
                job.message.content.flush()
            if spooled:
                self._shard.spool.flush()
        except OSError as error:
            trouble = classify_os(error, is_flush=True)
            if trouble is StoreTrouble.SUSPECT:
                self._suspect(error)
            for job in spooled:
                self._refuse(job, trouble, error)
            return [job for job in jobs if job not in spooled and not self._is_refused(job)]
        return jobs

    def _roll_back(self) -> None:
        self._unreferenced = []
        if self._connection.in_transaction:  # some errors have rolled it back already
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._suspect(error)

    def _give_up(self, jobs: Sequence[Job], error: Exception) -> None:
        self._suspect(error)
        for job in jobs:
            if job.error is None:
                job.error = StoreUnavailable(StoreTrouble.SUSPECT, repr(error))

    def _suspect(self, error: Exception) -> None:
        if not self.is_suspect:
            self.is_suspect = True
            self._report("queue_store_suspect", {"shard": self._shard.paths.database.name, "error": str(error)})

    def _overwrite_failed_commit(self) -> None:
        """Write over the log entries of a commit whose flush failed.

        Its callers are told that nothing was kept, yet the log holds the whole of it, and the next process would
        find it. This promises nothing to anybody, so that it does not matter whether its own flush can be believed.
        """
        try:
            self._connection.execute("UPDATE store SET generation = generation + 1")
        except sqlite3.Error as error:
            self._report("queue_store_suspect", {"shard": self._shard.paths.database.name, "error": str(error)})

    def _ask_for_checkpoint(self) -> None:
        self._may_checkpoint = True

    def _checkpoint(self) -> bool:
        """Copy the log; return whether all of it was copied, so that what is written next begins it anew."""
        self._may_checkpoint = False
        try:
            return checkpoint(self._connection).is_complete
        except sqlite3.Error as error:
            self._report("queue_checkpoint_failed", {"error": str(error)})
            if classify(error) is StoreTrouble.SUSPECT:
                self._suspect(error)
            return False


def _acceptances(job: Job) -> Sequence[AcceptJob]:
    if isinstance(job, AcceptJob):
        return (job,)
    return job.parts if isinstance(job, AcceptAllJob) else ()


def _octets(job: Job) -> int:
    contents = [part.message.content for part in _acceptances(job)]
    return sum([len(content.octets) for content in contents if isinstance(content, MemoryContent)])
