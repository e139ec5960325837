"""The one door: whatever way a message came in, here it is refused, or made durable and answered for."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from gatepost.mailflow.content import Content, MemoryContent
from gatepost.mailflow.options import NO_OPTIONS, SendingOptions
from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.mailflow.queue.ports import Queue, StoreTrouble, StoreUnavailable
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.mailflow.submission.mailing import BadInstructions, Mailing, write_all
from gatepost.mailflow.submission.monitoring import copy_of, is_copied
from gatepost.mailflow.submission.policy import Identity, SubmissionDenial, decide_identity, decide_recipient, examine
from gatepost.mailflow.submission.ports import Budgets, Credits, CurrentRights, SendingAllowance
from gatepost.mailflow.submission.smtpapi import NO_INSTRUCTIONS
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Permanent, Transient
from gatepost.primitives.ids import AccountId, MessageId, new_message_id
from gatepost.standards.dns.names import normalize
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.accounts.account import Monitor
from gatepost.tenancy.senders.alignment import VerifiedDomains

_read_address = lru_cache(maxsize=4096)(ip_address)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAt:
    """Why none of several messages was taken: the first that may not be, by its place among them."""

    position: int
    denial: Deny


_NO_BATCH: Final = Deny(SubmissionDenial.X_SMTPAPI, "batch_id is no valid batch id of the account")
_EXCEEDED: Final = Deny(AccessDenial.CREDITS_EXCEEDED)


class _Judged(NamedTuple):
    """A message that may be queued, once it has been paid for where that is asked."""

    message: QueuedMessage
    is_metered: bool
    monitor: Monitor | None = None


class Acceptance:
    """Takes submissions for SMTP, HTTP and the relay itself."""

    def __init__(
        self,
        *,
        queue: Queue,
        rights: CurrentRights,
        meter: Credits,
        domains: VerifiedDomains,
        budgets: Budgets,
        clock: Clock,
        entropy: Entropy,
        own_host_names: Collection[str] = (),
        is_batch: Callable[[AccountId, str, datetime], bool] = lambda _account, _batch, _now: False,
        has_room: Callable[[], bool] = lambda: True,
        rate: SendingAllowance | None = None,
    ) -> None:
        """Take mail for this queue.

        Args:
            queue: Where it goes.
            rights: Who may send, looked up anew for each message.
            meter: Keeps limited accounts to their credits.
            domains: Who may write in whose name.
            clock: Dates acceptances.
            entropy: Makes ids.
            own_host_names: No mail is taken for these.
            has_room: Whether the store has room for new mail, beyond what it keeps free for that which it has.
            is_batch: Whether mail of an account can be put into a batch now.
            rate: Limits what is handed in at once; without it there is no limit.
        """
        self._rate = rate
        self._queue = queue
        self._rights = rights
        self._meter = meter
        self._domains = domains
        self._budgets = budgets
        self._clock = clock
        self._entropy = entropy
        self._is_batch = is_batch
        self._has_room = has_room
        self._own_host_names = frozenset(normalize(name) for name in own_host_names)

    async def accept(self, submission: Submission) -> MessageId | Deny:
        """Take a message or say why not.

        Returns:
            The id under which the message is on stable storage; or a refusal, after which nothing is kept.

        Raises:
            Transient: It could be neither judged nor stored now; nothing is kept, the client is to come again.
        """
        outcome = await self._accept((submission,), None, is_counted=True)
        return outcome.denial if isinstance(outcome, RefusedAt) else outcome[0]

    async def _accept_mailing(
        self, submission: Submission, mailing: Mailing, options: SendingOptions | None
    ) -> tuple[MessageId, ...] | RefusedAt:
        """Take all messages that are to be written from this one, or none.

        Each is judged as if it had come by itself. What the session counted was the original: these count anew.
        """
        if options and not self._is_in_valid_batch(submission.principal, options, self._clock.now()):
            return RefusedAt(position=0, denial=_NO_BATCH)
        try:
            written = await asyncio.to_thread(write_all, submission, mailing, options)
        except BadInstructions as error:
            return RefusedAt(position=0, denial=Deny(SubmissionDenial.X_SMTPAPI, str(error)))
        return await self._accept(written, None, is_counted=False)

    async def accept_all(
        self, submissions: Sequence[Submission], *, token: tuple[str, bytes] | None = None
    ) -> tuple[MessageId, ...] | RefusedAt:
        """Take all of these messages, which are one principal's and whose contents are in memory, or none.

        Args:
            submissions: Of one principal; what their client is told of all of them is the first one's id.
            token: What the client named its request by, and the fingerprint of that: recorded with the messages.

        Returns:
            Their ids, in order; or the first refusal, after which nothing is kept.

        Raises:
            Transient: As ``accept``.
        """
        return await self._accept(submissions, token, is_counted=False)

    async def _accept(
        self, submissions: Sequence[Submission], token: tuple[str, bytes] | None, *, is_counted: bool
    ) -> tuple[MessageId, ...] | RefusedAt:
        self._require_room()
        examined = self._examine_all(submissions)
        if isinstance(examined, RefusedAt):
            return examined
        asked = examined[0].instructions if examined else NO_INSTRUCTIONS
        if asked.mailing is not None:
            return await self._accept_mailing(submissions[0], asked.mailing, asked.options)
        principal = submissions[0].principal
        recipients = [path for submission in submissions for path in submission.envelope.forward_paths]
        charged = await self._budgets.charge(principal, recipients)
        if isinstance(charged, Deny):
            return RefusedAt(position=0, denial=charged)
        try:
            outcome = await self._judge_and_queue(submissions, examined, token, is_counted=is_counted)
        except (Transient, Permanent):
            self._budgets.give_back(charged)
            raise
        if isinstance(outcome, RefusedAt):
            self._budgets.give_back(charged)
        return outcome

    async def _judge_and_queue(
        self,
        submissions: Sequence[Submission],
        examined: Sequence[Identity],
        token: tuple[str, bytes] | None,
        *,
        is_counted: bool,
    ) -> tuple[MessageId, ...] | RefusedAt:
        judged = self._judge_all(submissions, examined)
        if isinstance(judged, RefusedAt):
            return judged
        over_limit = None if is_counted else self._take_of_limits(submissions)
        if over_limit is not None:
            return over_limit
        paid = self._add_copies(judged)
        if not self._spend(paid):
            return RefusedAt(position=0, denial=_EXCEEDED)
        messages = [each.message for each in paid]
        try:
            if len(messages) == 1 and token is None:
                await self._queue.accept(messages[0])
            else:
                await self._queue.accept_all(messages, record=_record(messages[0], token))
        except (Transient, Permanent):
            self._unspend(paid)
            raise
        return tuple([each.message.id for each in judged])

    def _add_copies(self, judged: Sequence[_Judged]) -> Sequence[_Judged]:
        """Put copies for monitors behind the messages; then all contents are in memory, for one transaction."""
        copied = [each for each in judged if each.monitor and is_copied(each.message.id, each.monitor)]
        if not copied:
            return judged
        whole = [
            each._replace(message=replace(each.message, content=_in_memory(each.message.content))) for each in judged
        ]
        contents = {each.message.id: each.message.content for each in whole}
        now = self._clock.now()
        for each in copied:
            assert each.monitor is not None
            message_id = new_message_id(now, self._entropy)
            content = contents[each.message.id]
            whole.append(
                each._replace(message=copy_of(each.message, each.monitor, message_id=message_id, content=content))
            )
        return whole

    def check_all(self, submissions: Sequence[Submission]) -> RefusedAt | None:
        """Say what ``accept_all`` would refuse, budgets left aside; nothing is kept."""
        examined = self._examine_all(submissions)
        if isinstance(examined, RefusedAt):
            return examined
        for position, (submission, identity) in enumerate(zip(submissions, examined, strict=True)):
            principal = self._decide_rights(submission, identity)
            if isinstance(principal, Deny):
                return RefusedAt(position=position, denial=principal)
        return None

    def _take_of_limits(self, submissions: Sequence[Submission]) -> RefusedAt | None:
        """Count messages that came all at once; a session's are counted as they are offered, command by command."""
        if self._rate is None or not submissions:
            return None
        first = submissions[0]
        decision = self._rate.take(
            first.principal,
            ip_address(first.origin.peer_address),
            self._clock.now(),
            messages=len(submissions),
            recipients=sum([len(each.envelope.forward_paths) for each in submissions]),
        )
        return RefusedAt(position=0, denial=decision) if isinstance(decision, Deny) else None

    def _require_room(self) -> None:
        if not self._has_room():
            raise StoreUnavailable(StoreTrouble.NO_ROOM, "less is free than is kept for delivery")

    def _examine_all(self, submissions: Sequence[Submission]) -> list[Identity] | RefusedAt:
        identities: list[Identity] = []
        for position, submission in enumerate(submissions):
            identity = self._examine(submission)
            if isinstance(identity, Deny):
                return RefusedAt(position=position, denial=identity)
            identities.append(identity)
        return identities

    def _examine(self, submission: Submission) -> Identity | Deny:
        """Check all that does not depend on rights."""
        for forward_path in submission.envelope.forward_paths:
            routable = decide_recipient(forward_path, self._own_host_names)
            if isinstance(routable, Deny):
                return routable
        return examine(submission.content, submission.envelope, self._clock.now())

    def _judge_all(self, submissions: Sequence[Submission], examined: Sequence[Identity]) -> list[_Judged] | RefusedAt:
        judged: list[_Judged] = []
        for position, (submission, identity) in enumerate(zip(submissions, examined, strict=True)):
            one = self._judge(submission, identity)
            if isinstance(one, Deny):
                return RefusedAt(position=position, denial=one)
            if judged:
                options = replace(one.message.options or NO_OPTIONS, request_id=judged[0].message.id)
                one = one._replace(message=replace(one.message, options=options))
            judged.append(one)
        return judged

    def _spend(self, judged: Sequence[_Judged]) -> bool:
        count = _count_metered(judged)
        return not count or self._meter.spend(judged[0].message.account_id, count)

    def _unspend(self, judged: Sequence[_Judged]) -> None:
        if count := _count_metered(judged):
            self._meter.unspend(judged[0].message.account_id, count)

    def _judge(self, submission: Submission, identity: Identity) -> _Judged | Deny:
        """Make of a submission the message that may be queued.

        Rights come last, looked up anew, and nothing is awaited between here and the queue's own beginning. So a
        revocation is seen here, or it finds this message's ``Queue.accept`` already called, waits for it
        (``Queue.barrier``), and holds what it queued (architecture, promise 3).
        """
        now = self._clock.now()
        message_id = new_message_id(now, self._entropy)
        principal = self._decide_rights(submission, identity)
        if isinstance(principal, Deny):
            return principal
        if principal.purses != submission.principal.purses:
            raise Transient("the key's budgets were changed while the message came in; the client is to come again")
        if principal.is_honey:
            raise Transient("a honey key was used: nothing is sent under it")
        message = QueuedMessage(
            id=message_id,
            account_id=principal.account_id,
            key_id=principal.key_id,
            author=identity.author,
            envelope=submission.envelope,
            origin=submission.origin,
            content=submission.content,
            accepted_at=now,
            options=submission.options or identity.instructions.options,
        )
        return _Judged(message, principal.is_metered, principal.monitor)

    def _decide_rights(self, submission: Submission, identity: Identity) -> Principal | Deny:
        peer = _read_address(submission.origin.peer_address)
        principal = self._rights.recheck(submission.principal, peer)
        if isinstance(principal, Deny):
            return principal
        allowed = decide_identity(principal, submission.envelope, identity, self._domains)
        if isinstance(allowed, Deny):
            return allowed
        options = identity.instructions.options
        if options and not self._is_in_valid_batch(principal, options, self._clock.now()):
            return _NO_BATCH
        return principal

    def _is_in_valid_batch(self, principal: Principal, options: SendingOptions, now: datetime) -> bool:
        return not options.batch_id or self._is_batch(principal.account_id, options.batch_id, now)


def _in_memory(content: Content) -> Content:
    return content if isinstance(content, MemoryContent) else MemoryContent(b"".join(content.chunks()))


def _count_metered(judged: Sequence[_Judged]) -> int:
    """Return how many credits these messages, all of one account, cost."""
    return sum(len(each.message.envelope.forward_paths) for each in judged if each.is_metered)


def _record(first: QueuedMessage, token: tuple[str, bytes] | None) -> RequestRecord | None:
    if token is None:
        return None
    name, fingerprint = token
    return RequestRecord(
        account_id=first.account_id,
        key_id=first.key_id,
        token=name,
        fingerprint=fingerprint,
        message_id=first.id,
        at=first.accepted_at,
    )
