"""D4: no room, input/output errors and no descriptors, injected into a mail worker, and a disk that really fills.

Never a 250 that is not durable, never a 5xx; taken again within ten seconds once there is room, but after a failed
flush only by a worker that was started anew.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.block_device import make_ext4, mounted
from tests.faults.checker import judge
from tests.faults.history import Answer, Submission
from tests.faults.loader import Load, Plan
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Sink
from tests.faults.strace import injecting

AGAIN_SECONDS = 10.0
LARGE = 200_000
"""Octets of a content that goes to the spool: this campaign's relay spools from 64 KiB on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of trouble.

    Attributes:
        calls: System calls that fail.
        error: How.
        size: Of the messages sent meanwhile.
        needs_restart: The store is suspect afterwards.
    """

    calls: str
    error: str
    size: int | None = None
    needs_restart: bool = False


FAULTS = (
    Fault(calls="pwrite64", error="ENOSPC"),
    Fault(calls="fdatasync,fsync", error="EIO", needs_restart=True),
    Fault(calls="openat,open", error="EMFILE", size=LARGE),
    Fault(calls="pwrite64", error="EIO"),
    Fault(calls="pwrite64", error="EDQUOT"),
    Fault(calls="fdatasync,fsync", error="ENOSPC", needs_restart=True),
    Fault(calls="fdatasync,fsync", error="EIO", size=LARGE, needs_restart=True),
    Fault(calls="accept4,accept", error="EMFILE"),
)
RESERVE = 8 << 20
"""Octets that the small disk keeps for delivery; what a relay keeps by itself is more than the whole of it."""

SMALL = 3
"""So many of them in the small size."""


async def run(options: Options) -> Result:
    """Each fault in turn on one relay; then a small disk that fills."""
    faults = FAULTS if options.is_full else FAULTS[:SMALL]
    result = Result()
    extra = "[submission]\nspool_threshold_octets = 65536\n"
    async with running(options, Setup(workers=1, extra=extra)) as rig:
        for number, fault in enumerate(faults):
            await _suffer(rig, fault, number, result)
        verdict = judge(await rig.finish())
    result.figures |= {"accepted": verdict.accepted, "faults": len(faults)}
    result.violations += verdict.violations
    if options.is_full or not options.broken:
        await _fill_disk(options, result)
    return result


async def _suffer(rig: Rig, fault: Fault, number: int, result: Result) -> None:
    name = f"{fault.error} at {fault.calls}"
    load = rig.load(Plan(seed=rig.options.seed, connections=1, max_recipients=1), prefix=f"f{number}y")
    pid = await rig.wait_for_worker()
    await load.send_one()
    async with injecting(pid, fault.calls, f"error={fault.error}"):
        meanwhile = [await try_one(load, fault.size) for _ in range(5)]
    check_answers(name, meanwhile, result)
    if fault.needs_restart:
        after = await try_one(load, fault.size)
        result.expect(after.answer is Answer.REFUSED, f"suspect: after {name} the relay said {after.reply}")
        os.kill(pid, signal.SIGTERM)
        await rig.wait_for_worker(other_than=pid)
    took = await time_until_accepted(load)
    result.expect(took <= AGAIN_SECONDS, f"again: {took:.1f} s after {name} nothing was accepted")


async def try_one(load: Load, size: int | None) -> Submission:
    """Send a message and return what came of it."""
    try:
        async with asyncio.timeout(5):
            return await load.send_one(size=size)
    except TimeoutError:  # it accepts no connection, and so no message either
        return Submission(uid="none", recipients=(), digest=b"", answer=Answer.ABORTED, reply="no connection")


def check_answers(name: str, answers: list[Submission], result: Result, *, may_accept: bool = False) -> None:
    """Expect no 250, unless the fault may have come too late for that, and no reply but that there is trouble."""
    for submission in answers:
        reply, is_accepted = submission.reply, submission.answer is Answer.ACCEPTED
        result.expect(may_accept or not is_accepted, f"wrong 250: {name}")
        result.expect(not reply.startswith("5"), f"wrong 5xx: {name}: {reply}")
        if submission.answer is Answer.REFUSED:
            is_right = reply.startswith(("452 4.3.1", "451 4.3.0", "421 "))
            result.expect(is_right, f"wrong reply: {name}: {reply}")


async def time_until_accepted(load: Load) -> float:
    """Return how many seconds it takes until a message is accepted."""
    began = time.monotonic()
    while time.monotonic() < began + 3 * AGAIN_SECONDS:
        if (await try_one(load, None)).answer is Answer.ACCEPTED:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


# ---------------------------------------------------------------- a disk that fills


async def _fill_disk(options: Options, result: Result) -> None:
    """Nothing leaves, so the disk fills; then there is room again, and everything accepted must come."""
    with _small_disk(options.folder / "disk", 48) as disk:
        waiting = True

        def busy(stage: str, nth: int) -> Action | None:
            return Reply(text="451 not now") if waiting and stage == "MAIL" else None

        ballast = disk / "ballast"
        ballast.write_bytes(bytes(18 << 20))
        setup = Setup(workers=1, state_dir=disk / "state", extra=f"[queue]\nreserve_octets = {RESERVE}\n")
        folder = options.folder / "filling"
        folder.mkdir()
        async with running(_in_folder(options, folder), setup, Sink(busy)) as rig:
            load = rig.load(Plan(seed=options.seed, connections=4, max_recipients=1, sizes=(60_000, 200_000)))
            sending = asyncio.create_task(load.run())
            await _wait_for_refusals(load, 10)
            load.stop()
            await sending
            refused = [s for s in load.submissions if s.answer is Answer.REFUSED]
            check_answers("a full disk", refused, result)
            ballast.unlink()
            took = await time_until_accepted(load)
            waiting = False
            verdict = judge(await rig.finish())
    result.expect(took <= AGAIN_SECONDS, f"again: {took:.1f} s after there was room nothing was accepted")
    result.figures |= {"on_full_disk": f"{verdict.accepted} accepted, {len(refused)} refused, again {took:.1f}s"}
    result.violations += verdict.violations


async def _wait_for_refusals(load: Load, count: int) -> None:
    async with asyncio.timeout(60):
        while sum(s.answer is Answer.REFUSED for s in load.submissions) < count:
            await asyncio.sleep(0.05)


def _in_folder(options: Options, folder: Path) -> Options:
    return Options(
        folder=folder, seed=options.seed, is_full=options.is_full, broken=options.broken, template=options.template
    )


@contextmanager
def _small_disk(place: Path, mebibytes: int) -> Iterator[Path]:
    """An ext4 of so many MiB, in a file."""
    place.mkdir()
    image = place / "image"
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    make_ext4(str(image))
    with mounted(str(image), place / "mounted", "-o", "loop") as mount:
        yield mount
