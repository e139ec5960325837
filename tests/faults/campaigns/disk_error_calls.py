"""D4, call by call: one error at the Nth call of each thread of a mail worker, through one message's whole life.

As D2 does with kills: strace attaches to one thread and lets its Nth call of one name fail, once. Nothing may be lost
or come twice, no reply is a 5xx, and ten seconds later mail is taken again; after a failed flush of a database only by
a worker that was started anew. Calls on sockets, pipes and the like are no disk's; they are made to fail all the same.
"""

import asyncio
import os
import random
import re
import signal
import time
from dataclasses import dataclass, field

from tests.faults.campaigns.disk_errors import AGAIN_SECONDS, check_answers, time_until_accepted, try_one
from tests.faults.checker import Rules, judge, longest_settling
from tests.faults.history import Answer
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, is_alive, running
from tests.faults.strace import find_injected, injecting, thread_ids
from tests.faults.survey import LIFE_SECONDS, Survey, survey_calls

FLUSHES = ("fsync", "fdatasync")
WRITES = ("write", "writev", "pwrite64", "ftruncate", "rename", "unlink")
OPENS = ("open", "openat", "accept", "accept4", "socket", "dup")
ERRORS = dict.fromkeys((*WRITES, *FLUSHES), ("EIO", "ENOSPC", "EDQUOT")) | dict.fromkeys(OPENS, ("EMFILE",))
SPOOLED = 100_000
SIZES = (None, SPOOLED)
SMALL = {WRITES: 6, FLUSHES: 3, OPENS: 1}
"""So many calls of each kind are chosen in the small size."""

_CALL = re.compile(r"(\w+)\((?:\d+<([^>]*)>)?")


@dataclass(slots=True)
class Seen:
    """What a run came to: calls that failed, those of them on a disk's files, and databases that were suspect then."""

    failed: int = 0
    on_files: int = 0
    suspect: int = 0
    died: int = 0
    slowest: float = 0.0
    by_call: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """Which call to let fail."""

    call: str
    error: str
    size: int | None
    thread: int
    number: int


async def run(options: Options) -> Result:
    """Let each call that a message's life is made of fail in each way; in the small size, some of them in one way."""
    result, seen = Result(), Seen()
    extra = "[submission]\nspool_threshold_octets = 65536\n"
    async with running(options, Setup(workers=1, extra=extra)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=1, max_recipients=1))
        survey = await survey_calls(rig, load, tuple(ERRORS), SIZES)
        if options.is_full:
            for (call, size, thread), error in [(life, error) for life in survey for error in ERRORS[life[0]]]:
                number = 1
                while await _fail_once(rig, load, Point(call, error, size, thread, number), seen, result):
                    number += 1
        else:
            for point in _choose(survey, random.Random(options.seed)):
                await _fail_once(rig, load, point, seen, result)
        if seen.died:
            # What was in hand each time that an event descriptor failed has been set aside for it.
            await asyncio.to_thread(rig.relay.command, "queue", "release", "--state", "held")
        history = await rig.finish()
    verdict = judge(history, Rules(excuse_seconds=longest_settling(history)))
    result.violations += verdict.violations
    result.expect(seen.on_files > 0 and seen.suspect > 0, "points: no call on a file, or no flush, was made to fail")
    result.figures |= {
        "accepted": verdict.accepted,
        "duplicates": verdict.duplicates,
        "failed": f"{seen.failed} calls, {seen.on_files} on files",
        "by_call": seen.by_call,
        "suspect": seen.suspect,
        "died": seen.died,
        "again": f"{seen.slowest:.1f}s",
    }
    return result


def _choose(survey: Survey, chance: random.Random) -> list[Point]:
    points = [
        Point(call, chance.choice(ERRORS[call]), size, thread, number)
        for (call, size, thread), count in survey.items()
        for number in range(1, count + 1)
    ]
    chosen = []
    for kind, most in SMALL.items():
        of_kind = [point for point in points if point.call in kind]
        chosen += chance.sample(of_kind, min(most, len(of_kind)))
    return chosen


async def _fail_once(rig: Rig, load: Load, point: Point, seen: Seen, result: Result) -> bool:
    """Let one call fail while a message lives; tell whether there was such a call."""
    pid = await rig.wait_for_worker()
    tasks = thread_ids(pid)
    if point.thread >= len(tasks):
        return False
    log = rig.options.folder / "strace.log"
    log.unlink(missing_ok=True)
    began = time.monotonic()
    fault = f"error={point.error}:when={point.number}"
    async with injecting(tasks[point.thread], point.call, fault, one_thread=True, log=log):
        submission = await try_one(load, point.size)
        while not find_injected(log) and is_alive(pid) and time.monotonic() < began + LIFE_SECONDS:
            await asyncio.sleep(0.05)
    found = find_injected(log)
    if not found:
        return False
    name = f"{point.error} at call {point.number} of thread {point.thread}: {_shorten(found[0])}"
    check_answers(name, [submission], result, may_accept=True)
    call, path = _describe(found[0])
    is_file = call in {"open", "openat", "rename", "unlink"} or path.startswith("/")
    seen.failed += 1
    seen.on_files += is_file
    seen.by_call[call] = seen.by_call.get(call, 0) + 1
    if not is_alive(pid):
        seen.died += 1
        rig.note_kill(pid)
        result.expect(not is_file, f"died: {name}: {await _last_words(rig, pid)}")
    elif call in FLUSHES and ("/queue/shard-" in path or ("/queue/spool-" in path and point.error == "EIO")):
        await _expect_suspect(rig, load, pid, name, seen, result)
    took = await time_until_accepted(load)
    seen.slowest = max(seen.slowest, took)
    result.expect(took <= AGAIN_SECONDS, f"again: {took:.1f} s after {name} nothing was accepted")
    return True


async def _expect_suspect(rig: Rig, load: Load, pid: int, name: str, seen: Seen, result: Result) -> None:
    """After a failed flush of a database nothing may be taken until there is a new worker."""
    # What is under way when a flush of another thread fails may still be committed; what comes then may not.
    await asyncio.sleep(0.2)
    after = await try_one(load, None)
    result.expect(after.answer is Answer.REFUSED, f"suspect: after {name} the relay said {after.reply}")
    seen.suspect += after.answer is Answer.REFUSED
    # What was delivered can still be written down, as the flush fails but once.
    await asyncio.sleep(LIFE_SECONDS)
    os.kill(pid, signal.SIGTERM)
    await rig.wait_for_worker(other_than=pid)


async def _last_words(rig: Rig, pid: int) -> str:
    """Return how the supervisor says that a worker ended, and what that worker had to say last."""
    await rig.wait_for_worker(other_than=pid)
    lines = [line for line in rig.relay.log_lines() if line["level"] in {"error", "critical"}]
    return str(lines[-3:])[:1000]


def _shorten(line: str) -> str:
    """Leave out what was to be written."""
    return re.sub(r'"[^"]*"\.*', "…", line)[:200]


def _describe(line: str) -> tuple[str, str]:
    """Return a call's name, and the path of its first argument if that is a descriptor."""
    found = _CALL.search(line)
    assert found is not None, line
    return found[1], found[2] or ""
