"""D3: power cuts, by replay: the relay's own writes and flushes, recorded, made into what a disk may hold after a cut.

What it proves: that every 250 and every settlement was covered by flushes of the right files, in the right order, and
that the store opens and reads back whatever else of its unflushed writes a disk keeps. What it does not prove: that
the kernel, the file system and the disk keep what a successful flush promises.
"""

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.crash_states import Disk, read_operations
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running
from tests.faults.sink import Action, Reply, Sink

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import Misconfigured
from gatepost.storage.queue_sqlite.codec import MESSAGE_COLUMNS, Unreadable, decode_message
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.shard import list_shards
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy

EATMYDATA = "libeatmydata.so"
SOURCE = Path(__file__).parents[1] / "record.c"


def is_usable() -> bool:
    """Whether there is a C compiler."""
    return shutil.which("cc") is not None


async def run(options: Options) -> Result:
    """Record one run, then cut the power at random moments of it."""
    cuts, messages = (5000, 1500) if options.is_full else (200, 150)
    library = options.folder / "record.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", "-o", library, SOURCE, "-ldl"], check=True)
    log = options.folder / "record"
    below = options.folder / "relay" / "state" / "queue"
    preload = f"{EATMYDATA} {library}" if options.broken == "eatmydata" else str(library)
    environment = {"LD_PRELOAD": preload, "RECORD_LOG": str(log), "RECORD_BELOW": str(below)}
    hooked = replace(options, broken="") if options.broken == "eatmydata" else options
    extra = "[submission]\nspool_threshold_octets = 16384\n"

    def sometimes_busy(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if stage == "MAIL" and nth % 3 == 0 else None

    async with running(hooked, Setup(workers=1, environment=environment, extra=extra), Sink(sometimes_busy)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=8, rate=60, sizes=(500, 30_000)))
        await load.run(messages=messages)
        verdict = judge(await rig.finish())
    result = Result.of(verdict, cuts=cuts)
    await _cut(options, log, str(below), cuts, result)
    return result


async def _cut(options: Options, log: Path, below: str, cuts: int, result: Result) -> None:
    operations = list(read_operations(log))
    chance = random.Random(options.seed)
    # Every promise is a good moment; the others are random.
    promises = [number for number, operation in enumerate(operations) if operation.kind == "M"]
    moments = sorted(
        chance.choice(promises) if promises and chance.random() < 0.5 else chance.randrange(len(operations))
        for _ in range(cuts)
    )
    disk, accepted, settled = Disk(), dict[str, int](), set[tuple[str, int]]()
    state = options.folder / "state"
    for number, operation in enumerate(operations):
        disk.follow(operation)
        if operation.kind == "M":
            _promise(json.loads(operation.data), accepted, settled)
        while moments and moments[0] == number:
            moments.pop(0)
            shutil.rmtree(state, ignore_errors=True)
            state.mkdir()
            disk.write_state(below, state, chance)
            result.violations += [
                f"{fault} (cut after operation {number})" for fault in await examine(state, accepted, settled)
            ]
            if len(result.violations) > 100:
                return
    result.figures |= {"operations": len(operations), "promises": len(promises)}
    result.expect(not moments, f"cuts: {len(moments)} were not made")


def _promise(line: Mapping[str, object], accepted: dict[str, int], settled: set[tuple[str, int]]) -> None:
    message_id = str(line["message_id"])
    if line["event"] == "submission_accepted":
        accepted[message_id] = int(str(line["recipients"]))
        return
    outcomes = line["outcomes"]
    assert isinstance(outcomes, list)
    for outcome in outcomes:
        position, _, kind = outcome.partition("=")
        if kind == "delivered":
            settled.add((message_id, int(position)))


async def examine(state: Path, accepted: Mapping[str, int], settled: set[tuple[str, int]]) -> list[str]:
    """Open what the disk holds as the relay would, and compare it with what was promised."""
    if not list_shards(state):
        return ["lost: the shard is gone"] if accepted else []
    reports: list[str] = []
    try:
        queue = await SQLiteQueue.open(
            state,
            0,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            settings=QueueSettings(longest_delay=timedelta(hours=5)),
            report=lambda event, fields: reports.append(event),
        )
    except (Misconfigured, sqlite3.Error, OSError) as error:
        return [f"lost: the store cannot be opened: {error}"]
    try:
        return await asyncio.to_thread(_compare, state, queue, accepted, settled)
    except sqlite3.Error as error:
        return [f"lost: the store cannot be read: {error}"]
    finally:
        await queue.close()


def _compare(state: Path, queue: SQLiteQueue, accepted: Mapping[str, int], settled: set[tuple[str, int]]) -> list[str]:
    (path,) = list_shards(state)
    faults = []
    with closing(QueueReader(path)) as reader:
        live = {(row.message_id, row.position) for row in reader.list_recipients(Predicate(), limit=1_000_000)}
        events = reader.list_events(after_id=0, limit=10_000_000)
        books = reader.read_books()
    delivered = [event.message_id for _, event in events if event.type.value == "delivered"]
    for message_id, recipients in accepted.items():
        known = sum((message_id, position) in live for position in range(recipients)) + delivered.count(
            message_id  # type: ignore[arg-type]
        )
        if known != recipients:
            faults.append(f"lost: of {message_id}, {known} of {recipients} recipients are known")
    again = settled & live
    faults += [f"duplicate: {message_id}/{position} would be sent again" for message_id, position in sorted(again)]
    faults += [f"books: out by {one.difference}" for one in books if one.difference]
    with closing(sqlite3.connect(path)) as connection:
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
        if integrity != "ok":
            faults.append(f"damaged: {integrity}")
        for row in connection.execute(f"SELECT {MESSAGE_COLUMNS} FROM message"):
            faults += _read_back(row, queue)
    return faults


def _read_back(row: tuple[object, ...], queue: SQLiteQueue) -> list[str]:
    try:
        content = decode_message(row, queue.spool).content
        octets = b"".join(content.chunks())
    except (Unreadable, OSError) as error:
        return [f"unreadable: {row[1]}: {error}"]
    is_whole = getattr(content, "is_whole", lambda: len(octets) == content.size_octets)
    return [] if is_whole() else [f"unreadable: {row[1]}: the spooled content is not whole"]
