"""The trial: one message through the relay to the inbox, one that must be refused; each finding is a step."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from gatepost.cli.demo.client import Reply, Server, SessionReport, compose, send
from gatepost.cli.demo.inbox.mailbox import StoredMessage
from gatepost.cli.demo.inbox.reading import find_field, read_fields
from gatepost.cli.demo.ledger import Ledger
from gatepost.cli.demo.stage import ACCOUNT_NAME, Stage
from gatepost.cli.demo.story import Step, Story, StoryEnded
from gatepost.cli.demo.zone import RECEIVING_DOMAIN, SENDING_DOMAIN
from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import Books
from gatepost.primitives.clock import Clock
from gatepost.primitives.ids import MessageId
from gatepost.standards.spf import SPFValue
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

AUTHOR: Final = f"ann@{SENDING_DOMAIN}"
RECIPIENT: Final = f"bob@{RECEIVING_DOMAIN}"
FORGED_AUTHOR: Final = "ceo@bank.example"
ALGORITHMS: Final = ("rsa-sha256", "ed25519-sha256")
_WITHIN_SECONDS: Final = 15
_LOOK_EVERY_SECONDS: Final = 0.02
_QUEUED_AS: Final = "queued as "

_TEXT: Final = """\
Hello Bob,

an application sent this message by SMTP with STARTTLS and an API key.
Gatepost checked that its author may send from example.test, stored it
durably, signed it with two DKIM keys and delivered it here.

Ann
"""

T = TypeVar("T")


class Trial:
    """Sends, looks, and tells."""

    def __init__(self, stage: Stage, ledger: Ledger, story: Story, clock: Clock) -> None:
        self._stage = stage
        self._ledger = ledger
        self._story = story
        self._clock = clock
        self._began_at = clock.now()

    async def deliver_one(self) -> None:
        """Send a message and follow it to its end.

        Raises:
            StoryEnded: It went no further; that has been told.
        """
        message_id = f"<{self._stage.control.entropy.draw(8).hex()}@{SENDING_DOMAIN}>"
        report = await self._send(AUTHOR, message_id)
        self._tell_session(report)
        self._tell_author_check(report)
        queue_id = self._tell_acceptance(report)
        arrived = await self._wait_for(lambda: self._find_arrival(message_id), "inbox", "the message did not arrive")
        self._tell_signatures(arrived)
        self._tell_spf(arrived)
        event = await self._wait_for(
            lambda: self._ledger.find_event(queue_id, EventType.DELIVERED), "delivered", "there is no such event"
        )
        self._tell_delivery(event)
        await self._tell_books(after="delivered")

    async def refuse_one(self) -> None:
        """Send a message in a name that the account does not own; it must be refused."""
        report = await self._send(FORGED_AUTHOR, f"<forged@{SENDING_DOMAIN}>")
        self._tell("From", f"{FORGED_AUTHOR}, with the same key over the same kind of session", at=report.began_at)
        self._tell("refused", str(report.outcome), is_done=report.outcome.code == 550, at=report.outcome.at)
        await self._tell_books(after="unchanged")

    async def _send(self, author: str, message_id: str) -> SessionReport:
        stage = self._stage
        server = Server(port=stage.ports["submission"], ca_file=stage.paths.ca, key=stage.sender.key)
        message = compose(
            author=f"Ann Example <{author}>",
            recipient=RECIPIENT,
            subject="Your first message through Gatepost",
            message_id=message_id,
            text=_TEXT,
        )
        self._began_at = self._clock.now()
        try:
            return await asyncio.to_thread(send, server, message, mail_from=AUTHOR, clock=self._clock)
        except OSError as error:
            self._fail("session", str(error) or type(error).__name__)
            raise StoryEnded("session") from error

    # ------------------------------------------------------------ findings

    def _tell_session(self, report: SessionReport) -> None:
        port = self._stage.ports["submission"]
        self._tell("connected", f"Python smtplib to localhost:{port}: {report.greeting}", at=report.greeting.at)
        self._tell("TLS", f"{report.tls}; STARTTLS, certificate verified", at=report.tls_at)
        self._tell("AUTH", f"{report.authentication} (key {self._stage.sender.key_id})", at=report.authentication.at)

    def _tell_author_check(self, report: SessionReport) -> None:
        domain = VerifiedDomains(self._stage.control.domains, PublicSuffixes()).find_deciding(SENDING_DOMAIN)
        is_allowed = domain is not None and report.outcome.code == 250
        words = f"{AUTHOR} may send: account {ACCOUNT_NAME} has verified {domain.name}" if domain else "no such domain"
        self._tell("author check", words if is_allowed else str(report.outcome), is_done=is_allowed)

    def _tell_acceptance(self, report: SessionReport) -> MessageId:
        outcome: Reply = report.outcome
        _, found, queue_id = outcome.text.partition(_QUEUED_AS)
        self._tell("accepted", str(outcome), is_done=bool(found), at=outcome.at)
        if not found:
            raise StoryEnded("accepted")
        event = self._ledger.find_event(MessageId(queue_id), EventType.PROCESSED)
        words = f"queue id {queue_id}, on disk before the 250 was said"
        self._tell("durable", words if event else f"{queue_id} is in no queue", is_done=event is not None)
        return MessageId(queue_id)

    def _tell_signatures(self, arrived: StoredMessage) -> None:
        for algorithm in ALGORITHMS:
            found = [each for each in arrived.verdict.dkim if each.algorithm == algorithm]
            words = [f"receiver: {each.result}, {each.reason}; selector {each.selector}" for each in found]
            is_done = len(found) == 1 and found[0].is_pass and found[0].domain == SENDING_DOMAIN
            name = f"DKIM {algorithm.partition('-')[0]}"
            self._tell(name, "; ".join(words) or "not signed", is_done=is_done, at=arrived.delivery.at)

    def _tell_spf(self, arrived: StoredMessage) -> None:
        verdict, delivery = arrived.verdict, arrived.delivery
        words = verdict.spf_problem or f"{delivery.peer_address} may send for {SENDING_DOMAIN}"
        is_done = verdict.spf == SPFValue.PASS.value
        self._tell("SPF", f"receiver: {verdict.spf}, {words}", is_done=is_done, at=delivery.at)

    def _tell_delivery(self, event: Event) -> None:
        detail = event.detail
        words = f"{detail.get('peer', 'the peer')} said: {detail.get('reply', '')}"
        self._tell("delivered", words, at=event.at)
        self._tell("TLS to the MX", detail.get("tls", "") or "none", is_done=bool(detail.get("tls")), at=event.at)

    async def _tell_books(self, *, after: str) -> None:
        books = await self._wait_for(self._find_settled_books, "books", "they do not balance, or nothing is in them")
        self._tell("books", f"{format_books(books)} ({after})", is_done=books.delivered == 1)

    # ------------------------------------------------------------ looking

    def _find_arrival(self, message_id: str) -> StoredMessage | None:
        return next(
            (
                message
                for message in self._stage.inbox.mailbox.list_newest()
                if find_field(read_fields(message.head), "message-id") == message_id
            ),
            None,
        )

    def _find_settled_books(self) -> Books | None:
        books = self._ledger.read_books(self._stage.sender.account_id)
        return books if books is not None and books.accepted == 1 and not books.difference else None

    async def _wait_for(self, find: Callable[[], T | None], title: str, otherwise: str) -> T:
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                while (found := find()) is None:  # noqa: ASYNC110 - another process writes what is looked for
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
                return found
        except TimeoutError as error:
            self._fail(title, f"{otherwise} within {_WITHIN_SECONDS} s")
            raise StoryEnded(title) from error

    # ------------------------------------------------------------ telling

    def _tell(self, title: str, detail: str, *, is_done: bool = True, at: datetime | None = None) -> None:
        took = None if at is None else at - self._began_at
        hint = "" if is_done else self._hint
        self._story.tell(
            Step(title=title, detail=detail, is_done=is_done, took=took, is_offset=True, hint=hint),
        )

    def _fail(self, title: str, detail: str) -> None:
        self._tell(title, detail, is_done=False)

    @property
    def _hint(self) -> str:
        return f"the relay's log may say why: {self._stage.paths.log}"


def format_books(books: Books) -> str:
    """Write an account's books as the equation they are."""
    return (
        f"accepted {books.accepted} = delivered {books.delivered} + bounced {books.bounced} + dropped {books.dropped} "
        f"+ expired {books.expired} + queued {books.queued} + held {books.held}"
    )
