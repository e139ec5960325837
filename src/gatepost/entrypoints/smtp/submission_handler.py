"""Session events → access, senders, submission → decisions: what a mail submission agent says to whom (RFC 6409).

No mail without AUTH. The right behind a session is looked up anew at every MAIL, and once more by the one door just
before a message is queued: a session whose right is gone hears 535 and is closed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, assert_never, cast

from gatepost.entrypoints.smtp import reply_texts
from gatepost.entrypoints.smtp.content_buffer import ContentBuffer, MemoryBudget
from gatepost.entrypoints.smtp.ports import YES, Answer, Deciding, SessionView
from gatepost.entrypoints.smtp.session_caps import PeerAddress
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.submission.policy import SubmissionDenial, decide_allowed_recipient
from gatepost.mailflow.submission.ports import ContentSpool
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Decision, Deny
from gatepost.primitives.errors import Permanent, Transient
from gatepost.primitives.ids import MessageId
from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.events import (
    BodyType,
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
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.authenticate import Refusal
from gatepost.tenancy.access.budget import BudgetDenial
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.access.sending_rate import LimitDenial
from gatepost.tenancy.access.tab import Tab

log = get_logger()


class Access(Protocol):
    """Who may send."""

    def authenticate(
        self, username: str, password: Secret[bytes], peer: PeerAddress, *, client: str
    ) -> Principal | Deny:
        """Check a credential offered from an address; microseconds. ``client`` is what it says of itself."""
        ...

    def recheck(self, principal: Principal, peer: PeerAddress, *, method: AuthMethod) -> Principal | Deny:
        """Look the right up anew, and count it as an attempt; microseconds."""
        ...


class Rate(Protocol):
    """How much may be sent in a time."""

    def take(
        self, principal: Principal, peer: PeerAddress, now: datetime, *, messages: int = 0, recipients: int = 0
    ) -> Decision:
        """Count so much, or say when to come again; microseconds."""
        ...


class Door(Protocol):
    """The one door every message goes through."""

    async def accept(self, submission: Submission) -> MessageId | Deny:
        """Refuse, or make durable.

        Raises:
            Transient: It could not be stored now.
            Permanent: It can never be stored.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionServices:
    """What all submission sessions of a process share.

    Attributes:
        decide_reverse_path: Whether the principal may use that reverse-path (None: the null one): no, said early.
        decide_recipient: Whether mail could go there at all.
        open_tab: Finds out what a principal with budgets may still offer.
        has_room: Whether the store has room for new mail; asked early, so that nobody sends content in vain.
        spool_threshold_octets: Longer contents go to the spool while they arrive.
    """

    access: Access
    door: Door
    rate: Rate
    clock: Clock
    decide_reverse_path: Callable[[Principal, Mailbox | None], Decision]
    decide_recipient: Callable[[Mailbox], Decision]
    open_tab: Callable[[Principal], Awaitable[Tab]]
    metrics: Metrics
    spool: ContentSpool
    budget: MemoryBudget
    spool_threshold_octets: int
    has_room: Callable[[], bool] = lambda: True

    def open_handler(self, view: SessionView) -> "SubmissionHandler":
        """Make the handler of a new session."""
        return SubmissionHandler(self, view)


class SubmissionHandler:
    """Decides for one submission session; a ``SessionHandler``."""

    __slots__ = (
        "_buffer",
        "_forward_paths",
        "_is_accepting",
        "_offer",
        "_peer",
        "_principal",
        "_services",
        "_tab",
        "_view",
    )

    def __init__(self, services: SubmissionServices, view: SessionView) -> None:
        self._services = services
        self._view = view
        self._peer = str(view.peer_address)
        self._principal: Principal | None = None
        self._offer: TransactionOffered | None = None
        self._forward_paths: list[Mailbox] = []
        self._tab: Tab | None = None
        self._buffer: ContentBuffer | None = None
        self._is_accepting = False

    def handle(self, event: ServerEvent) -> Answer | Deciding | None:
        """Decide on an event; the end of data is decided by a coroutine."""
        match event:
            case ContentReceived():
                cast("ContentBuffer", self._buffer).add(event.octets)
                return None
            case RecipientOffered():
                return self._take_recipient(event)
            case TransactionOffered():
                return self._begin_transaction(event)
            case ContentOffered():
                return self._begin_content()
            case ContentEnded():
                return self._end_content()
            case CredentialOffered():
                return self._authenticate(event)
            case TransactionAborted() | SessionEnded():
                self.close()
                return None
            case TLSRequested():
                # Whatever was said in the clear is forgotten (RFC 3207 §4.2); the pump does the handshake.
                return None
            case _:
                assert_never(event)

    def close(self) -> None:
        """Let go of what was collected; a message being accepted is let through."""
        if not self._is_accepting:
            self._forget()

    def _authenticate(self, offer: CredentialOffered) -> Answer | Deciding:
        peer, metrics = self._view.peer_address, self._services.metrics
        try:
            found = self._services.access.authenticate(
                offer.username, offer.password, peer, client=f"EHLO {self._view.greeting} {self._view.tls}"
            )
        except Transient as trouble:
            metrics.authentications.add("deferred")
            log.warning("authentication_deferred", peer=self._peer, reason=str(trouble))
            return Answer(reply_texts.CANNOT_AUTHENTICATE, closes=True)
        if isinstance(found, Deny):
            metrics.authentications.add(found.reason.value)
            answer = self._refuse("authentication_refused", found)
            delay = found.delay.total_seconds() if isinstance(found, Refusal) else 0
            return _keep_back(answer, delay) if delay else answer
        metrics.authentications.add("accepted")
        log.debug("authenticated", peer=self._peer, key_id=found.key_id, mechanism=offer.mechanism)
        self._principal = found
        return YES

    def _begin_transaction(self, offer: TransactionOffered) -> Answer | Deciding:
        if not self._services.has_room():
            return self._defer(StoreUnavailable(StoreTrouble.NO_ROOM, "less is free than is kept for delivery"))
        try:
            principal = self._services.access.recheck(
                self._authenticated, self._view.peer_address, method=AuthMethod.SMTP
            )
            if isinstance(principal, Deny):
                return self._refuse("right_gone", principal)
            decision = self._services.decide_reverse_path(principal, offer.reverse_path) and self._take_of_limits(
                principal, messages=1
            )
        except Transient as trouble:
            return self._defer(trouble)
        if isinstance(decision, Deny):
            return self._refuse("submission_refused", decision)
        self._principal = principal
        self._offer = offer
        self._forward_paths = []
        self._tab = None
        return self._open_tab(principal) if principal.purses else YES

    async def _open_tab(self, principal: Principal) -> Answer:
        """Find out what the key's budgets leave, before the client sends anything."""
        try:
            self._tab = await self._services.open_tab(principal)
        except Transient as trouble:
            return self._defer(trouble)
        return self._answer(self._tab.decide_message())

    def _take_recipient(self, offer: RecipientOffered) -> Answer | Deciding:
        recipient = offer.forward_path
        decision: Decision | None = self._services.decide_recipient(recipient)
        if decision:
            decision = decide_allowed_recipient(self._authenticated, recipient)
        if decision:
            decision = self._take_of_limits(self._authenticated, recipients=1)
        if decision and self._tab is not None:
            decision = self._tab.decide_recipient(recipient)
            if decision is None:
                return self._ask_recipient(self._tab, recipient)
        return self._take_if(decision, recipient)

    async def _ask_recipient(self, tab: Tab, recipient: Mailbox) -> Answer:
        try:
            return self._take_if(await tab.ask_recipient(recipient), recipient)
        except Transient as trouble:
            return self._defer(trouble)

    def _take_if(self, decision: Decision | None, recipient: Mailbox) -> Answer:
        if decision:
            self._forward_paths.append(recipient)
        return self._answer(decision)

    def _answer(self, decision: Decision | None) -> Answer:
        return self._refuse("submission_refused", decision) if isinstance(decision, Deny) else YES

    def _take_of_limits(self, principal: Principal, *, messages: int = 0, recipients: int = 0) -> Decision:
        # Counted when offered: what is refused later, or given up, has cost us the same.
        services = self._services
        return services.rate.take(
            principal, self._view.peer_address, services.clock.now(), messages=messages, recipients=recipients
        )

    def _begin_content(self) -> Answer:
        services, threshold = self._services, self._services.spool_threshold_octets
        size = cast("TransactionOffered", self._offer).size_octets
        if not services.budget.has_room(threshold if size is None else min(size, threshold)):
            log.warning("content_refused", peer=self._peer, reason="memory budget used up")
            return Answer(reply_texts.NO_ROOM)
        self._buffer = ContentBuffer(budget=services.budget, spool=services.spool, threshold_octets=threshold)
        return YES

    def _end_content(self) -> Answer | Deciding:
        buffer = cast("ContentBuffer", self._buffer)
        try:
            submission = self._submission(buffer)
        except Transient as trouble:
            self._forget()
            return self._defer(trouble)
        self._is_accepting = True
        return self._accept(submission)

    async def _accept(self, submission: Submission) -> Answer:
        """Hand the message to the one door; the answer leaves only after it is durable."""
        now = asyncio.get_running_loop().time
        began_at = now()
        try:
            outcome = await self._services.door.accept(submission)
        except (Transient, Permanent) as trouble:
            return self._defer(trouble)
        finally:
            self._is_accepting = False
            self._forget()
        if isinstance(outcome, Deny):
            return self._refuse("submission_refused", outcome)
        self._services.metrics.accept_seconds.observe(now() - began_at)
        self._count_accepted(submission, outcome)
        return Answer(reply_texts.queued(outcome))

    def _count_accepted(self, submission: Submission, message_id: MessageId) -> None:
        metrics, envelope, size = self._services.metrics, submission.envelope, submission.content.size_octets
        metrics.submissions.add("accepted", "")
        metrics.recipients_accepted.add(amount=len(envelope.forward_paths))
        metrics.content_octets.add(amount=size)
        log.info(
            "submission_accepted",
            message_id=message_id,
            account_id=submission.principal.account_id,
            key_id=submission.principal.key_id,
            peer=submission.origin.peer_address,
            recipients=len(envelope.forward_paths),
            size_octets=size,
        )

    def _defer(self, trouble: Transient | Permanent) -> Answer:
        reply = reply_texts.reply_to_trouble(trouble)
        self._services.metrics.submissions.add("deferred" if reply.is_transient else "refused", "store")
        log.warning("submission_not_stored", key_id=self._authenticated.key_id, reason=str(trouble))
        return Answer(reply)

    def _submission(self, buffer: ContentBuffer) -> Submission:
        offer, view = cast("TransactionOffered", self._offer), self._view
        return Submission(
            principal=self._authenticated,
            envelope=Envelope(
                reverse_path=offer.reverse_path,
                forward_paths=tuple(self._forward_paths),
                needs_8bitmime=offer.body is BodyType.EIGHT_BIT_MIME,
                needs_smtputf8=offer.smtputf8,
            ),
            content=buffer.finish(),
            origin=Origin(
                # RFC 3848, RFC 6531 §4.3: AUTH is certain here, and AUTH is taken under TLS only.
                protocol="UTF8SMTPSA" if offer.smtputf8 else "ESMTPSA",
                peer_address=self._peer,
                greeting=view.greeting,
                tls=view.tls,
            ),
        )

    def _refuse(self, happening: str, denial: Deny) -> Answer:
        """Put a refusal into words; one of access ends the session (the dialect), as does any 421."""
        reply = reply_texts.reply_to_denial(denial)
        if isinstance(denial.reason, SubmissionDenial | LimitDenial | BudgetDenial):
            outcome = "refused" if isinstance(denial.reason, SubmissionDenial) else "deferred"
            self._services.metrics.submissions.add(outcome, denial.reason.value)
        log.info(
            happening,
            peer=self._peer,
            key_id=self._principal.key_id if self._principal is not None else "",
            reason=denial.reason.value,
        )
        return Answer(reply, closes=isinstance(denial.reason, AccessDenial) or reply.code == 421)

    @property
    def _authenticated(self) -> Principal:
        # The session lets no transaction begin without an accepted credential; should it ever, nothing is sent.
        if self._principal is None:
            raise RuntimeError("a transaction without a principal")
        return self._principal

    def _forget(self) -> None:
        self._offer = None
        self._forward_paths = []
        if self._buffer is not None:
            self._buffer.discard()
            self._buffer = None


async def _keep_back(answer: Answer, seconds: float) -> Answer:
    """Answer later: it makes guessing slow, and costs us a timer."""
    await asyncio.sleep(seconds)
    return answer
