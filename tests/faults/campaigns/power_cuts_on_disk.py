"""D3 on a recording disk: the whole state on ext4 on a disk that records, cut at acknowledgements and in between.

Beyond the replay of the relay's own calls this has the kernel's file system in it: its journal, its order of writes,
and what it makes of a rename or a new file without a flush of the folder.
"""

import asyncio
import random
import sqlite3
import subprocess
from bisect import bisect_right
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.campaigns.power_cuts import EATMYDATA, examine
from tests.faults.checker import judge
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.recorded_disk import RecordedDisk, mounted_image, read_records, recorded_disk
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Sink

MEBIBYTES = 64
MOST_VIOLATIONS = 100
FULL, SMALL = (5000, 1500), (100, 60)
"""Cuts, and messages accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What the relay promised, and when it was heard, in seconds of the monotonic clock.

    Attributes:
        accepted: When a client heard 250, the message's id, and how many recipients it has.
        settled: When the log said that a delivery is written down, and of which message and position.
    """

    accepted: tuple[tuple[float, str, int], ...]
    settled: tuple[tuple[float, str, int], ...]

    def accepted_by(self, at: float) -> dict[str, int]:
        """Everything accepted until then."""
        return {message_id: recipients for when, message_id, recipients in self.accepted if when <= at}

    def settled_by(self, at: float) -> set[tuple[str, int]]:
        """Everything settled until then."""
        return {(message_id, position) for when, message_id, position in self.settled if when <= at}


async def run(options: Options) -> Result:
    """Record one run, then cut the power at acknowledgements and at random moments of it."""
    cuts, messages = FULL if options.is_full else SMALL
    hooked = replace(options, broken="") if options.broken == "eatmydata" else options
    environment = {"LD_PRELOAD": EATMYDATA} if options.broken == "eatmydata" else {}
    # The disk is smaller than what a relay keeps free by itself.
    extra = "[submission]\nspool_threshold_octets = 16384\n[queue]\nreserve_octets = 4194304\n"

    def sometimes_busy(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if stage == "MAIL" and nth % 3 == 0 else None

    disk = options.folder / "disk"
    disk.mkdir()
    with recorded_disk(disk, MEBIBYTES) as place:
        setup = Setup(workers=1, environment=environment, extra=extra, state_dir=place / "state")
        async with running(hooked, setup, Sink(sometimes_busy)) as rig:
            # The installation itself is on the disk for sure, so that a broken build is seen to lose messages.
            await asyncio.to_thread(subprocess.run, ["sync", "-f", str(place)], check=True)
            load = rig.load(Plan(seed=options.seed, connections=8, rate=60, sizes=(500, 30_000)))
            await load.run(messages=messages)
            verdict = judge(await rig.finish())
            promises = _promises(rig)
    result = Result.of(verdict, cuts=cuts, promises=len(promises.accepted) + len(promises.settled))
    await _cut(options, disk, promises, cuts, result)
    return result


def _promises(rig: Rig) -> Promises:
    ids = {
        submission.reply.rpartition(" ")[2]: submission
        for submission in rig.submissions()
        if submission.answer is Answer.ACCEPTED
    }
    accepted = [(one.at, message_id, len(one.recipients)) for message_id, one in ids.items()]
    settled = [
        (said.at + 0.001, message_id, position)  # the log's instants are cut to a millisecond
        for message_id, one in ids.items()
        for position, recipient in enumerate(one.recipients)
        for said in rig.settled().get(recipient, ())
    ]
    return Promises(accepted=tuple(sorted(accepted)), settled=tuple(sorted(settled)))


async def _cut(options: Options, disk: Path, promises: Promises, cuts: int, result: Result) -> None:
    records = list(read_records(disk / "record"))
    instants = [record.at for record in records]
    chance = random.Random(options.seed)
    # Up to half of them at the moment of an acknowledgement, as that is when least may have been flushed too late.
    heard = [at for at, _, _ in promises.accepted]
    at_acknowledgements = chance.sample(heard, min(len(heard), cuts // 2))
    first = bisect_right(instants, heard[0])
    others = [chance.choice(instants[first:]) for _ in range(cuts - len(at_acknowledgements))]
    state, followed = RecordedDisk(MEBIBYTES << 20), 0
    for moment in sorted([*at_acknowledgements, *others]):
        until = bisect_right(instants, moment)
        for record in records[followed:until]:
            state.follow(record)
        followed = until
        faults = await _come_up(state, disk, promises, moment, chance)
        result.violations += [f"{fault} (cut after record {until})" for fault in faults]
        if len(result.violations) > MOST_VIOLATIONS:
            break
    result.figures |= {"records": len(records), "at_acknowledgements": len(at_acknowledgements)}


async def _come_up(
    state: RecordedDisk, disk: Path, promises: Promises, moment: float, chance: random.Random
) -> list[str]:
    """Mount what a cut leaves, and compare it with what was promised until then."""
    try:
        with mounted_image(state.cut(chance), disk) as place:
            faults = await examine(place / "state" / "queue", promises.accepted_by(moment), promises.settled_by(moment))
            return faults + await asyncio.to_thread(_examine_control, place / "state")
    except RuntimeError as error:
        return [f"lost: the file system cannot be mounted: {error}"]


def _examine_control(state: Path) -> list[str]:
    """Open the control database, and read a key from it."""
    path = state / "control.db"
    try:
        with closing(sqlite3.connect(path)) as connection:
            (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        return [f"lost: the control database cannot be read: {error}"]
    return [] if integrity == "ok" else [f"damaged: the control database: {integrity}"]
