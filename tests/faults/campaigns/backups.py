"""D14: backups of a running relay at random moments, and frozen copies; a restored one sends nothing again by itself.

The steps are those of ``docs/how-to/back-up-and-restore.md``, taken from the page.
"""

import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, children, read_store, running
from tests.faults.sink import Action, Reply, Sink
from tests.support.relay import Relay

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "back-up-and-restore.md"
EXTRA = "[submission]\nspool_threshold_octets = 16384\n"


def sometimes_busy(stage: str, nth: int) -> Action | None:
    """Keep some of the mail waiting at every moment."""
    return Reply(text="451 not now") if stage == "MAIL" and nth % 3 == 0 else None


async def run(options: Options) -> Result:
    """Back up under load, half of them by the page's steps and half by a copy of the frozen whole; restore each."""
    count = 20 if options.is_full else 2
    async with running(options, Setup(extra=EXTRA), Sink(sometimes_busy)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=10, rate=60, sizes=(500, 30_000)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            backups = await _back_up(rig, count)
            load.stop()
        verdict = judge(await rig.finish())
        result = Result.of(verdict, backups=count)
        await rig.stop()
        original = _Original(
            relay=rig.relay,
            served={recipient: copy.at for copy in rig.sink.copies for recipient in copy.recipients},
            known=frozenset(recipient for one in load.submissions for recipient in one.recipients),
        )
    held = 0
    for number, backup in enumerate(backups):
        folder = options.folder / f"restored-{number}"
        folder.mkdir()
        held += await _restore(replace(options, folder=folder), backup, original, result)
    result.figures["held"] = held
    result.expect(held > 0, "held: nothing was queued in any backup, so nothing was tried")
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backup:
    """Where it is, and when it was done, in seconds of the monotonic clock; 0 for one made at a single moment."""

    folder: Path
    ended_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Original:
    """The relay that was backed up: its key and domain, who got mail from it, and to whom mail was sent."""

    relay: Relay
    served: Mapping[str, float]
    known: frozenset[str]


async def _back_up(rig: Rig, count: int) -> list[_Backup]:
    chance = random.Random(rig.options.seed)
    backups = []
    for number in range(count):
        await asyncio.sleep(chance.uniform(0.7, 1.5))
        backup = rig.options.folder / f"backup-{number}"
        if number % 2:
            await asyncio.to_thread(_freeze_and_copy, rig, backup)
            backups.append(_Backup(folder=backup, ended_at=0.0))
        else:
            await asyncio.to_thread(_follow_page, "Back up a running relay", 0, rig.relay.state_dir, backup)
            backups.append(_Backup(folder=backup, ended_at=time.monotonic()))
    return backups


def _freeze_and_copy(rig: Rig, backup: Path) -> None:
    """As a snapshot of the file system would: every file as it is at one moment; then make the marks."""
    supervisor = rig.relay.process_id
    pids = [supervisor, *children(supervisor)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        shutil.copytree(rig.relay.state_dir, backup, ignore=shutil.ignore_patterns("run"))
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    _follow_page("Back up a running relay", 1, backup, backup)


def _follow_page(heading: str, number: int, state: Path, backup: Path) -> None:
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    script = textwrap.dedent(re.findall(r"^ *```sh\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)[number])
    environment = {**os.environ, "STATE": str(state), "BACKUP": str(backup)}
    subprocess.run(["sh", "-eu", "-c", script], check=True, env=environment, capture_output=True, timeout=60)


async def _restore(options: Options, backup: _Backup, original: _Original, result: Result) -> int:
    """Start from a backup; see that nothing leaves by itself, that new mail flows, and that a release releases."""
    state = options.folder / "state"
    await asyncio.to_thread(_follow_page, "Restore", 0, state, backup.folder)
    template = Relay.__new__(Relay)  # as much of one as is copied
    template.state_dir, template.records, template.key = state, original.relay.records, original.relay.key
    async with running(replace(options, template=template), Setup(extra=EXTRA)) as rig:
        queued = await asyncio.to_thread(rig.count_live)
        new = rig.load(Plan(seed=options.seed, connections=1, max_recipients=1), prefix=f"new{options.folder.name}y")
        await new.run(messages=5)
        await asyncio.sleep(1)
        again = [recipient for copy in rig.sink.copies for recipient in copy.recipients if recipient in original.known]
        result.expect(not again, f"again: {len(again)} copies left a restored relay by themselves, as {again[:1]}")
        endings, _, books = await asyncio.to_thread(read_store, rig.queue_dir)
        held = sum(ending == "held" for ending in endings.values())
        result.expect(held == queued, f"held: {queued} were queued in a backup, {held} of them are held")
        result.violations += [f"books: out by {one.difference} after a restore" for one in books if one.difference]
        if held:
            await asyncio.to_thread(rig.relay.command, "queue", "release", "--state", "held")
        verdict = judge(await rig.finish())
        # What the backup held was sent by nobody in this run.
        result.violations += [v for v in verdict.violations if not v.startswith(("ghost", "books"))]
        came = {recipient for copy in rig.sink.copies for recipient in copy.recipients}
        # What was done with while the backup was made may lack its content in it.
        came |= {address for address, at in original.served.items() if at <= backup.ended_at}
        lost = [address for address, ending in endings.items() if ending == "held" and address not in came]
        result.expect(not lost, f"lost: {len(lost)} recipients of a backup did not come after the release: {lost[:2]}")
    return held
