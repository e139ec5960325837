"""Every engine of the Queue port, on a temporary directory, with a clock that stands still."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from gatepost.mailflow.content import Content, MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.queue.ports import StoreUnavailable
from gatepost.mailflow.queue.recipient import (
    Books,
    Lease,
    Predicate,
    QueuedMessage,
    RecipientSettlement,
    RecipientState,
    Settlement,
)
from gatepost.primitives.ids import AccountId, KeyId, new_message_id
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.lanes import StockLimits
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.entropy import SystemEntropy

ALICE, BOB = AccountId("acc_alice"), AccountId("acc_bob")
AUTHOR = Mailbox(local_part="news", domain="example.com")
LONGEST_DELAY = timedelta(hours=5)

EVENT_OF = {
    RecipientState.QUEUED: EventType.DEFERRED,
    RecipientState.DELIVERED: EventType.DELIVERED,
    RecipientState.BOUNCED: EventType.BOUNCE,
    RecipientState.DROPPED: EventType.DROPPED,
    RecipientState.EXPIRED: EventType.BOUNCE,
}


@dataclass
class StillClock:
    """Implements Clock; moves only when told."""

    instant: datetime = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, by: timedelta) -> None:
        self.instant += by


def plenty(_: str) -> int:
    return 1000


@dataclass
class Rig:
    """One queue at a time over one directory, and what a test needs to drive and to inspect it."""

    directory: Path
    number: int = 0
    clock: StillClock = field(default_factory=StillClock)
    entropy: SystemEntropy = field(default_factory=SystemEntropy)
    reports: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    stock: StockLimits = field(default_factory=StockLimits)
    ballast_octets: int = 0
    queue: SQLiteQueue = field(init=False)

    @property
    def database(self) -> Path:
        return self.directory / f"shard-{self.number}.db"

    async def start(self) -> SQLiteQueue:
        self.queue = await SQLiteQueue.open(
            self.directory,
            self.number,
            clock=self.clock,
            entropy=self.entropy,
            settings=QueueSettings(longest_delay=LONGEST_DELAY, stock=self.stock, ballast_octets=self.ballast_octets),
            report=lambda event, fields: self.reports.append((event, dict(fields))),
        )
        return self.queue

    async def restart(self) -> SQLiteQueue:
        await self.queue.close()
        return await self.start()

    def message(
        self,
        *to: str,
        account: AccountId = ALICE,
        key: str = "key-1",
        content: Content | bytes = b"Subject: hi\r\n\r\nhello\r\n",
        options: SendingOptions | None = None,
    ) -> QueuedMessage:
        paths = [path.split("@") for path in to or ("a@x.example",)]
        return QueuedMessage(
            id=new_message_id(self.clock.now(), self.entropy),
            account_id=account,
            key_id=KeyId(key),
            author=AUTHOR,
            envelope=Envelope(
                reverse_path=AUTHOR,
                forward_paths=tuple(Mailbox(local_part=local_part, domain=domain) for local_part, domain in paths),
            ),
            origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1", greeting="client", tls="TLSv1.3"),
            content=MemoryContent(content) if isinstance(content, bytes) else content,
            accepted_at=self.clock.now(),
            options=options,
        )

    async def accept(self, *to: str, **more: object) -> QueuedMessage:
        message = self.message(*to, **more)  # type: ignore[arg-type] # passed through as given
        await self.queue.accept(message)
        return message

    async def accept_until_refused(self, content: bytes) -> tuple[int, StoreUnavailable]:
        """Return how many messages were taken, and why the next was not."""
        for accepted in range(1000):
            try:
                await self.accept("a@x.example", content=content)
            except StoreUnavailable as error:
                return accepted, error
        raise AssertionError("the store takes everything")

    async def lease(self, limit: int = 100, room: Callable[[str], int] = plenty) -> list[Lease]:
        async with asyncio.timeout(10):
            return await self.queue.lease(limit=limit, room=room)

    async def lease_recipients(self, count: int, room: Callable[[str], int] = plenty) -> list[Lease]:
        """Lease until so many recipients have been handed out."""
        leases: list[Lease] = []
        async with asyncio.timeout(10):
            while sum(len(lease.recipients) for lease in leases) < count:
                leases += await self.lease(room=room)
        return leases

    def settlement(
        self, lease: Lease, *states: RecipientState, again_after: timedelta = timedelta(minutes=1), reply: str = "words"
    ) -> Settlement:
        states = states * len(lease.recipients) if len(states) == 1 else states
        return Settlement(
            lease=lease,
            recipients=tuple(
                RecipientSettlement(
                    position=recipient.position,
                    state=state,
                    event=Event(
                        type=EVENT_OF[state],
                        at=self.clock.now(),
                        account_id=lease.message.account_id,
                        key_id=lease.message.key_id,
                        message_id=lease.message.id,
                        recipient=recipient.mailbox,
                        detail={"reply": reply},
                    ),
                    next_attempt_at=self.clock.now() + again_after if state is RecipientState.QUEUED else None,
                )
                for recipient, state in zip(lease.recipients, states, strict=True)
            ),
        )

    async def settle(self, lease: Lease, *states: RecipientState, **more: object) -> None:
        await self.queue.settle(self.settlement(lease, *states, **more))  # type: ignore[arg-type] # as above

    @property
    def reader(self) -> "_Reading":
        return _Reading(self.database)

    def books(self, account: AccountId = ALICE) -> Books:
        with self.reader as reader:
            return next(
                (one for one in reader.read_books() if one.account_id == account),
                Books(account_id=account, accepted=0, delivered=0, bounced=0, dropped=0, expired=0, queued=0, held=0),
            )

    def states(self, predicate: Predicate | None = None) -> dict[str, RecipientState]:
        with self.reader as reader:
            rows = reader.list_recipients(predicate or Predicate(), limit=10_000)
        return {f"{row.mailbox.local_part}@{row.mailbox.domain}": row.state for row in rows}

    def story(self, message: QueuedMessage) -> list[str]:
        return [event.type.value for event in self.events(message)]

    def events(self, message: QueuedMessage) -> list[Event]:
        with self.reader as reader:
            report = reader.find_message(message.id)
        return list(report.events) if report else []


class _Reading:
    def __init__(self, path: Path) -> None:
        self._reader = QueueReader(path)

    def __enter__(self) -> QueueReader:
        return self._reader

    def __exit__(self, *_: object) -> None:
        self._reader.close()


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_rig(engine: str, tmp_path: Path) -> Callable[[], Rig]:
    """Rigs that are not started, each in a directory of its own."""
    numbers = count()
    return lambda: Rig(directory=tmp_path / f"queue-{next(numbers)}")


@pytest.fixture
async def rig(make_rig: Callable[[], Rig]) -> AsyncIterator[Rig]:
    rig = make_rig()
    await rig.start()
    yield rig
    await rig.queue.close()
