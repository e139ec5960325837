"""D1: SIGKILL of any process of the relay at a random moment under load, over SMTP and over HTTP."""

import asyncio
import random
import statistics
from typing import TypeAlias

from tests.faults.checker import Rules, judge, longest_settling, settling_times
from tests.faults.history import History
from tests.faults.http_loader import HTTPLoad
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, children, running
from tests.faults.sink_process import SinkProcess

FULL, SMALL = (500, 100_000, 50), (12, 1200, 100)
"""Kills, messages accepted, and messages a second over SMTP; a fifth of that comes over HTTP beside them."""

MOST_DUPLICATES = 0.001
"""Of the recipients accepted, in the full size; in the small one kills are many times denser."""

SUPERVISOR_EVERY = 6
"""Every so manyth kill hits the supervisor, whose orphans drain by themselves; the others any of its children."""

Loads: TypeAlias = tuple[Load, HTTPLoad]


async def run(options: Options) -> Result:
    """Load until all kills are done and enough was accepted."""
    kills, messages, rate = FULL if options.is_full else SMALL
    async with running(options, sink=SinkProcess()) as rig:
        loads = (
            rig.load(Plan(seed=options.seed, connections=50, rate=rate)),
            rig.http_load(Plan(seed=options.seed, connections=4, rate=rate / 5)),
        )
        async with asyncio.TaskGroup() as tasks:
            for load in loads:
                tasks.create_task(load.run())
            await _kill(rig, loads, kills, messages)
            for load in loads:
                load.stop()
        history = await rig.finish()
    settling = longest_settling(history)
    verdict = judge(history, Rules(excuse_seconds=settling))
    result = Result.of(verdict, kills=len(rig.kills), unanswered=count_unanswered(history))
    result.figures["recipients"] = verdict.recipients
    share = verdict.duplicates / max(verdict.recipients, 1)
    result.figures["duplicates_share"] = f"{share:.3%}"
    result.figures["oldest_excuse"] = f"{verdict.oldest_excuse:.3f}s"
    result.figures["longest_settling"] = f"{settling:.3f}s"
    result.figures["median_settling"] = f"{statistics.median(settling_times(history)):.3f}s"
    result.expect(
        not options.is_full or share <= MOST_DUPLICATES,
        f"share: {share:.3%} of the recipients accepted had a second copy",
    )
    return result


async def _kill(rig: Rig, loads: Loads, kills: int, messages: int) -> None:
    """Kill at seeded moments, about evenly over the messages still to be accepted."""
    chance = random.Random(rig.options.seed)
    for number in range(1, kills + 1):
        # Seen from the load: so many more messages, then a moment at random.
        goal = messages * number // kills
        await _wait_for(loads, goal)
        await asyncio.sleep(chance.uniform(0, 0.2))
        if number % SUPERVISOR_EVERY == 0:
            await _kill_supervisor(rig)
        elif victims := children(rig.relay.process_id):
            rig.kill(chance.choice(victims))
    await _wait_for(loads, messages)


async def _wait_for(loads: Loads, accepted: int) -> None:
    async with asyncio.timeout(120):
        while sum(load.accepted for load in loads) < accepted:
            await asyncio.sleep(0.005)


async def _kill_supervisor(rig: Rig) -> None:
    orphans = children(rig.relay.process_id)
    rig.kill(rig.relay.process_id)
    await asyncio.to_thread(rig.relay.reap)
    await rig.wait_until_gone(orphans)
    await rig.start()


def count_unanswered(history: History) -> int:
    """How many copies had a dot that the sink did not answer, or answered to a process that was dead by then."""
    killed = {kill.pid: kill.at for kill in history.kills}
    return sum(
        not copy.is_answered or killed.get(copy.pid, copy.answered_at) < copy.answered_at for copy in history.copies
    )
