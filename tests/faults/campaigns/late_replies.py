"""D8, late: servers that answer the final dot after nine minutes; each message comes once (RFC 5321 §4.5.3.2.6)."""

import asyncio

from tests.faults.checker import judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running
from tests.faults.sink import Action, Reply, Sink

SETTLE_SECONDS = 60.0


async def run(options: Options) -> Result:
    """One wait for all: as many sessions as messages, with the default time limit in the full size."""
    sessions, late = (100, 540.0) if options.is_full else (20, 4.0)
    delivery = "" if options.is_full else 'final_reply_timeout = "8s"'

    def answer_late(stage: str, nth: int) -> Action | None:
        return Reply(text="250 taken at last", after_seconds=late) if stage == "dot" else None

    # A destination that has never answered gets few connections at first, so that there are several.
    sinks = {f"late{number}.test": Sink(answer_late) for number in range(40)}
    for sink in sinks.values():
        await sink.start()
    routes = {domain: f"127.0.0.1:{sink.port}" for domain, sink in sinks.items()}
    async with running(options, Setup(routes=routes, delivery=delivery)) as rig:
        rig.sinks += sinks.values()
        load = rig.load(Plan(seed=options.seed, connections=10, max_recipients=1, domains=tuple(routes)))
        await load.run(messages=sessions)
        waiting = load.accepted
        async with asyncio.timeout(60):
            while sum(sink.reached["dot"] for sink in sinks.values()) < waiting:
                await asyncio.sleep(0.1)
        await rig.drain(late + SETTLE_SECONDS)
        history = await rig.finish()
    verdict = judge(history)
    result = Result.of(verdict, sessions=waiting, seconds_late=late)
    dots = sum(sink.reached["dot"] for sink in sinks.values())
    result.expect(verdict.duplicates == 0, f"duplicate: {verdict.duplicates} though every dot was answered")
    result.expect(dots == waiting, f"again: {dots} dots for {waiting} messages")
    return result
