"""D2: kill at the Nth system call of each thread of a mail worker, through one message's whole life.

strace attaches to one thread and kills the process at that thread's Nth call of those that move data or change files.
The sweep over N ends for a thread when a whole life passes without reaching N.
"""

import asyncio
import time

from tests.faults.checker import Rules, judge, longest_settling
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, is_alive, running
from tests.faults.strace import injecting, thread_ids

CALLS = "write,writev,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,sendto,sendmsg,close,openat"
SPOOLED = 100_000
ACCOUNTED_SECONDS = 60.0
LIFE_SECONDS = 1.5
"""From acceptance past delivery, settlement and the checkpoint that follows half a second later."""


MARGIN = 4.0
"""A run of few messages sees few deliveries being written down, and so not the slowest that there may be."""
MISSES = 3
"""Lives in a row in which a thread did not come to the Nth call, before it is believed that it makes no more."""


async def run(options: Options) -> Result:
    """Sweep; in the small size, in great strides."""
    stride = 1 if options.is_full else 11
    points: list[int] = []
    extra = "[submission]\nspool_threshold_octets = 65536\n"
    slowest = 0.0
    async with running(options, Setup(workers=1, extra=extra)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=1, max_recipients=2))
        first = await rig.wait_for_worker()
        async with injecting(first, CALLS, "signal=KILL:when=60000"):
            for _ in range(10):
                await load.send_one(size=SPOOLED)
            await rig.drain()
        for thread in range(len(thread_ids(first))):
            if slowest > ACCOUNTED_SECONDS:
                break
            killed, took = await _sweep(rig, load, thread, stride, misses=MISSES if options.is_full else 1)
            points.append(killed)
            slowest = max(slowest, took)
        history = await rig.finish()
    verdict = judge(history, Rules(excuse_seconds=MARGIN * longest_settling(history)))
    result = Result.of(verdict, points=sum(points), by_thread=points, slowest=f"{slowest:.1f}s")
    result.expect(sum(points) >= len(points), f"points: kills by thread: {points}")
    result.expect(slowest <= ACCOUNTED_SECONDS, f"slow: an item was accounted for after {slowest:.1f} s")
    return result


async def _sweep(rig: Rig, load: Load, thread: int, stride: int, misses: int) -> tuple[int, float]:
    """Kill at one thread's calls, one after the other; return how many there were, and the slowest account."""
    number = 1 + (rig.options.seed + thread) % stride
    killed, missed, slowest = 0, 0, 0.0
    while missed < misses and slowest <= ACCOUNTED_SECONDS:
        took, was_killed = await _live_and_die(rig, load, thread, number)
        killed += was_killed
        missed = 0 if was_killed else missed + 1
        slowest = max(slowest, took)
        number += stride
    return killed, slowest


async def _live_and_die(rig: Rig, load: Load, thread: int, number: int) -> tuple[float, bool]:
    """Send one message to a worker that dies at a call; return how long its account took, and whether it died."""
    pid = await rig.wait_for_worker()
    tasks = thread_ids(pid)
    if thread >= len(tasks):
        return 0.0, False
    began = time.monotonic()
    async with injecting(tasks[thread], CALLS, f"signal=KILL:when={number}", one_thread=True):
        await load.send_one(size=SPOOLED if number % 2 else None)
        while is_alive(pid) and time.monotonic() < began + LIFE_SECONDS:
            await asyncio.sleep(0.02)
    was_killed = not is_alive(pid)
    if was_killed:
        rig.note_kill(pid)
        await rig.wait_for_worker(other_than=pid)
    while await asyncio.to_thread(rig.count_live) and time.monotonic() < began + ACCOUNTED_SECONDS:
        await asyncio.sleep(0.05)
    return time.monotonic() - began, was_killed
