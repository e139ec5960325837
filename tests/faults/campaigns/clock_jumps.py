"""D7: the relay's clock jumps while mail waits for its next attempt; a second is repeated; local time changes.

The one place that reads the time of day (``gatepost.system.clock``) is shifted by a hook in the relay's processes.
Under libfaketime the timers of our processes stalled in most runs, which no clock that is set does. Local time is
changed for real: by a time zone whose summer time begins, or ends, a moment after the relay has started.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Sink

from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.shard import list_shards

HOUR, DAY = 3600, 86_400
SETTLE_SECONDS = 10.0
"""Retries here come after two seconds at most; a jump may cost one of them, and the relay looks at its clock anew."""
CHANGE_AFTER_SECONDS = 40.0
"""From before the start to the change of local time: enough for a start beside much other work."""
CYCLES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """What the clock does.

    Attributes:
        by: Seconds that it is set.
        is_at_new_year: It is set at the last midnight of a year, as a leap second is.
        zone: How the name of a time zone is made of the instant at which its local time changes; "" for no change.
    """

    by: int = 0
    is_at_new_year: bool = False
    zone: str = ""


# One rule begins summer time and the other ends it (POSIX.1-2017 §8.3); the other is half a year off.
JUMPS = {
    "+4d": Jump(by=4 * DAY),
    "-1d": Jump(by=-DAY),
    "leap second": Jump(by=-1, is_at_new_year=True),
    "+1h": Jump(by=HOUR),
    "-1h": Jump(by=-HOUR),
    "+1d": Jump(by=DAY),
    "2038": Jump(by=15 * 365 * DAY),
    "to summer time": Jump(zone="STD0DST-1,{change},{other}"),
    "from summer time": Jump(zone="STD0DST-1,{other},{change}"),
}
SMALL = 3
"""So many of them in the small size, once each."""


@dataclass(slots=True)
class Seen:
    """What the cycles of one jump came to."""

    accepted: int = 0
    waiting: int = 0
    attempts: int = 0
    slowest: float = 0.0
    cycles: int = 0


async def run(options: Options) -> Result:
    """Queue while the sink is busy, jump, see that nothing expires untried and all goes out soon."""
    jumps = list(JUMPS) if options.is_full else list(JUMPS)[:SMALL]
    result = Result()
    for name in jumps:
        seen = Seen()
        for cycle in range(CYCLES if options.is_full else 1):
            folder = options.folder / f"{list(JUMPS).index(name)}-{cycle}"
            folder.mkdir()
            await _jump(replace(options, folder=folder, seed=options.seed + cycle), name, seen, result)
        result.figures[name] = (
            f"{seen.cycles} times, {seen.accepted} accepted, {seen.waiting} recipients waiting, "
            f"{seen.attempts} attempts, at most {seen.slowest:.1f}s"
        )
    return result


async def _jump(options: Options, name: str, seen: Seen, result: Result) -> None:
    jump, clock = JUMPS[name], Clock(options.folder / "clock")
    clock.set(0)
    change_at = time.time() + CHANGE_AFTER_SECONDS
    environment = {"GATEPOST_FAULT_CLOCK": str(clock.path), **_zone(jump, change_at)}
    is_busy = True

    def busy(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if is_busy and stage == "MAIL" else None

    setup = Setup(workers=1, environment=environment, hooks=("shift_clock",))
    async with running(options, setup, Sink(busy)) as rig:
        result.expect(not jump.zone or time.time() < change_at, f"setup: {name}: the relay started after the change")
        if jump.is_at_new_year:
            clock.set(clock.seconds_to_new_year() - 120)
        load = rig.load(Plan(seed=options.seed, connections=4))
        await load.run(messages=40)
        await asyncio.sleep(1)
        waiting = await asyncio.to_thread(rig.count_live)
        if jump.zone:
            await asyncio.sleep(max(0.0, change_at + 1 - time.time()))
        if jump.is_at_new_year:
            clock.set(clock.seconds_to_new_year() - 1)
            await asyncio.sleep(1)
        before = rig.sink.reached["MAIL"] if isinstance(rig.sink, Sink) else 0
        is_busy = False
        clock.set(clock.shift + jump.by)
        began = time.monotonic()
        is_empty = await rig.drain(3 * SETTLE_SECONDS)
        took = time.monotonic() - began
        attempts = (rig.sink.reached["MAIL"] if isinstance(rig.sink, Sink) else 0) - before
        later = rig.load(Plan(seed=options.seed, connections=1), prefix="later")
        await later.run(messages=3)
        history = await rig.finish()
        if jump.zone:
            _expect_no_local_time(rig, change_at, name, result)
    verdict = judge(history)
    result.violations += [f"{violation} (jump {name})" for violation in verdict.violations]
    expired = history.events["bounce"]
    result.expect(expired == 0, f"expired: {expired} recipients after {name}, though the sink would take them")
    result.expect(is_empty and took <= SETTLE_SECONDS, f"late: {took:.1f} s until the queue was empty after {name}")
    # Everything may fall due at once by a jump, once.
    result.expect(attempts <= 2 * waiting + 10, f"storm: {attempts} attempts for {waiting} recipients after {name}")
    seen.cycles += 1
    seen.accepted += verdict.accepted
    seen.waiting += waiting
    seen.attempts += attempts
    seen.slowest = max(seen.slowest, took)


def _zone(jump: Jump, change_at: float) -> Mapping[str, str]:
    """Return the environment of a zone whose local time changes at an instant."""
    if not jump.zone:
        return {}
    # The rule that ends summer time is read in summer time.
    local = change_at + HOUR * jump.zone.endswith("{change}")
    rules = {"change": local, "other": local + 182 * DAY}
    return {"TZ": jump.zone.format(**{name: _rule(at) for name, at in rules.items()})}


def _rule(at: float) -> str:
    instant = datetime.fromtimestamp(at, UTC)
    return f"{instant.timetuple().tm_yday - 1}/{instant:%H:%M:%S}"


def _expect_no_local_time(rig: Rig, change_at: float, name: str, result: Result) -> None:
    """Nothing that was written down may be an hour off."""
    change = datetime.fromtimestamp(change_at, UTC)
    instants = [datetime.fromisoformat(line["at"]) for line in rig.relay.log_lines()]
    for path in list_shards(rig.queue_dir):
        with closing(QueueReader(path)) as reader:
            instants += [event.at for _, event in reader.list_events(after_id=0, limit=10_000)]
    off = [at for at in instants if abs(at - change) > timedelta(minutes=30)]
    result.expect(not off, f"local: {len(off)} of {len(instants)} instants are off after {name}, as {off[:1]}")


@dataclass(slots=True)
class Clock:
    """The relay's clock, shifted by what a file says."""

    path: Path
    shift: float = field(default=0.0, init=False)

    def set(self, shift: float) -> None:
        """Shift it, at one instant for whoever reads."""
        self.shift = shift
        new = self.path.with_suffix(".new")
        new.write_text(str(shift))
        new.replace(self.path)

    def seconds_to_new_year(self) -> float:
        """How far from now, unshifted, the next year begins."""
        now = datetime.now(UTC)
        return (datetime(now.year + 1, 1, 1, tzinfo=UTC) - now).total_seconds()
