"""The event types and their fields."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from gatepost.mailflow.options import SendingOptions
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox


class EventType(Enum):
    """The names are those of the dialect's event webhook, and a few of our own."""

    #: The message was accepted and is durable.
    PROCESSED = "processed"
    #: An attempt failed for now; it will be tried again.
    DEFERRED = "deferred"
    #: A receiving server took responsibility.
    DELIVERED = "delivered"
    #: A receiving server refused for good, or the time for trying ran out.
    BOUNCE = "bounce"
    #: We will not try: removed by an operator, or set aside as unreadable.
    DROPPED = "dropped"
    #: Held: not tried until released.
    HELD = "held"
    #: Released after a hold.
    RELEASED = "released"
    #: A process ended while an attempt was under way, which may therefore have succeeded unseen; tried again.
    INTERRUPTED = "interrupted"


TIME_RAN_OUT: Final = "time for trying ran out"
"""Begins the ``reason`` of a ``bounce`` that no server's refusal led to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one recipient of one message.

    Attributes:
        detail: What more there is to say, as short text by field name: ``reply`` (the peer's words), ``peer``,
            ``tls``, ``attempt``, ``reason``, ``next_attempt_at``.
        options: Those of the message; known where events are read, not needed where they are written.
    """

    type: EventType
    at: datetime
    account_id: AccountId
    key_id: KeyId
    message_id: MessageId
    recipient: Mailbox
    detail: dict[str, str] = field(default_factory=dict)
    options: SendingOptions | None = None
