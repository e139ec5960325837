"""D8, neighbours: one dead or slow destination, beside which the others' first attempts must come as soon as ever."""

import asyncio
import random
import socket
import statistics
import time
from contextlib import closing

from tests.faults.checker import Rules, judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Silence, Sink
from tests.faults.sink_process import SinkProcess

FACTOR = 2.0
LEAST_SECONDS = 0.05
"""Below that a factor says more about this machine than about the relay."""

RATE = 20.0
GOOD = tuple(f"good{number}.test" for number in range(5))


def slow(stage: str, nth: int) -> Action | None:
    """Take two seconds over everything, as a tarpit does."""
    return Reply(text="250 slowly" if stage != "DATA" else "354 slowly", after_seconds=2) if stage != "banner" else None


def silent(stage: str, nth: int) -> Action | None:
    """Take connections and say nothing."""
    return Silence()


async def run(options: Options) -> Result:
    """Measure the time from acceptance to arrival, alone and beside each kind of bad neighbour."""
    seconds = 60.0 if options.is_full else 5.0
    kinds: dict[str, Sink | None] = {"silent": Sink(silent), "slow": Sink(slow), "refusing connections": None}
    routes: dict[str, str] = {}
    with closing(socket.socket()) as dead:
        dead.bind(("127.0.0.1", 0))  # bound, so that nobody else gets the port, and not listening
        for kind, sink in kinds.items():
            if sink is not None:
                await sink.start()
            routes[_domain(kind)] = f"127.0.0.1:{sink.port if sink else dead.getsockname()[1]}"
        good = SinkProcess()
        await good.start()
        routes |= dict.fromkeys(GOOD, f"127.0.0.1:{good.port}")
        async with running(options, Setup(routes=routes, workers=1)) as rig:
            rig.sinks += [good, *[sink for sink in kinds.values() if sink is not None]]
            table = {"alone": await _measure(rig, "alone", None, seconds)}
            for number, kind in enumerate(kinds):
                table[kind] = await _measure(rig, f"n{number}y", _domain(kind), seconds)
            history = rig.history()
    result = Result.of(judge(history, Rules(may_stay=True)))
    alone = max(table["alone"][0], LEAST_SECONDS)
    for name, (median, p95) in table.items():
        result.figures[name] = f"median {median * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
        result.expect(
            median <= FACTOR * alone, f"neighbour: beside {name} the median is {median:.3f} s instead of {alone:.3f} s"
        )
    return result


def _domain(kind: str) -> str:
    return kind.split(maxsplit=1)[0] + ".test"


async def _measure(rig: Rig, prefix: str, neighbour: str | None, seconds: float) -> tuple[float, float]:
    """Return the median and the 95th percentile, in seconds, of the good destinations."""
    seed = rig.options.seed + random.Random(prefix).randrange(1000)
    loads = [rig.load(Plan(seed=seed, connections=4, rate=RATE, domains=GOOD, max_recipients=1), prefix=prefix)]
    if neighbour:
        plan = Plan(seed=seed, connections=8, rate=2 * RATE, domains=(neighbour,), max_recipients=1)
        loads.append(rig.load(plan, prefix=f"{prefix}bad"))
    async with asyncio.TaskGroup() as tasks:
        for load in loads:
            tasks.create_task(load.run())
        await asyncio.sleep(seconds)
        for load in loads:
            load.stop()
    await asyncio.sleep(2)
    came_at = {copy.uid: copy.at for sink in rig.sinks for copy in sink.copies}
    now = time.monotonic()
    took = sorted([max(0.0, came_at.get(one.uid, now) - one.at) for one in loads[0].submissions])
    return statistics.median(took), took[int(len(took) * 0.95)]
