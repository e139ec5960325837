"""D4 on a disk that fails: the whole state on ext4 on a disk that from one moment on refuses writes with EIO.

A flush says so once, and the kernel drops what it could not write, so that the next one may well succeed. One disk
fails for good, under a journal that ext4 then gives up; the other works again after a moment, under no journal. In the
end the machine is started anew with what has reached the disk: the file system is repaired, the relay started.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.faults.block_device import block_device, make_ext4, mounted, repair, run_program
from tests.faults.campaigns.disk_errors import AGAIN_SECONDS, check_answers, time_until_accepted
from tests.faults.checker import Rules, judge, longest_settling
from tests.faults.history import Answer, History, Submission
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Sink

MEBIBYTES = 64
FULL, SMALL = 10, 1
ACCEPTED = 60
REFUSALS = 20
"""So many messages are accepted over SMTP before the disk fails, and so many refused afterwards."""


async def run(options: Options) -> Result:
    """Let a disk fail under load, and start anew; several times over in the full size."""
    result = Result()
    accepted = refused = duplicates = 0
    for number in range(FULL if options.is_full else SMALL):
        folder = options.folder / str(number)
        folder.mkdir()
        one = replace(options, folder=folder, seed=options.seed + number)
        history, failing_for = await _fail_under_load(one, result, is_for_good=number % 2 == 0)
        # What was delivered after the disk failed could not be written down any more.
        verdict = judge(history, Rules(excuse_seconds=failing_for + longest_settling(history)))
        result.violations += verdict.violations
        accepted += verdict.accepted
        refused += history.count(Answer.REFUSED)
        duplicates += verdict.duplicates
    result.figures |= {"accepted": accepted, "refused": refused, "duplicates": duplicates}
    return result


async def _fail_under_load(options: Options, result: Result, *, is_for_good: bool) -> tuple[History, float]:
    """Return what happened, and how many seconds lay between the failure and the relay's end."""

    def sometimes_busy(stage: str, nth: int) -> Action | None:
        return Reply(text="451 not now") if stage == "MAIL" and nth % 3 == 0 else None

    image, failing, place = (options.folder / name for name in ("image", "failing", "mounted"))
    with image.open("wb") as file:
        file.truncate(MEBIBYTES << 20)
    make_ext4(str(image), has_journal=is_for_good)
    refusing = ("error-pwrite=EIO", "error-pwrite-rate=100%", f"error-pwrite-file={failing}")
    with ExitStack() as disk:
        device = disk.enter_context(block_device(options.folder, "--filter=error", "file", str(image), *refusing))
        disk.enter_context(mounted(device, place))
        # The disk is smaller than what a relay keeps free by itself.
        extra = "[submission]\nspool_threshold_octets = 16384\n[queue]\nreserve_octets = 4194304\n"
        setup = Setup(workers=1, extra=extra, state_dir=place / "state")
        async with running(options, setup, Sink(sometimes_busy)) as rig:
            # The installation itself is on the disk for sure.
            await asyncio.to_thread(run_program, "sync", "-f", str(place))
            failed_at = await _send_until_refused(rig, failing, result, is_for_good=is_for_good)
            await rig.kill_all()
            killed_at = time.monotonic()
            disk.close()
            repair(str(image))
            disk.enter_context(mounted(str(image), place, "-o", "loop"))
            await rig.start()
            took = await time_until_accepted(rig.load(Plan(seed=options.seed, max_recipients=1), prefix="after"))
            result.expect(took <= AGAIN_SECONDS, f"again: {took:.1f} s after the start nothing was accepted")
            history = await rig.finish()
            await rig.stop()
    # What was written down after a flush had failed is not sure to have reached the disk.
    history.settled = {
        recipient: [one for one in said if not failed_at <= one.at <= killed_at]
        for recipient, said in history.settled.items()
    }
    return history, killed_at - failed_at


async def _send_until_refused(rig: Rig, failing: Path, result: Result, *, is_for_good: bool) -> float:
    """Send over SMTP and HTTP, let the disk fail, and wait for refusals; return when it failed."""
    load = rig.load(Plan(seed=rig.options.seed, connections=8, rate=60, sizes=(500, 30_000)))
    http = rig.http_load(Plan(seed=rig.options.seed, connections=1, rate=10))
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(90):
        sending = [tasks.create_task(load.run()), tasks.create_task(http.run())]
        await _until(lambda: load.accepted >= ACCEPTED)
        failing.touch()
        failed_at = time.monotonic()
        await _until(lambda: bool(_refused(load.submissions)))
        if not is_for_good:
            failing.unlink()
        await _until(lambda: len(_refused(load.submissions)) >= REFUSALS and bool(_refused(http.submissions)))
        load.stop()
        http.stop()
        await asyncio.gather(*sending)
    since = _refused(load.submissions)[0].at
    late = [one for one in load.submissions + http.submissions if one.answer is Answer.ACCEPTED and one.at > since + 1]
    result.expect(not late, f"wrong 250: {len(late)} after the disk had failed, as {[one.reply for one in late[:1]]}")
    check_answers("a failing disk", _refused(load.submissions), result)
    for one in _refused(http.submissions):
        result.expect(one.reply.startswith(("503", "507")), f"wrong status: a failing disk: {one.reply}")
    return failed_at


def _refused(submissions: list[Submission]) -> list[Submission]:
    return [one for one in submissions if one.answer is Answer.REFUSED]


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.05)
