"""D10: SIGSTOP of a mail worker in mid delivery, for longer than any lease would last, then SIGCONT."""

import asyncio
import os
import random
import signal

from tests.faults.checker import judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, running
from tests.faults.sink import Action, Reply, Sink


def slow_to_answer(stage: str, nth: int) -> Action | None:
    """Take a moment over every dot, so that many are unanswered when the worker is stopped."""
    return Reply(text="250 taken", after_seconds=0.2) if stage == "dot" else None


async def run(options: Options) -> Result:
    """Pause under load."""
    pauses, seconds = (100, 4.0) if options.is_full else (2, 2.5)
    async with running(options, sink=Sink(slow_to_answer)) as rig:
        # About as much as one worker may send beside another that stands still: the queue must not grow without end.
        load = rig.load(Plan(seed=options.seed, connections=10, rate=30))
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(load.run())
            await _pause(rig, pauses, seconds)
            load.stop()
            await sending
        verdict = judge(await rig.finish())
    result = Result.of(verdict, pauses=pauses)
    # Nobody was killed and every dot was answered: there is no excuse for a second copy.
    result.expect(verdict.duplicates == 0, f"duplicate: {verdict.duplicates} after a pause")
    return result


async def _pause(rig: Rig, pauses: int, seconds: float) -> None:
    chance = random.Random(rig.options.seed)
    for _ in range(pauses):
        await asyncio.sleep(chance.uniform(0.3, 0.6))
        pid = chance.choice(rig.mail_workers())
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
