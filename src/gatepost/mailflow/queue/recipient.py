"""What is queued: a message, its recipients and their states."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gatepost.mailflow.content import Content
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.events.event import Event
from gatepost.mailflow.options import SendingOptions
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox
from gatepost.tenancy.senders.sender_names import SenderNames

HELD_UNTIL_RETURN = "the DNS records of its sender's domain are gone"
"""The one reason that the service takes back by itself: the mail goes on when the records are back."""


class RecipientState(Enum):
    """Where a recipient stands. ``states.py`` holds the legal moves; the first four are live, the rest final."""

    QUEUED = "queued"
    #: An attempt is under way, written down before it began.
    LEASED = "leased"
    HELD = "held"
    #: Its time has not come, or its batch is paused: not tried before.
    SCHEDULED = "scheduled"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    #: Given up because the time for trying ran out.
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """A message we answered for.

    Attributes:
        author: The one checked address of the From field; stored and used, never parsed again.
        envelope: Its ``forward_paths`` are all recipients as accepted; a recipient's position is its index there.
        options: None where the sender said nothing more.
    """

    id: MessageId
    account_id: AccountId
    key_id: KeyId
    author: Mailbox
    envelope: Envelope
    origin: Origin
    content: Content
    accepted_at: datetime
    options: SendingOptions | None = None

    @property
    def due_at(self) -> datetime:
        """When the first attempt is to be made; the time for trying begins there."""
        if self.options is None or self.options.send_at is None:
            return self.accepted_at
        return max(self.accepted_at, self.options.send_at)

    @property
    def is_scheduled(self) -> bool:
        """Whether it is accepted as SCHEDULED: for its time, or for a batch that may be stopped before it begins."""
        return self.options is not None and (bool(self.options.batch_id) or self.due_at > self.accepted_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedRecipient:
    """One recipient of a lease; ``attempts`` counts those begun before this one."""

    position: int
    mailbox: Mailbox
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right and duty to attempt some recipients of one message, all at one destination domain, once."""

    message: QueuedMessage
    domain: str
    recipients: tuple[LeasedRecipient, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientSettlement:
    """What one recipient of a lease becomes.

    Attributes:
        state: QUEUED (again at ``next_attempt_at``), DELIVERED, BOUNCED, DROPPED or EXPIRED.
        event: Stored in the same transaction.
    """

    position: int
    state: RecipientState
    event: Event
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of a lease: exactly one settlement for each of its recipients."""

    lease: Lease
    recipients: tuple[RecipientSettlement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """Which recipients an operator means; all that is given must match, and at least one thing must be given.

    Attributes:
        domain: The destination.
        sender: In whose name the mail is.
        held_for: Why they are held, or will be when their attempt has ended.
    """

    account_id: AccountId | None = None
    key_id: KeyId | None = None
    message_id: MessageId | None = None
    domain: str | None = None
    state: RecipientState | None = None
    sender: SenderNames | None = None
    held_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """One live recipient, as an operator sees it.

    Attributes:
        last_reply: The peer's words at the last attempt; or why there were none; "" before the first.
    """

    message_id: MessageId
    position: int
    account_id: AccountId
    key_id: KeyId
    mailbox: Mailbox
    state: RecipientState
    attempts: int
    accepted_at: datetime
    next_attempt_at: datetime | None
    size_octets: int
    last_reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One account's count of recipients. They balance when ``accepted`` equals the sum of the others."""

    account_id: AccountId
    accepted: int
    delivered: int
    bounced: int
    dropped: int
    expired: int
    queued: int
    held: int

    @property
    def difference(self) -> int:
        """Accepted less everything accounted for; 0 when the books balance."""
        return self.accepted - (self.delivered + self.bounced + self.dropped + self.expired + self.queued + self.held)
