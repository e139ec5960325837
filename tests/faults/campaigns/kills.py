"""D1: SIGKILL of a mail worker, or of the supervisor, at a random moment under load."""

import asyncio
import random

from tests.faults.checker import Rules, judge
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, children, running

EXCUSE_SECONDS = 0.75
"""How long a delivery may take to be written down, on a machine that does a dozen other things."""

SUPERVISOR_EVERY = 6
"""Every so manyth kill hits the supervisor; its orphans drain by themselves."""


async def run(options: Options) -> Result:
    """Load until all kills are done and enough was accepted."""
    kills, messages, rate = (500, 100_000, 300) if options.is_full else (12, 1500, 200)
    async with running(options) as rig:
        load = rig.load(Plan(seed=options.seed, connections=50, rate=rate))
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(load.run())
            await _kill(rig, load, kills, messages)
            load.stop()
            await sending
        verdict = judge(await rig.finish(), Rules(excuse_seconds=EXCUSE_SECONDS))
    result = Result.of(verdict, kills=len(rig.interruptions), unanswered=_unanswered(rig))
    share = verdict.duplicates / max(verdict.accepted, 1)
    result.figures["duplicates_share"] = f"{share:.3%}"
    result.figures["oldest_excuse"] = f"{verdict.oldest_excuse:.2f}s"
    return result


async def _kill(rig: Rig, load: Load, kills: int, messages: int) -> None:
    """Kill at seeded moments, about evenly over the messages still to be accepted."""
    chance = random.Random(rig.options.seed)
    for number in range(1, kills + 1):
        # Seen from the load: so many more messages, then a moment at random.
        goal = messages * number // kills
        await _wait_for(load, goal)
        await asyncio.sleep(chance.uniform(0, 0.2))
        if number % SUPERVISOR_EVERY == 0:
            await _kill_supervisor(rig)
        elif workers := rig.mail_workers():
            rig.kill(chance.choice(workers))
    await _wait_for(load, messages)


async def _wait_for(load: Load, accepted: int) -> None:
    async with asyncio.timeout(120):
        while load.accepted < accepted:
            await asyncio.sleep(0.005)


async def _kill_supervisor(rig: Rig) -> None:
    orphans = children(rig.relay.process_id)
    rig.kill(rig.relay.process_id)
    await asyncio.to_thread(rig.relay.reap)
    await rig.wait_until_gone(orphans)
    await rig.start()


def _unanswered(rig: Rig) -> int:
    return sum(not copy.is_answered for copy in rig.sink.copies)
