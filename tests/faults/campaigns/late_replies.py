"""D8, late: servers that answer the final dot after nine minutes; each message comes once (RFC 5321 §4.5.3.2.6)."""

import asyncio

from tests.faults.checker import judge
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running
from tests.faults.sink import Action, Reply, Sink

SETTLE_SECONDS = 60.0


async def run(options: Options) -> Result:
    """One wait for all: as many sessions as messages, with the default time limit in the full size."""
    sessions, late = (100, 540.0) if options.is_full else (20, 4.0)
    delivery = "connections_per_destination = 100"
    if not options.is_full:
        delivery += '\nfinal_reply_timeout = "8s"'

    def answer_late(stage: str, nth: int) -> Action | None:
        return Reply(text="250 taken at last", after_seconds=late) if stage == "dot" else None

    sink = Sink(answer_late)
    async with running(options, Setup(delivery=delivery, extra='[submission]\nidle_timeout = "20m"\n'), sink) as rig:
        load = rig.load(Plan(seed=options.seed, connections=10, max_recipients=1))
        await load.run(messages=sessions)
        waiting = sum(submission.answer is Answer.ACCEPTED for submission in load.submissions)
        async with asyncio.timeout(60):
            while sink.reached["dot"] < waiting:
                await asyncio.sleep(0.1)
        await rig.drain(late + SETTLE_SECONDS)
        history = await rig.finish()
    verdict = judge(history)
    result = Result.of(verdict, sessions=waiting, seconds_late=late)
    result.expect(verdict.duplicates == 0, f"duplicate: {verdict.duplicates} though every dot was answered")
    result.expect(sink.reached["dot"] == waiting, f"again: {sink.reached['dot']} dots for {waiting} messages")
    return result
