"""One shard of the embedded queue: the life accept → lease → settle of many messages at once.

``python -m benchmarks.queue [--messages N] [--producers N] [--octets N] [--loop asyncio|uvloop] [--profile]``
"""  # noqa: A005 - run as `python -m benchmarks.queue`, never imported as `queue`

import argparse
import asyncio
import cProfile
import os
import pstats
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import (
    Lease,
    QueuedMessage,
    RecipientSettlement,
    RecipientState,
    Settlement,
)
from gatepost.mailflow.queue.retry import DEFAULT_SCHEDULE
from gatepost.primitives.ids import AccountId, KeyId, new_message_id
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
ACCOUNTS = [AccountId(f"acc_{number:016d}") for number in range(10)]
KEY = KeyId("k" * 22)
AUTHOR = Mailbox(local_part="news", domain="example.com")
ORIGIN = Origin(protocol="ESMTPSA", peer_address="192.0.2.1", greeting="client.example.com", tls="TLSv1.3")


def make_message(number: int, content: MemoryContent) -> QueuedMessage:
    now = datetime.now(UTC)
    recipient = Mailbox(local_part=f"user{number}", domain=f"dest{number % 50}.example")
    return QueuedMessage(
        id=new_message_id(now, ENTROPY),
        account_id=ACCOUNTS[number % len(ACCOUNTS)],
        key_id=KEY,
        author=AUTHOR,
        envelope=Envelope(reverse_path=AUTHOR, forward_paths=(recipient,)),
        origin=ORIGIN,
        content=content,
        accepted_at=now,
    )


def delivered(lease: Lease) -> Settlement:
    message, now = lease.message, datetime.now(UTC)
    return Settlement(
        lease=lease,
        recipients=tuple(
            RecipientSettlement(
                position=recipient.position,
                state=RecipientState.DELIVERED,
                event=Event(
                    type=EventType.DELIVERED,
                    at=now,
                    account_id=message.account_id,
                    key_id=message.key_id,
                    message_id=message.id,
                    recipient=recipient.mailbox,
                    detail={"reply": "250 2.0.0 Ok: queued as 4XyZ", "peer": "mx.dest.example [192.0.2.7]"},
                ),
            )
            for recipient in lease.recipients
        ),
    )


async def run_lives(queue: SQLiteQueue, *, messages: int, producers: int, octets: int, only_accept: bool) -> None:
    content = MemoryContent(os.urandom(octets))
    numbers = iter(range(messages))
    settled = 0
    all_settled = asyncio.Event()

    async def produce() -> None:
        for number in numbers:
            await queue.accept(make_message(number, content))

    async def settle(lease: Lease) -> None:
        nonlocal settled
        await queue.settle(delivered(lease))
        settled += 1
        if settled == messages:
            all_settled.set()

    async def consume(group: asyncio.TaskGroup) -> None:
        while True:
            for lease in await queue.lease(limit=200, room=lambda _: 1000):
                group.create_task(settle(lease))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(produce()) for _ in range(producers)]
        if only_accept:
            return
        consumer = group.create_task(consume(group))
        await asyncio.gather(*tasks)
        await all_settled.wait()
        consumer.cancel()


async def measure(arguments: argparse.Namespace, directory: Path) -> None:
    queue = await SQLiteQueue.open(
        directory,
        0,
        clock=CLOCK,
        entropy=ENTROPY,
        settings=QueueSettings(longest_delay=DEFAULT_SCHEDULE.longest_delay),
        report=lambda event, fields: print(event, dict(fields)),
    )
    wall, cpu, loop_cpu = time.perf_counter(), time.process_time(), time.thread_time()
    await run_lives(
        queue,
        messages=arguments.messages,
        producers=arguments.producers,
        octets=arguments.octets,
        only_accept=arguments.only_accept,
    )
    wall, cpu, loop_cpu = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - loop_cpu
    counters = queue.counters
    print(
        f"{arguments.messages / wall:,.0f} lives/s; per life {cpu / arguments.messages * 1e6:.0f} µs CPU "
        f"(event loop {loop_cpu / arguments.messages * 1e6:.0f}, of which this script's some); "
        f"{counters.jobs / counters.groups:.1f} jobs a group, {counters.commit_seconds / counters.groups * 1e3:.2f} ms "
        f"a commit"
    )
    await queue.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--producers", type=int, default=50)
    parser.add_argument("--octets", type=int, default=10_240)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="uvloop")
    parser.add_argument("--directory", type=Path, default=None, help="where to put the shard; must be a real disk")
    parser.add_argument("--only-accept", action="store_true")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="gatepost-queue-", dir=arguments.directory))
    profile = cProfile.Profile()
    try:
        factory = uvloop.new_event_loop if arguments.loop == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            if arguments.profile:
                profile.enable()
            runner.run(measure(arguments, directory))
            profile.disable()
    finally:
        shutil.rmtree(directory)
    if arguments.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
