"""What a sender says of a message beside envelope and content; it stays with the message, and its events carry it."""

from dataclasses import dataclass
from datetime import datetime

from gatepost.primitives.ids import MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingOptions:
    """The options of one message. A message with none of them has no such value at all.

    Attributes:
        categories: Names under which its events are counted.
        is_single_category: The one category was given as a text, not as a list; events say it the same way.
        custom_args: Names and texts of the sender's own, for its events.
        send_at: No attempt is to be made before; None for at once.
        batch_id: Of the batch that can be paused or cancelled as one; "" for none.
        bypasses: Suppression lists that are not to be asked: "list", "spam", "bounce", "unsubscribe".
        tracking: The tracking settings as given, a JSON object; "" for none.
        request_id: What the client was told for all messages of its request; None where that is this message's own id.
    """

    categories: tuple[str, ...] = ()
    is_single_category: bool = False
    custom_args: tuple[tuple[str, str], ...] = ()
    send_at: datetime | None = None
    batch_id: str = ""
    bypasses: tuple[str, ...] = ()
    tracking: str = ""
    request_id: MessageId | None = None


NO_OPTIONS = SendingOptions()
"""Equal to what says nothing."""
