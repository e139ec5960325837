"""D12: SIGTERM under load, to one mail worker after another and to the whole service."""

import asyncio
import os
import random
import signal
import time
from itertools import pairwise

from tests.faults.checker import judge
from tests.faults.history import Answer, Submission
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, is_alive, running

STOP_SECONDS = 30.0
REPLACED_SECONDS = 2.0
"""The longest time without an acceptance while every process is replaced (SIGUSR2), in the full size."""

DOWN_SECONDS = 20.0
"""The same over everything, a whole stop and start included, which takes two interpreters' starts."""


async def run(options: Options) -> Result:
    """Restart under load."""
    rounds = 25 if options.is_full else 2
    async with running(options) as rig:
        load = rig.load(Plan(seed=options.seed, connections=20, rate=150))
        stops: list[float] = []
        replacements: list[tuple[float, float]] = []
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(load.run())
            for number in range(rounds):
                await _restart_workers(rig, stops)
                replacements.append(await _replace_all(rig))
                await _restart_service(rig, stops, random.Random(options.seed + number))
            await _wait_for_more(load)
            load.stop()
            await sending
        verdict = judge(await rig.finish())
    gap = longest_gap(load.submissions)
    replaced = max(longest_gap([s for s in load.submissions if a <= s.at <= b]) for a, b in replacements)
    unknown = sum(s.answer is Answer.UNKNOWN for s in load.submissions)
    result = Result.of(verdict, restarts=len(stops), longest_stop=f"{max(stops):.1f}s", longest_gap=f"{gap:.1f}s")
    result.figures["longest_gap_replacing"] = f"{replaced:.1f}s"
    result.expect(not options.is_full or replaced <= REPLACED_SECONDS, f"slow: {replaced:.1f} s without an acceptance")
    result.expect(max(stops) <= STOP_SECONDS, f"slow: a stop took {max(stops):.1f} s")
    result.expect(gap <= DOWN_SECONDS, f"slow: nothing was accepted for {gap:.1f} s")
    # An orderly stop lets transactions end: nobody is left without a reply, and nothing is sent twice.
    result.expect(unknown == 0, f"unanswered: {unknown} clients heard no reply to their dot")
    result.expect(verdict.duplicates == 0, f"duplicate: {verdict.duplicates} after an orderly stop")
    return result


async def _restart_workers(rig: Rig, stops: list[float]) -> None:
    for pid in rig.mail_workers():
        await asyncio.sleep(0.3)
        os.kill(pid, signal.SIGTERM)
        began = time.monotonic()
        async with asyncio.timeout(2 * STOP_SECONDS):
            while is_alive(pid):
                await asyncio.sleep(0.01)
        stops.append(time.monotonic() - began)
        await rig.wait_for_worker(other_than=pid)


async def _replace_all(rig: Rig) -> tuple[float, float]:
    """Have every process replaced without a pause; return when that began and ended."""
    old, began = set(rig.mail_workers()), time.monotonic()
    os.kill(rig.relay.process_id, signal.SIGUSR2)
    async with asyncio.timeout(90):
        while old & set(rig.mail_workers()) or len(rig.mail_workers()) < len(old):
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    return began, time.monotonic()


async def _restart_service(rig: Rig, stops: list[float], chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.2, 0.5))
    began = time.monotonic()
    status = await rig.stop()
    stops.append(time.monotonic() - began)
    assert status == 0, f"the service ended with {status}\n{rig.relay.log()[-2000:]}"
    await rig.start()


async def _wait_for_more(load: Load) -> None:
    accepted = load.accepted
    async with asyncio.timeout(30):
        while load.accepted < accepted + 50:
            await asyncio.sleep(0.02)


def longest_gap(submissions: list[Submission]) -> float:
    """The longest time in which no client got a 250."""
    times = sorted(submission.at for submission in submissions if submission.answer is Answer.ACCEPTED)
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)
