"""Accepts, leases and settles as fast as it can until it is killed; says on stdout what has been acknowledged.

Run by ``test_queue_crash.py``: ``python accept_until_killed.py DIRECTORY``. Each line is ``accepted ID`` or
``settled ID``, written after the call has returned.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import QueuedMessage, RecipientSettlement, RecipientState, Settlement
from gatepost.primitives.ids import AccountId, KeyId, new_message_id
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy

AUTHOR = Mailbox(local_part="news", domain="example.com")
ENTROPY = SystemEntropy()


def say(word: str, message_id: str) -> None:
    os.write(1, f"{word} {message_id}\n".encode())


async def accept(queue: SQLiteQueue) -> None:
    while True:
        now = datetime.now(UTC)
        if ENTROPY.draw(1)[0] % 8 == 0:
            writer = queue.spool.open()
            writer.write(b"Subject: large\r\n\r\n" + b"x" * 50_000)
            content = writer.finish()
        else:
            content = MemoryContent(b"Subject: small\r\n\r\n" + ENTROPY.draw(2000))
        message = QueuedMessage(
            id=new_message_id(now, ENTROPY),
            account_id=AccountId("acc_alice"),
            key_id=KeyId("key"),
            author=AUTHOR,
            envelope=Envelope(
                reverse_path=AUTHOR,
                forward_paths=(
                    Mailbox(local_part="a", domain="x.example"),
                    Mailbox(local_part="b", domain="y.example"),
                ),
            ),
            origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1"),
            content=content,
            accepted_at=now,
        )
        await queue.accept(message)
        say("accepted", message.id)


async def settle(queue: SQLiteQueue) -> None:
    while True:
        for lease in await queue.lease(limit=10, room=lambda _: 10):
            message, (recipient,) = lease.message, lease.recipients
            event = Event(
                type=EventType.DELIVERED,
                at=datetime.now(UTC),
                account_id=message.account_id,
                key_id=message.key_id,
                message_id=message.id,
                recipient=recipient.mailbox,
            )
            settled = RecipientSettlement(position=recipient.position, state=RecipientState.DELIVERED, event=event)
            await queue.settle(Settlement(lease=lease, recipients=(settled,)))
            say("settled", f"{message.id}/{recipient.position}")


async def main() -> None:
    queue = await SQLiteQueue.open(
        Path(sys.argv[1]),
        0,
        clock=SystemClock(),
        entropy=ENTROPY,
        settings=QueueSettings(longest_delay=timedelta(hours=5)),
        report=lambda *_: None,
    )
    say("ready", "-")
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(accept(queue))
        group.create_task(settle(queue))


asyncio.run(main())
