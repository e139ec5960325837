"""D8: receiving servers that misbehave, each at one stage, each with a sink of its own, through the whole relay."""

import asyncio
from dataclasses import dataclass

from tests.faults.checker import judge
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running
from tests.faults.sink import Action, Endless, HangUp, Reply, Silence, Sink

TIMEOUTS = """
connect_timeout = "2s"
command_timeout = "2s"
data_timeout = "2s"
final_reply_timeout = "4s"
"""
LATE = 3.0
"""Seconds: longer than any command may take, shorter than the reply to the dot may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a server does at a stage the first few times it gets there, and how every message must end.

    Attributes:
        times: Afterwards it is a good server; 0 for always.
        may_repeat: Copies beyond one for each recipient are allowed: its dots were left unanswered.
    """

    stage: str
    action: Action
    times: int = 2
    ending: str = "delivered"
    may_repeat: bool = False


def _table() -> dict[str, Fault]:
    faults = {}
    for stage in ("MAIL", "RCPT", "DATA", "dot"):
        faults[f"4xx at {stage}"] = Fault(stage=stage, action=Reply(text="451 4.3.0 not now"))
        faults[f"5xx at {stage}"] = Fault(stage=stage, action=Reply(text="550 5.1.1 no"), times=0, ending="bounced")
        faults[f"421 at {stage}"] = Fault(stage=stage, action=Reply(text="421 4.3.2 going down"))
    for stage in ("banner", "EHLO"):
        faults[f"4xx at {stage}"] = Fault(stage=stage, action=Reply(text="421 4.3.2 busy"))
        faults[f"5xx at {stage}"] = Fault(stage=stage, action=Reply(text="554 5.7.1 go away"))
    for stage in ("banner", "EHLO", "MAIL", "DATA"):
        faults[f"closed at {stage}"] = Fault(stage=stage, action=HangUp())
        faults[f"half a line at {stage}"] = Fault(stage=stage, action=HangUp(octets=b"250 half a li"))
        if stage != "DATA":  # two minutes by RFC 5321 §4.5.3.2.4, and no setting makes them less
            faults[f"silence at {stage}"] = Fault(stage=stage, action=Silence(), times=1)
        faults[f"endless reply at {stage}"] = Fault(stage=stage, action=Endless(), times=1)
        faults[f"no SMTP at {stage}"] = Fault(stage=stage, action=HangUp(octets=b"HTTP/1.0 200 OK\r\n\r\n"))
    faults["reset in content"] = Fault(stage="DATA", action=HangUp(octets=b"354 go on\r\n", has_reset=True))
    faults["closed after the dot"] = Fault(stage="dot", action=HangUp(), may_repeat=True)
    faults["reset after the dot"] = Fault(stage="dot", action=HangUp(has_reset=True), may_repeat=True)
    faults["half a line after the dot"] = Fault(stage="dot", action=HangUp(octets=b"250 tak"), may_repeat=True)
    faults["silence after the dot"] = Fault(stage="dot", action=Silence(), times=1, may_repeat=True)
    faults["late reply to the dot"] = Fault(stage="dot", action=Reply(text="250 taken", after_seconds=LATE))
    faults["reply to the dot in pieces"] = Fault(stage="dot", action=Reply(text="250 taken", piece_octets=1), times=0)
    faults["a reply line of 1 MB"] = Fault(stage="MAIL", action=Reply(text="250 " + "x" * 1_000_000), times=1)
    return faults


FAULTS = _table()


async def run(options: Options) -> Result:
    """Send to all of them at once, beside a healthy domain."""
    each = 20 if options.is_full else 2
    sinks = {name: Sink(ScriptOf(fault)) for name, fault in FAULTS.items()}
    domains = {name: f"d{number}.test" for number, name in enumerate(FAULTS)}
    for sink in sinks.values():
        await sink.start()
    routes = {domains[name]: f"127.0.0.1:{sink.port}" for name, sink in sinks.items()}
    async with running(options, Setup(routes=routes, delivery=TIMEOUTS)) as rig:
        rig.sinks += sinks.values()
        load = rig.load(Plan(seed=options.seed, connections=10, domains=("dest.test", *routes), max_recipients=2))
        healthy = rig.load(Plan(seed=options.seed, connections=2, rate=20), prefix="healthy")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(healthy.run())
            await load.run(messages=each * len(FAULTS))
            await rig.drain(60 if options.is_full else 40)
            healthy.stop()
        history = await rig.finish()
    verdict = judge(history)
    result = Result.of(verdict, faults=len(FAULTS), healthy=healthy.accepted)
    for name, fault in FAULTS.items():
        endings = {
            ending
            for submission in load.submissions
            for recipient in submission.recipients
            if recipient.endswith("@" + domains[name])
            and submission.answer is Answer.ACCEPTED
            and (ending := history.endings.get(recipient, "nowhere")) != fault.ending
        }
        result.expect(not endings, f"ending: {name}: {', '.join(sorted(endings))} instead of {fault.ending}")
        extra = _count_extra(sinks[name])
        result.expect(fault.may_repeat or extra == 0, f"duplicate: {name}: {extra} further copies")
    return result


class ScriptOf:
    """The script of one fault."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def __call__(self, stage: str, nth: int) -> Action | None:
        if stage == self._fault.stage and (nth <= self._fault.times or not self._fault.times):
            return self._fault.action
        return None


def _count_extra(sink: Sink) -> int:
    seen = [(copy.uid, recipient) for copy in sink.copies if copy.is_taken for recipient in copy.recipients]
    return len(seen) - len(set(seen))
