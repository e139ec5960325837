"""D11, attempts: messages at which the worker raises, crashes or exits, again and again: held after three tries.

The hook ``break_at_poison`` stands for faults of ours that nobody has found yet. All other mail flows.
"""

import asyncio
import time

from tests.faults.checker import Rules, judge, longest_settling
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running

WAYS = (
    "value.test", "key.test", "recursion.test", "memory.test", "assertion.test", "unicode.test",
    "killed.test", "segv.test", "exit.test",
)  # fmt: skip
CRASHES = WAYS[-3:]
WITHIN_SECONDS = 90.0


async def run(options: Options) -> Result:
    """Send poison of each kind into ordinary load, and wait until it is held and all else delivered."""
    ways = WAYS if options.is_full else [way for way in WAYS if way not in CRASHES[1:]]
    setup = Setup(hooks=("break_at_poison",), routes=dict.fromkeys(WAYS, "127.0.0.1:9"))
    async with running(options, setup) as rig:
        healthy = rig.load(Plan(seed=options.seed, connections=4, rate=20), prefix="healthy")
        poison = rig.load(Plan(seed=options.seed, connections=1), prefix="poison")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(healthy.run())
            for way in ways:
                while (await poison.send_one(f"{way[:3]}@{way}")).answer is not Answer.ACCEPTED:
                    await asyncio.sleep(0.2)
            took = await _wait_until_held(rig)
            healthy.stop()
        await asyncio.sleep(3)
        history = rig.history()
    planted = {s.recipients[0] for s in poison.submissions if s.answer is Answer.ACCEPTED}
    held = {address for address, ending in history.endings.items() if ending == "held"}
    verdict = judge(history, Rules(may_stay=True, excuse_seconds=longest_settling(history)))
    result = Result.of(verdict, planted=len(planted), held=len(held), took=f"{took:.0f}s")
    # Whoever was with delivery at a crash may come twice: there, our own end left the dot unanswered.
    result.violations = [one for one in result.violations if not one.startswith("duplicate")]
    result.expect(planted <= held, f"poison: not held after {took:.0f} s: {', '.join(sorted(planted - held))}")
    result.expect(not held - planted, f"innocent: {len(held - planted)} others were held: {sorted(held - planted)[:3]}")
    waiting = sum(history.endings.get(r) == "queued" for s in healthy.submissions for r in s.recipients)
    result.expect(not waiting, f"poison: {waiting} others still wait")
    return result


async def _wait_until_held(rig: Rig) -> float:
    began = time.monotonic()
    while time.monotonic() < began + WITHIN_SECONDS:
        history = await asyncio.to_thread(rig.history)
        endings = [ending for address, ending in history.endings.items() if address.partition("@")[2] in WAYS]
        if endings and all(ending == "held" for ending in endings):
            break
        await asyncio.sleep(1)
    return time.monotonic() - began
