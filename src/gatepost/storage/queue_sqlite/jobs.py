"""What the event loop asks of the writer thread: one value a call, filled in with its answer.

A job is owned by the loop before it is put and after it is done, and by the writer in between.
"""

from asyncio import Future
from dataclasses import dataclass, field

from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.mailflow.queue.recipient import Lease, Predicate, QueuedMessage, Settlement
from gatepost.mailflow.queue.schedule import DueGroup, ScheduleEnd
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.codec import Row
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS


@dataclass(slots=True, eq=False)
class LeaseRecord:
    """A lease that is written down, in stock or handed out.

    Attributes:
        message_key: The key of its message's row.
        is_marked: It was put on hold after it was written down.
        slot: Where it is noted as in hand (``in_hand``).
    """

    lease: Lease
    message_key: int
    is_marked: bool = False
    slot: int = -1

    @property
    def first_key(self) -> int:
        """The key of its first recipient's row."""
        return self.message_key * MAX_RECIPIENTS + self.lease.recipients[0].position

    def recipient_keys(self) -> list[int]:
        """The keys of its recipients' rows."""
        first = self.message_key * MAX_RECIPIENTS
        return [first + recipient.position for recipient in self.lease.recipients]


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """Attributes: future: resolved when the job's transaction has ended; None if nobody waits."""

    future: "Future[None] | None" = None
    error: Exception | None = None


@dataclass(slots=True, eq=False)
class AcceptJob(Job):
    """Take a message; recipients at ``leased_domains`` are LEASED at once (``records``), the rest QUEUED.

    Attributes:
        encoded: Its row without the key; encoded before the transaction, so that one that cannot be fails alone.
    """

    message: QueuedMessage
    leased_domains: tuple[str, ...]
    encoded: Row = ()
    records: list[LeaseRecord] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class AcceptAllJob(Job):
    """Take several messages or none of them; ``error`` stands for all, those of its parts are not used before."""

    parts: list[AcceptJob]
    record: RequestRecord | None = None


@dataclass(slots=True, eq=False)
class SettleJob(Job):
    """End a lease."""

    record: LeaseRecord
    settlement: Settlement


@dataclass(slots=True, eq=False)
class Order:
    """What to read for one lane, and what was found.

    Attributes:
        keys: Of these recipients, if there are any, whenever they are due; otherwise of all that are due.
        due_at: When the lane's next queued row is due, in milliseconds; None if there is none.
    """

    account_id: AccountId
    domain: str
    leases: int
    recipients: int
    keys: tuple[int, ...] = ()
    records: list[LeaseRecord] = field(default_factory=list)
    due_at: int | None = None


@dataclass(slots=True, eq=False)
class FillJob(Job):
    """Lease what is due, for several lanes. ``set_aside``: messages that could not be read back, and why."""

    orders: list[Order]
    now: int
    set_aside: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class GiveBackJob(Job):
    """Queue again, due now, what was leased and never handed out."""

    records: list[LeaseRecord]
    now: int


@dataclass(slots=True, eq=False)
class SetAsideJob(Job):
    """Take a message whose spooled content is broken out of the queue."""

    record: LeaseRecord
    reason: str
    now: int


@dataclass(slots=True, eq=False)
class Sweep(Job):
    """One stretch of an intervention, from the message with key ``first`` on.

    Attributes:
        next_first: Where the next stretch begins; None if this was the last.
    """

    predicate: Predicate
    now: int
    reason: str = ""
    first: int = 0
    count: int = 0
    next_first: int | None = None


@dataclass(slots=True, eq=False)
class HoldJob(Sweep):
    """``marked``: keys of recipients that were leased."""

    marked: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ReleaseJob(Sweep):
    """``lanes``: which have more queued now; ``unmarked``: keys of leased recipients whose mark was lifted."""

    lanes: list[tuple[AccountId, str]] = field(default_factory=list)
    unmarked: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class RemoveJob(Sweep):
    """Drop what is queued or held."""


@dataclass(slots=True, eq=False)
class PruneJob(Job):
    """Forget events with an id above ``first`` that are older than ``before``."""

    before: int
    first: int = 0
    count: int = 0
    next_first: int | None = None


@dataclass(slots=True, eq=False)
class PruneRequestsJob(Job):
    """Forget requests that were carried out before ``before``."""

    before: int


@dataclass(slots=True, eq=False)
class FindDueJob(Job):
    """Look for what is scheduled and due; ``next_due_at``: when the next is that is not due yet, in milliseconds."""

    now: int
    groups: tuple[DueGroup, ...] = ()
    next_due_at: int | None = None


@dataclass(slots=True, eq=False)
class EndScheduleJob(Job):
    """Queue or drop what of a group is due, some messages at a time.

    Attributes:
        now: When what is queued is due.
        lanes: Which have more queued now.
        has_more: There are more messages to do this to.
    """

    group: DueGroup
    end: ScheduleEnd
    now: int
    count: int = 0
    lanes: list[tuple[AccountId, str]] = field(default_factory=list)
    has_more: bool = False


@dataclass(slots=True, eq=False)
class BarrierJob(Job):
    """Do nothing; it is done when all before it are."""


@dataclass(slots=True, eq=False)
class StopJob(Job):
    """The last one."""
