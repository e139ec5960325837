"""Copies of some of a subuser's mail for an address that its parent watches it by. Pure.

Which messages are copied is drawn from their ids, so that workers need not count together: of many, every n-th on
average. A copy is a message of its own, queued with the original or not at all.
"""

from dataclasses import replace
from hashlib import sha256

from gatepost.mailflow.content import Content
from gatepost.mailflow.options import NO_OPTIONS
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import MessageId
from gatepost.tenancy.accounts.account import Monitor


def is_copied(message_id: MessageId, monitor: Monitor) -> bool:
    """Say whether this message is one of those that are copied."""
    return int.from_bytes(sha256(message_id.encode()).digest()[:8], "big") % monitor.frequency == 0


def copy_of(message: QueuedMessage, monitor: Monitor, *, message_id: MessageId, content: Content) -> QueuedMessage:
    """Return the copy of a message: it says and waits for what that one does, and its events belong to its request."""
    options = message.options or NO_OPTIONS
    return replace(
        message,
        id=message_id,
        content=content,
        envelope=replace(message.envelope, forward_paths=(monitor.mailbox,)),
        options=replace(options, categories=(), custom_args=(), request_id=options.request_id or message.id),
    )
