"""R: how soon the first delivery follows a start with a long queue, and what the worker weighs by then."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.history import Answer
from tests.faults.loader import Plan, make_content
from tests.faults.result import Result
from tests.faults.rig import Options, Rig, Setup, running
from tests.faults.sink import Action, Reply, Sink

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, new_message_id
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy

ANN = Mailbox(local_part="ann", domain="example.test")
OCTETS = 1000


async def run(options: Options) -> Result:
    """Plant with the service stopped, start it, and wait for the first copy."""
    result = Result()
    sizes = {100_000: 10.0, 1_000_000: 60.0} if options.is_full else {5_000: 10.0}
    for count, limit in sizes.items():
        folder = options.folder / str(count)
        folder.mkdir()
        one = Options(
            folder=folder, seed=options.seed, is_full=options.is_full, broken=options.broken, template=options.template
        )
        await _measure(one, count, limit, result)
    return result


async def _measure(options: Options, count: int, limit: float, result: Result) -> None:
    started_at = 0.0

    def busy_before(stage: str, nth: int) -> Action | None:
        return None if started_at else Reply(text="451 not now")

    async with running(options, Setup(workers=1), Sink(busy_before)) as rig:
        load = rig.load(Plan(seed=options.seed, connections=1, max_recipients=1))
        submission = await load.send_one()
        assert submission.answer is Answer.ACCEPTED
        await rig.stop()
        account_id, key_id = _owner(rig)
        await _plant(rig.queue_dir, count, account_id, key_id)
        started_at = time.monotonic()
        starting = asyncio.create_task(rig.start())
        while not rig.sink.copies and time.monotonic() < started_at + 3 * limit:
            await asyncio.sleep(0.02)
        first = rig.sink.copies[0].at - started_at if rig.sink.copies else 3 * limit
        await starting
        await asyncio.sleep(3)
        (pid,) = rig.mail_workers()
        resident = _peak_resident(pid)
    result.figures[f"{count}_queued"] = f"first delivery after {first:.1f}s, {resident} MiB at most"
    result.expect(first <= limit, f"slow: {first:.1f} s until the first of {count} was delivered")
    result.expect(resident <= 1536, f"heavy: {resident} MiB with {count} queued")


def _owner(rig: Rig) -> tuple[AccountId, KeyId]:
    line = next(line for line in rig.relay.log_lines() if line["event"] == "submission_accepted")
    return AccountId(line["account_id"]), KeyId(line["key_id"])


async def _plant(directory: Path, count: int, account_id: AccountId, key_id: KeyId) -> None:
    """Accept by the program's own queue, with nobody to deliver."""
    queue = await SQLiteQueue.open(
        directory,
        0,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        settings=QueueSettings(longest_delay=timedelta(hours=5)),
        report=lambda *_: None,
    )
    content = MemoryContent(make_content("planted", random.Random(0), OCTETS))
    try:
        for start in range(0, count, 500):
            await asyncio.gather(
                *[
                    queue.accept(_message(number, content, account_id, key_id))
                    for number in range(start, min(start + 500, count))
                ]
            )
    finally:
        await queue.close()


def _message(number: int, content: MemoryContent, account_id: AccountId, key_id: KeyId) -> QueuedMessage:
    now = datetime.now(UTC)
    return QueuedMessage(
        id=new_message_id(now, SystemEntropy()),
        account_id=account_id,
        key_id=key_id,
        author=ANN,
        envelope=Envelope(
            reverse_path=ANN, forward_paths=(Mailbox(local_part=f"planted.{number}", domain="dest.test"),)
        ),
        origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1"),
        content=content,
        accepted_at=now,
    )


def _peak_resident(pid: int) -> int:
    """The largest resident size so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0
