"""A relay under test with its sink and its load, and the history of a run."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.faults.history import Answer, History, Kill, Settled, Submission
from tests.faults.http_loader import HTTPLoad
from tests.faults.loader import Load, Plan, Target
from tests.faults.sink import Sink
from tests.faults.sink_process import SinkProcess
from tests.support.relay import Relay

from gatepost.mailflow.queue.recipient import Books, Predicate
from gatepost.storage.queue_sqlite.reader import QueueReader, add_books
from gatepost.storage.queue_sqlite.shard import list_shards

HOOKS = Path(__file__).parent / "hooks"
START_SECONDS = 60
"""Campaigns run beside other work; how fast a start is, R measures."""
ENDINGS = {"delivered": "delivered", "bounce": "bounced", "dropped": "dropped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a campaign is to be run.

    Attributes:
        seed: Of everything random.
        is_full: The size for a release instead of that for each change.
        broken: A mutant of ``hooks/mutants.py`` to run against; "" for the program as it is.
        template: An installation to copy; making one takes longer than many a campaign.
    """

    folder: Path
    seed: int = 1
    is_full: bool = False
    broken: str = ""
    template: Relay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a campaign needs.

    Attributes:
        routes: Domains beside ``dest.test`` and the address they go to.
        delivery, api: More of the tables of that name; ``head`` and ``extra``: more of
            what stands before the tables of the settings file, and after them.
        nameserver: Asked instead of the one that serves the sender's own zone.
        environment: More of the relay's environment.
        hooks: Of ``hooks/mutants.py``, beside ``hurry`` and ``say_pid``.
        state_dir: Where state rests, if not in the campaign's folder.
    """

    workers: int = 2
    routes: Mapping[str, str] = field(default_factory=dict)
    delivery: str = ""
    api: str = ""
    head: str = ""
    extra: str = ""
    nameserver: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    hooks: tuple[str, ...] = ()
    state_dir: Path | None = None


class Rig:
    """One relay, one obedient sink for ``dest.test``, any number of loads; all for one run."""

    def __init__(self, relay: Relay, sink: Sink | SinkProcess, options: Options) -> None:
        self.relay = relay
        self.sink = sink
        self.sinks: list[Sink | SinkProcess] = [sink]
        self.loads: list[Load | HTTPLoad] = []
        self.kills: list[Kill] = []
        self.options = options

    @property
    def queue_dir(self) -> Path:
        """Where the shards are."""
        return self.relay.state_dir / "queue"

    def load(self, plan: Plan, prefix: str = "m") -> Load:
        """Make a load; its submissions belong to the run's history."""
        target = Target(port=self.relay.implicit_port, ca_file=self.relay.ca_file, key=self.relay.key)
        load = Load(target, plan, prefix)
        self.loads.append(load)
        return load

    def http_load(self, plan: Plan, prefix: str = "h") -> HTTPLoad:
        """Make a load on ``mail/send``."""
        load = HTTPLoad(Target(port=self.relay.api_port, ca_file=self.relay.ca_file, key=self.relay.key), plan, prefix)
        self.loads.append(load)
        return load

    async def start(self) -> None:
        """Start the relay; again and again, as a service manager does, while an older one is still ending."""
        deadline = time.monotonic() + 60
        while True:
            try:
                await asyncio.to_thread(self.relay.start, within=START_SECONDS)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def stop(self) -> int:
        """End the relay in order."""
        return await asyncio.to_thread(self.relay.stop)

    async def kill_all(self) -> None:
        """Kill every process of the relay."""
        supervisor = self.relay.process_id
        pids = [supervisor, *children(supervisor)]
        for pid in pids:
            self.kill(pid)
        await asyncio.to_thread(self.relay.reap)
        await self.wait_until_gone(pids)

    def kill(self, pid: int) -> None:
        """Kill one process of the relay, and write down when."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.note_kill(pid)

    def note_kill(self, pid: int) -> None:
        """Write down that a process was killed just now."""
        self.kills.append(Kill(pid=pid, at=time.monotonic()))

    async def wait_until_gone(self, pids: Sequence[int], seconds: float = 40) -> None:
        """Return when none of the processes runs any more."""
        deadline = time.monotonic() + seconds
        while any(is_alive(pid) for pid in pids):
            assert time.monotonic() < deadline, f"still there: {pids}"
            await asyncio.sleep(0.02)

    def mail_workers(self) -> list[int]:
        """The mail workers that run now."""
        return [pid for pid in children(self.relay.process_id) if b"mail" in command_of(pid)]

    async def wait_for_worker(self, *, other_than: int = 0, seconds: float = 90) -> int:
        """Return a mail worker that listens."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for pid in self.ready_workers():
                if pid != other_than and is_alive(pid):
                    return pid
            await asyncio.sleep(0.05)
        raise AssertionError(f"no mail worker came up in {seconds} s\n{self.relay.log()[-3000:]}")

    def ready_workers(self) -> list[int]:
        """The mail workers that have said that they listen; for short logs."""
        started: dict[str, int] = {}
        ready: dict[str, int] = {}
        for line in self.relay.log_lines():
            if line["event"] == "child_started":
                started[line["child"]] = line["pid"]
                ready.pop(line["child"], None)
            elif line["event"] == "listening":
                ready[line["process"]] = started[line["process"]]
        return list(ready.values())

    async def drain(self, seconds: float = 30) -> bool:
        """Wait until the queue is empty, or has not become shorter for so long; tell whether it is empty."""
        least, since = sys.maxsize, time.monotonic()
        while (live := await asyncio.to_thread(self.count_live)) and time.monotonic() < since + seconds:
            if live < least:
                least, since = live, time.monotonic()
            await asyncio.sleep(0.1)
        return not live

    async def finish(self) -> History:
        """Stop all loads, let the queue run empty, and return the history."""
        for load in self.loads:
            load.stop()
        await self.drain()
        return self.history()

    def count_live(self) -> int:
        """How many recipients are queued, leased or held."""
        total = 0
        for path in list_shards(self.queue_dir):
            with closing(QueueReader(path)) as reader:
                total += reader.count_recipients(Predicate())
        return total

    def submissions(self) -> list[Submission]:
        """What was sent so far."""
        return [submission for load in self.loads for submission in load.submissions]

    def history(self) -> History:
        """Put together what happened."""
        endings, events, books = read_store(self.queue_dir)
        return History(
            submissions=self.submissions(),
            copies=[copy for sink in self.sinks for copy in sink.copies],
            endings=endings,
            books=books,
            events=events,
            kills=list(self.kills),
            settled=self.settled(),
        )

    def settled(self) -> dict[str, list[Settled]]:
        """What the relay's log says was delivered, by recipient, with whose process said so."""
        recipients = {
            submission.reply.rpartition(" ")[2]: submission.recipients
            for submission in self.submissions()
            if submission.answer is Answer.ACCEPTED
        }
        offset = time.time() - time.monotonic()
        pids: dict[str, int] = {}
        found: dict[str, list[Settled]] = {}
        for line in self.relay.log_lines():
            if line["event"] == "child_started":
                pids[line["child"]] = line["pid"]
            elif line["event"] == "settled":
                said = Settled(pid=pids[line["process"]], at=datetime.fromisoformat(line["at"]).timestamp() - offset)
                for outcome in line["outcomes"]:
                    position, _, kind = outcome.partition("=")
                    # A broken build may have given a message more recipients than its client named.
                    for recipient in recipients.get(line["message_id"], ())[int(position) :][:1]:
                        if kind == "delivered":
                            found.setdefault(recipient, []).append(said)
        return found


def make_template(folder: Path) -> Relay:
    """Make an installation to copy."""
    relay = Relay(folder, {})
    relay.zone.stop()
    return relay


def read_store(queue_dir: Path) -> "tuple[dict[str, str], Counter[str], list[Books]]":
    """Return endings by recipient, events by type, and the books of all shards together."""
    endings: dict[str, str] = {}
    events: Counter[str] = Counter()
    books: list[Books] = []
    for path in list_shards(queue_dir):
        with closing(QueueReader(path)) as reader:
            for _, event in reader.list_events(after_id=0, limit=10_000_000):
                events[event.type.value] += 1
                if event.type.value in ENDINGS:
                    endings[str(event.recipient)] = ENDINGS[event.type.value]
            for row in reader.list_recipients(Predicate(), limit=10_000_000):
                endings[str(row.mailbox)] = "held" if row.state.value == "held" else "queued"
            books += reader.read_books()
    return endings, events, add_books(books)


@asynccontextmanager
async def running(
    options: Options, setup: Setup | None = None, sink: Sink | SinkProcess | None = None
) -> AsyncIterator[Rig]:
    """A rig with everything started, for the length of a block."""
    setup = setup or Setup()
    sink = sink or Sink()
    await sink.start()
    hooks = ",".join(name for name in ("hurry", "say_pid", *setup.hooks, options.broken) if name)
    environment = {"PYTHONPATH": str(HOOKS), "GATEPOST_FAULT_HOOKS": hooks, **setup.environment}
    relay = await asyncio.to_thread(
        lambda: Relay(
            options.folder / "relay",
            {"dest.test": f"127.0.0.1:{sink.port}", **setup.routes},
            workers=setup.workers,
            extra=setup.extra,
            delivery=setup.delivery,
            api=setup.api,
            head=setup.head,
            environment=environment,
            state_dir=setup.state_dir,
            template=options.template,
        )
    )
    if setup.nameserver:
        relay.config.write_text(relay.config.read_text().replace(relay.zone.address, setup.nameserver))
    rig = Rig(relay, sink, options)
    try:
        await rig.start()
        yield rig
    finally:
        await asyncio.to_thread(relay.close)
        for one in rig.sinks:
            await one.stop()


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command_of(pid: int) -> bytes:
    """A process's command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
