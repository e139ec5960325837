"""D2: kill at the Nth system call of each name and thread of a mail worker, through one message's whole life.

strace attaches to one thread and kills the process at that thread's Nth call of a name, of those that move data or
change files. The sweep over N ends for a name when a whole life passes without reaching N.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

from tests.faults.checker import Rules, judge, longest_settling
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, is_alive, running
from tests.faults.strace import injecting, thread_ids
from tests.faults.survey import LIFE_SECONDS, Survey, survey_calls

CALLS = (
    "write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "sendto", "sendmsg", "close",
    "openat",
)  # fmt: skip
SPOOLED = 100_000
BEYOND = 3
ACCOUNTED_SECONDS = 60.0
MARGIN = 4.0
"""A run of few messages sees few deliveries being written down, and so not the slowest that there may be."""
SMALL = 3
"""So many calls of each thread are chosen in the small size."""
SIZES = (None, SPOOLED)


async def run(options: Options) -> Result:
    """Sweep; in the small size, over a few of the calls."""
    killed_by_thread: Counter[int] = Counter()
    extra = "[submission]\nspool_threshold_octets = 65536\n"
    slowest = 0.0
    async with running(options, Setup(workers=1, extra=extra)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=1, max_recipients=2))
        survey = await survey_calls(rig, load, CALLS, SIZES)
        points = list(_points(survey)) if options.is_full else _choose(survey, random.Random(options.seed))
        missed = set[tuple[str, int | None, int]]()
        for name, size, thread, number in points:
            if slowest > ACCOUNTED_SECONDS:
                break
            if (name, size, thread) in missed and number > survey[name, size, thread]:
                continue
            took, was_killed = await _live_and_die(rig, load, name, size, thread, number)
            killed_by_thread[thread] += was_killed
            slowest = max(slowest, took)
            if not was_killed:
                missed.add((name, size, thread))
        history = await rig.finish()
    verdict = judge(history, Rules(excuse_seconds=MARGIN * longest_settling(history)))
    killed = killed_by_thread.total()
    result = Result.of(verdict, surveyed=survey.total(), kills=killed, by_thread=dict(killed_by_thread))
    result.figures["slowest"] = f"{slowest:.1f}s"
    result.expect(killed > 0, "points: nothing was killed")
    result.expect(slowest <= ACCOUNTED_SECONDS, f"slow: an item was accounted for after {slowest:.1f} s")
    return result


def _points(survey: Survey) -> Iterator[tuple[str, int | None, int, int]]:
    """Every call of the survey, and some more of each name: lives differ."""
    for (name, size, thread), count in survey.items():
        for number in range(1, count + BEYOND + 1):
            yield name, size, thread, number


def _choose(survey: Survey, chance: random.Random) -> list[tuple[str, int | None, int, int]]:
    chosen = []
    for thread in sorted({thread for _, _, thread in survey}):
        of_thread = [point for point in _points(survey) if point[2] == thread and point[3] <= survey[point[:3]]]
        chosen += chance.sample(of_thread, min(SMALL, len(of_thread)))
    return chosen


async def _live_and_die(
    rig: Rig, load: Load, name: str, size: int | None, thread: int, number: int
) -> tuple[float, bool]:
    """Send one message to a worker that dies at a call; return how long its account took, and whether it died."""
    pid = await rig.wait_for_worker()
    tasks = thread_ids(pid)
    if thread >= len(tasks):
        return 0.0, False
    began = time.monotonic()
    async with injecting(tasks[thread], name, f"signal=KILL:when={number}", one_thread=True):
        await load.send_one(size=size)
        while is_alive(pid) and time.monotonic() < began + LIFE_SECONDS:
            await asyncio.sleep(0.02)
    was_killed = not is_alive(pid)
    if was_killed:
        rig.note_kill(pid)
        await rig.wait_for_worker(other_than=pid)
    while await asyncio.to_thread(rig.count_live) and time.monotonic() < began + ACCOUNTED_SECONDS:
        await asyncio.sleep(0.05)
    return time.monotonic() - began, was_killed
