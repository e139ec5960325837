"""Deliberately broken builds: each turns one campaign red, or the campaign proves nothing.

They run inside the relay's processes (``sitecustomize.py``) and change the program before it starts; ``src`` is left
alone. ``hurry``, ``short_handshakes``, ``say_pid``, ``shift_clock`` and ``break_at_poison``
are no such builds: they make faults possible.
"""

import asyncio
import itertools
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path


def hurry():
    """Retry after a second, restart at once what ran for 0.2 s, leave a dead destination alone for a second.

    And look at the clock every three seconds instead of thirty, as the steps of the retry schedule are shorter, too.
    """
    from gatepost.mailflow.delivery import shaping
    from gatepost.mailflow.queue import retry
    from gatepost.runtime import restart
    from gatepost.storage.queue_sqlite import leases

    leases._LOOK_AGAIN_SECONDS = 3.0
    delays = tuple([timedelta(seconds=seconds) for seconds in (0.5, 1, 1.5, 2)])
    retry.DEFAULT_SCHEDULE = retry.RetrySchedule(delays=delays, lifetime=timedelta(hours=72))
    restart.HEALTHY_AFTER = timedelta(milliseconds=200)
    longest = shaping.Shaping._pause
    shaping.Shaping._pause = lambda self, failures: min(longest(self, failures), 1.0)


def short_handshakes():
    """Wait for a receiving server's handshake for two seconds instead of sixty."""
    _limit_client(handshake=timedelta(seconds=2))


def say_pid():
    """Put the process id into the name that EHLO tells, so that a receiving server knows whose copy it got."""
    from gatepost.standards.smtp.client import ClientSession

    begin = ClientSession.__init__
    ClientSession.__init__ = lambda self, *, greeting_name: begin(
        self, greeting_name=f"pid-{os.getpid()}.{greeting_name}"
    )


def break_at_poison():
    """Let an attempt for some domains break as a fault of ours would, each in its own way."""
    import signal

    from gatepost.mailflow.delivery.attempt import Attempts

    def raise_(error):
        raise error

    ways = {
        "value.test": lambda: raise_(ValueError("poison")),
        "key.test": lambda: raise_(KeyError("poison")),
        "recursion.test": lambda: raise_(RecursionError("poison")),
        "memory.test": lambda: raise_(MemoryError()),
        "assertion.test": lambda: raise_(AssertionError("poison")),
        "unicode.test": lambda: raise_(UnicodeDecodeError("ascii", b"\xff", 0, 1, "poison")),
        "killed.test": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "segv.test": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "exit.test": lambda: os._exit(0),
    }
    attempt = Attempts.attempt

    async def attempt_or_break(self, lease):
        if lease.domain in ways:
            ways[lease.domain]()
        return await attempt(self, lease)

    Attempts.attempt = attempt_or_break


def never_set_aside():
    """Try again for ever what breaks us."""
    from gatepost.mailflow.delivery import fault_count
    from gatepost.storage.queue_sqlite import recovery

    fault_count.MAX_FAULTS = recovery.MAX_CRASHES = 1_000_000


def shift_clock():
    """Let the one clock of the program be off by as many seconds as a file says."""
    from gatepost.system.clock import SystemClock

    path = Path(os.environ["GATEPOST_FAULT_CLOCK"])
    now = SystemClock.now
    SystemClock.now = lambda self: now(self) + timedelta(seconds=float(path.read_text()))


def answer_early():
    """Answer 250 before the commit."""
    from gatepost.storage.queue_sqlite.jobs import AcceptJob
    from gatepost.storage.queue_sqlite.store import SQLiteQueue
    from gatepost.storage.spool import SpooledContent

    async def accept(self, message):
        self._refuse_new_work()
        if isinstance(message.content, SpooledContent):
            message.content.claim()
        job = AcceptJob(message, self._leases.reserve(message))
        asyncio.get_running_loop().call_later(0.05, self._writer.put, job)

    SQLiteQueue.accept = accept


def forget_settlements():
    """Forget every tenth delivery instead of writing it down."""
    from gatepost.storage.queue_sqlite.store import SQLiteQueue

    settle = SQLiteQueue.settle
    numbers = itertools.count(1)

    async def settle_mostly(self, settlement):
        if next(numbers) % 10:
            await settle(self, settlement)
        elif self._leases.find(settlement.lease) is not None:
            self._leases.take(settlement.lease)

    SQLiteQueue.settle = settle_mostly


def forget_interrupted():
    """Leave what was leased at a crash as it is."""
    from gatepost.storage.queue_sqlite import recovery

    recovery._QUEUE_INTERRUPTED = "UPDATE recipient SET state = 1, next_attempt_at = ? WHERE state = 1"


def keep_envelope():
    """Do not clear the recipients between two transactions of a session."""
    from gatepost.entrypoints.smtp.submission_handler import SubmissionHandler

    begin, forget = SubmissionHandler._begin_transaction, SubmissionHandler._forget

    def begin_with_old(self, offer):
        old = self._forward_paths
        answer = begin(self, offer)
        self._forward_paths = old
        return answer

    def forget_less(self):
        old = self._forward_paths
        forget(self)
        self._forward_paths = old

    SubmissionHandler._begin_transaction = begin_with_old
    SubmissionHandler._forget = forget_less


def alter_content():
    """Send other octets than were accepted."""
    from gatepost.mailflow.delivery import outgoing

    pieces = outgoing.OutgoingCopy.pieces
    outgoing.OutgoingCopy.pieces = lambda self: iter(
        [piece.replace(b"at the end", b"at an end") for piece in pieces(self)]
    )


def sync_off():
    """Never flush anything."""
    from gatepost.storage.queue_sqlite import checkpoint, schema, shard

    prepare, connect = schema._prepare, checkpoint.connect_checkpointer

    def prepare_without(connection, path):
        prepare(connection, path)
        connection.execute("PRAGMA synchronous=OFF")

    def connect_without(path):
        connection = connect(path)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    schema._prepare = prepare_without
    checkpoint.connect_checkpointer = connect_without
    shard._flush_directory = lambda directory: None


def refuse_for_good():
    """Answer a full disk with 5xx."""
    from gatepost.entrypoints.smtp import reply_texts

    reply_texts.reply_to_trouble = lambda trouble: reply_texts.NOT_STORABLE


def trust_failed_flush():
    """Go on as if nothing were after a failed flush."""
    from gatepost.storage.queue_sqlite.writer import Writer

    Writer._suspect = lambda self, error: None


def lost_is_delivered():
    """Count a transaction whose connection died as delivered."""
    from gatepost.mailflow.delivery import outcome

    lost = outcome._lost
    outcome._lost = lambda result: replace(lost(result), verdict=outcome.Verdict.DELIVERED)


def fall_back_always():
    """Send in the clear where TLS fails, whatever was demanded."""
    from gatepost.mailflow.delivery import attempt, tls_requirement

    attempt.decide_fallback = lambda requirement, failure: tls_requirement.TLSRequirement.NONE


def trust_anybody():
    """Take any certificate for a verified one."""
    from gatepost.network.delivery_tls import DeliveryTLS

    DeliveryTLS.context_for = lambda self, requirement: self._trusting


def impatient_at_the_dot():
    """Wait for the reply to the final dot for two seconds, whatever the setting."""
    _limit_client(final_dot=timedelta(seconds=2))


def _limit_client(**limits):
    from gatepost.standards.smtp.transaction import ClientTimeouts

    prepare = ClientTimeouts.__post_init__

    def prepare_with(self):
        for name, limit in limits.items():
            object.__setattr__(self, name, limit)
        prepare(self)

    ClientTimeouts.__post_init__ = prepare_with


def one_at_a_time():
    """Make one attempt at a time, whatever its destination."""
    from gatepost.mailflow.delivery.worker import DeliveryWorker

    attempt = DeliveryWorker._attempt
    turn = asyncio.Lock()

    async def attempt_in_turn(self, lease, refusal):
        async with turn:
            return await attempt(self, lease, refusal)

    DeliveryWorker._attempt = attempt_in_turn


def wait_for_the_database():
    """Wait a minute for a PostgreSQL that does not answer."""
    import psycopg

    from gatepost.storage import postgresql_connection

    postgresql_connection.CONNECT_TIMEOUT_SECONDS = 60
    postgresql_connection.WatchedConnection.wait = psycopg.Connection.wait


def bounce_on_servfail():
    """Bounce what the DNS could not be asked for."""
    from gatepost.mailflow.delivery import attempt, route

    del attempt
    route.Undecided = lambda *, reason: route.Unroutable(status="5.4.4", reason=reason)


def expire_untried():
    """Give up what is old without another attempt."""
    from gatepost.mailflow.delivery.attempt import AttemptReport, Attempts
    from gatepost.mailflow.delivery.outcome import Outcome, Verdict

    attempt = Attempts.attempt

    async def attempt_if_young(self, lease):
        if self._clock.now() - lease.message.accepted_at < timedelta(hours=72):
            return await attempt(self, lease)
        report = AttemptReport()
        report.add(lease.recipients, Outcome(verdict=Verdict.BOUNCED, reason="too old"))
        return report

    Attempts.attempt = attempt_if_young


def never_time_out():
    """Wait for slow clients for ever."""
    from gatepost.entrypoints.smtp import time_limits

    time_limits.find_overrun = lambda limits, progress, now: None


def keep_a_megabyte_each():
    """Keep a buffer of a MiB for each connection."""
    from gatepost.entrypoints.smtp.connection import ServerConnection

    made = ServerConnection.connection_made

    def made_with_buffer(self, transport):
        kept.append(bytearray(b"x" * (1 << 20)))
        made(self, transport)

    kept = []
    ServerConnection.connection_made = made_with_buffer


def lease_for_a_second():
    """Let anybody have a lease again that was handed out more than a second ago."""
    from gatepost.storage.queue_sqlite.leases import Leases

    hand_out = Leases.hand_out
    handed_out_at = {}

    def hand_out_again(self, limit, room):
        now = time.monotonic()
        late = [key for key in self._handed_out if now - handed_out_at.get(key, now) > 1]
        again = [self._handed_out.pop(key).lease for key in late]
        for lease in again:
            del handed_out_at[lease.message.id, lease.recipients[0].position]
        known = set(self._handed_out)
        leases = hand_out(self, limit, room)
        for key in self._handed_out.keys() - known:
            handed_out_at[key] = now
        return leases + again

    Leases.hand_out = hand_out_again
    Leases.seconds_to_wait = lambda self: 0.2


def choke_on_poison():
    """Let one record that cannot be read stop the lane it is in."""
    from gatepost.storage.queue_sqlite import leasing

    leasing.Unreadable = type("NeverRaised", (Exception,), {})


def ignore_restored():
    """Deliver what a backup has queued."""
    from gatepost.storage.queue_sqlite import shard

    shard.hold_if_restored = lambda connection, mark, now: 0


def look_at_each_at_start():
    """Spend three milliseconds on each queued recipient before the start."""
    from gatepost.storage.queue_sqlite import shard

    find_lanes = shard.find_lanes

    def find_slowly(connection):
        (count,) = connection.execute("SELECT count(*) FROM recipient").fetchone()
        time.sleep(count * 0.003)
        return find_lanes(connection)

    shard.find_lanes = find_slowly


def end_without_draining():
    """End at once at SIGTERM."""
    from gatepost.runtime.roles import MailWorker

    MailWorker.stop = lambda self, **_: os._exit(0)


MUTANTS = {
    function.__name__: function
    for function in (
        hurry,
        short_handshakes,
        break_at_poison,
        never_set_aside,
        say_pid,
        shift_clock,
        answer_early,
        forget_settlements,
        forget_interrupted,
        keep_envelope,
        alter_content,
        sync_off,
        refuse_for_good,
        trust_failed_flush,
        lost_is_delivered,
        fall_back_always,
        trust_anybody,
        impatient_at_the_dot,
        one_at_a_time,
        wait_for_the_database,
        bounce_on_servfail,
        expire_untried,
        never_time_out,
        keep_a_megabyte_each,
        lease_for_a_second,
        choke_on_poison,
        ignore_restored,
        look_at_each_at_start,
        end_without_draining,
    )
}
