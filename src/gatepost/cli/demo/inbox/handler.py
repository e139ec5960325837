"""Session events → a stored message with its verdict: what the inbox does where a submission session decides rights."""

import asyncio
from typing import assert_never

from gatepost.cli.demo.inbox.mailbox import Mailbox, StoredMessage
from gatepost.cli.demo.inbox.verdict import Checks, Delivery
from gatepost.entrypoints.smtp.ports import YES, Answer, Deciding, SessionView
from gatepost.primitives.clock import Clock
from gatepost.standards.address import Mailbox as Address
from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    ContentReceived,
    CredentialOffered,
    RecipientOffered,
    ServerEvent,
    SessionEnded,
    TLSRequested,
    TransactionAborted,
    TransactionOffered,
)
from gatepost.standards.smtp.replies import Reply


class InboxHandler:
    """Takes everything, for everybody; a ``SessionHandler``. The size of a content is bounded by the session."""

    def __init__(self, view: SessionView, *, mailbox: Mailbox, checks: Checks, clock: Clock) -> None:
        self._view = view
        self._mailbox = mailbox
        self._checks = checks
        self._clock = clock
        self._sender: Address | None = None
        self._recipients: list[Address] = []
        self._content = bytearray()

    def handle(self, event: ServerEvent) -> Answer | Deciding | None:
        """Take note; store the message at its end."""
        match event:
            case ContentReceived():
                self._content += event.octets
                return None
            case TransactionOffered():
                self.close()
                self._sender = event.reverse_path
                return YES
            case RecipientOffered():
                self._recipients.append(event.forward_path)
                return YES
            case ContentOffered():
                return YES
            case ContentEnded():
                return self._store()
            case CredentialOffered():  # never: the session does not take AUTH
                return Answer(Reply(502, "5.5.1", "AUTH is not offered here"))
            case TransactionAborted() | SessionEnded():
                self.close()
                return None
            case TLSRequested():
                return None
            case _:
                assert_never(event)

    def close(self) -> None:
        """Forget what was collected."""
        self._sender, self._recipients, self._content = None, [], bytearray()

    def _store(self) -> Deciding:
        delivery = Delivery(
            at=self._clock.now(),
            peer_address=str(self._view.peer_address),
            greeting=self._view.greeting,
            tls=self._view.tls,
            mail_from="" if self._sender is None else str(self._sender),
            recipients=tuple(map(str, self._recipients)),
        )
        sender, octets = self._sender, bytes(self._content)
        self.close()
        return self._check_and_store(octets, delivery, sender)

    async def _check_and_store(self, octets: bytes, delivery: Delivery, sender: Address | None) -> Answer:
        verdict = await self._checks(octets, delivery, sender)
        number = self._mailbox.take_number()
        try:
            stored: StoredMessage = await asyncio.to_thread(self._mailbox.write, number, octets, delivery, verdict)
        except OSError:
            return Answer(Reply(452, "4.3.1", "The inbox has no room on its disk; try again later"))
        self._mailbox.show(stored)
        return Answer(Reply(250, "2.0.0", f"Ok: message {number} of the inbox"))
