"""D7: the relay's clock jumps while mail waits for its next attempt.

The one place that reads the time of day (``gatepost.system.clock``) is shifted by a hook in the relay's processes.
Under libfaketime the timers of our processes stalled in most runs, which no clock that is set does.
"""

import asyncio
import time
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running
from tests.faults.sink import Action, Reply, Sink

HOUR, DAY = 3600, 86_400
JUMPS = {"+4d": 4 * DAY, "-1d": -DAY, "+1h": HOUR, "-1h": -HOUR, "+1d": DAY, "2038": 15 * 365 * DAY}
SETTLE_SECONDS = 10.0
"""Retries here come after two seconds at most; a jump may cost one of them, and the relay looks at its clock anew."""


async def run(options: Options) -> Result:
    """Queue while the sink is busy, jump, see that nothing expires untried and all goes out soon."""
    jumps = list(JUMPS) if options.is_full else list(JUMPS)[:2]
    result = Result()
    for number, jump in enumerate(jumps):
        folder = options.folder / str(number)
        folder.mkdir()
        one = Options(
            folder=folder, seed=options.seed, is_full=options.is_full, broken=options.broken, template=options.template
        )
        await _jump(one, jump, result)
    return result


async def _jump(options: Options, jump: str, result: Result) -> None:
    clock = options.folder / "clock"
    clock.write_text("0")
    setup = Setup(workers=1, environment={"GATEPOST_FAULT_CLOCK": str(clock)}, hooks=("shift_clock",))
    is_busy = True

    def busy(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if is_busy and stage == "MAIL" else None

    async with running(options, setup, Sink(busy)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=4))
        await load.run(messages=40)
        await asyncio.sleep(1)
        waiting = await asyncio.to_thread(rig.count_live)
        before = rig.sink.reached["MAIL"]
        is_busy = False
        _set(clock, JUMPS[jump])
        began = time.monotonic()
        is_empty = await rig.drain(3 * SETTLE_SECONDS)
        took = time.monotonic() - began
        attempts = rig.sink.reached["MAIL"] - before
        later = rig.load(Plan(seed=options.seed, connections=1), prefix="later")
        await later.run(messages=3)
        history = await rig.finish()
    verdict = judge(history)
    result.violations += [f"{violation} (jump {jump})" for violation in verdict.violations]
    expired = history.events["bounce"]
    result.figures[jump] = f"{verdict.accepted} accepted, {waiting} waiting, {attempts} attempts, {took:.1f}s"
    result.expect(expired == 0, f"expired: {expired} recipients after {jump}, though the sink would take them")
    result.expect(is_empty and took <= SETTLE_SECONDS, f"late: {took:.1f} s until the queue was empty after {jump}")
    # Everything may fall due at once by a jump, once.
    result.expect(attempts <= 2 * waiting + 10, f"storm: {attempts} attempts for {waiting} recipients after {jump}")


def _set(clock: Path, seconds: int) -> None:
    """Shift the clock, at one instant for whoever reads."""
    new = clock.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(clock)
