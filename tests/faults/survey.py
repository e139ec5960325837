"""Which system calls a message's life is made of: what sweeps over single calls go by.

strace counts a thread's calls of each name by themselves, so that one point of a sweep is a name and a number.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from tests.faults.loader import Load
from tests.faults.rig import Rig
from tests.faults.strace import injecting, thread_ids

LIFE_SECONDS = 1.5
"""From acceptance past delivery, settlement and the checkpoint that follows half a second later."""

Survey: TypeAlias = "Counter[tuple[str, int | None, int]]"
"""By a call's name, the message's size, and the thread's place in the worker: how many such calls its life has."""


async def survey_calls(rig: Rig, load: Load, calls: Sequence[str], sizes: Sequence[int | None]) -> Survey:
    """Count the calls of each thread of the one mail worker in the life of a message of each size."""
    survey: Survey = Counter()
    for size in tuple(sizes) * 5:  # every thread has been started, and every file opened that stays so
        await load.send_one(size=size)
    await rig.drain()
    pid = await rig.wait_for_worker()
    tasks = [str(task) for task in thread_ids(pid)]
    log = rig.options.folder / "survey.log"
    for size in sizes:
        async with injecting(pid, ",".join(calls), "error=EIO:when=60000", log=log):
            await load.send_one(size=size)
            await asyncio.sleep(LIFE_SECONDS)
        for line in log.read_text(errors="replace").splitlines():
            task, _, rest = line.partition(" ")
            name = rest.strip().partition("(")[0]
            if name in calls and task in tasks:
                survey[name, size, tasks.index(task)] += 1
        log.unlink()
    return survey
