from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox

MakeMessage = Callable[..., QueuedMessage]


@pytest.fixture
def make_message() -> MakeMessage:
    """``make_message(content, recipients=…, origin=…)``."""

    def make(
        content: bytes = b"From: a@example.com\r\n\r\nbody\r\n",
        *,
        recipients: tuple[str, ...] = ("r@x.test",),
        origin: Origin | None = None,
        message_id: str = "M" * 22,
    ) -> QueuedMessage:
        paths = tuple(Mailbox(local_part=r.split("@")[0], domain=r.split("@")[1]) for r in recipients)
        author = Mailbox(local_part="a", domain="example.com")
        return QueuedMessage(
            id=MessageId(message_id),
            account_id=AccountId("acc_1"),
            key_id=KeyId("key"),
            author=author,
            envelope=Envelope(reverse_path=author, forward_paths=paths),
            origin=origin or Origin(protocol="ESMTPSA", peer_address="192.0.2.7", greeting="app.example.com"),
            content=MemoryContent(content),
            accepted_at=datetime(2026, 11, 23, 9, 5, 7, tzinfo=UTC),
        )

    return make
