"""What a submission session is told, event by event, and what is handed to the one door."""

import inspect
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from ipaddress import IPv4Address

import pytest

from gatepost.entrypoints.smtp import reply_texts
from gatepost.entrypoints.smtp.content_buffer import MemoryBudget
from gatepost.entrypoints.smtp.ports import YES, Answer
from gatepost.entrypoints.smtp.submission_handler import SubmissionHandler, SubmissionServices
from gatepost.mailflow.content import Content, MemoryContent
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.primitives.errors import Permanent, Transient
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.events import (
    BodyType,
    ContentEnded,
    ContentOffered,
    ContentReceived,
    CredentialOffered,
    RecipientOffered,
    SessionEnded,
    TLSRequested,
    TransactionAborted,
    TransactionOffered,
)
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.authenticate import Refusal
from gatepost.tenancy.access.budget import Budget, Purse, PurseId
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.access.sending_rate import LimitDenial, OverLimit
from gatepost.tenancy.access.spending import Spending
from gatepost.tenancy.access.tab import Tab, open_tab
from gatepost.tenancy.accounts.account import AccountState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRINCIPAL = Principal(
    account_id=AccountId("acc_1"),
    account_state=AccountState.ACTIVE,
    key_id=KeyId("key-1"),
    scopes=frozenset({"mail.send"}),
)
ALICE = Mailbox(local_part="alice", domain="example.com")
BOB = Mailbox(local_part="bob", domain="example.net")
CREDENTIAL = CredentialOffered("PLAIN", "apikey", Secret(b"SG.secret"))
NO_ROOM = StoreUnavailable(StoreTrouble.NO_ROOM)


def offer(
    *, size: int | None = None, body: BodyType = BodyType.SEVEN_BIT, smtputf8: bool = False
) -> TransactionOffered:
    return TransactionOffered(ALICE, size, body, smtputf8)


class View:
    peer_address = IPv4Address("192.0.2.7")
    greeting = "client.test"
    tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


class World:
    """Everything behind the handler; what it says can be turned."""

    def __init__(self) -> None:
        self.authenticated: Principal | Deny | Exception = PRINCIPAL
        self.rechecked: Principal | Deny | Exception = PRINCIPAL
        self.accepted: MessageId | Deny | Exception = MessageId("message-1")
        self.reverse_path: Decision | Exception = ALLOW
        self.recipient: Decision = ALLOW
        self.rate: Decision = ALLOW
        self.charged: list[tuple[Principal, int, int]] = []
        self.submissions: list[Submission] = []
        self.is_spool_full = False
        self.has_room = True
        self.written = b""
        self.is_discarded = False
        self.takes_over = True
        self.is_taken_over = False
        self.budget = MemoryBudget(1000)
        self.metrics = Metrics()
        self.tab: Tab | None = None

    def authenticate(
        self, username: str, password: Secret[bytes], peer: IPv4Address, *, client: str = ""
    ) -> Principal | Deny:
        return self._say(self.authenticated)

    def recheck(self, principal: Principal, peer: IPv4Address, *, method: AuthMethod) -> Principal | Deny:
        assert method is AuthMethod.SMTP
        assert peer == View.peer_address
        return self._say(self.rechecked)

    async def open_tab(self, principal: Principal) -> Tab:
        assert self.tab is not None
        return self.tab

    async def accept(self, submission: Submission) -> MessageId | Deny:
        self.submissions.append(submission)
        outcome = self._say(self.accepted)
        self.is_taken_over = self.takes_over and not isinstance(outcome, Deny)
        return outcome

    def open(self) -> "World":
        if self.is_spool_full:
            raise NO_ROOM
        return self

    def write(self, octets: bytes) -> None:
        self.written += octets

    def finish(self) -> Content:
        return MemoryContent(self.written)

    def discard(self) -> None:
        self.is_discarded = not self.is_taken_over

    def now(self) -> datetime:
        return NOW

    def take(
        self, principal: Principal, peer: IPv4Address, now: datetime, *, messages: int = 0, recipients: int = 0
    ) -> Decision:
        assert (peer, now) == (View.peer_address, NOW)
        self.charged.append((principal, messages, recipients))
        return self.rate

    def handler(self) -> SubmissionHandler:
        return SubmissionServices(
            access=self,
            door=self,
            rate=self,
            clock=self,
            decide_reverse_path=lambda principal, path: self._say(self.reverse_path),
            decide_recipient=lambda mailbox: self.recipient,
            open_tab=self.open_tab,
            metrics=self.metrics,
            spool=self,
            budget=self.budget,
            spool_threshold_octets=100,
            has_room=lambda: self.has_room,
        ).open_handler(View())

    def counted(self, name: str, **labels: str) -> float | None:
        self.metrics.flush()
        return self.metrics.registry.get_sample_value(f"gatepost_{name}_total", labels)

    @staticmethod
    def _say(answer):
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def handler(world: World) -> SubmissionHandler:
    handler = world.handler()
    assert handler.handle(CREDENTIAL) == YES
    return handler


def begin(handler: SubmissionHandler, *, content: bytes = b"", **parameters) -> None:
    assert handler.handle(offer(**parameters)) == YES
    assert handler.handle(RecipientOffered(BOB)) == YES
    assert handler.handle(ContentOffered()) == YES
    if content:
        assert handler.handle(ContentReceived(content)) is None


async def end(handler: SubmissionHandler) -> Answer:
    answer = handler.handle(ContentEnded())
    return await answer if inspect.isawaitable(answer) else answer


# ---------------------------------------------------------------- AUTH


@pytest.mark.parametrize("reason", AccessDenial, ids=str)
def test_a_refused_credential_ends_the_session(world: World, reason: AccessDenial) -> None:
    world.authenticated = Deny(reason)

    answer = world.handler().handle(CREDENTIAL)

    assert answer == Answer(reply_texts.reply_to_denial(Deny(reason)), closes=True)
    assert world.counted("authentications", outcome=reason.value) == 1


async def test_a_refusal_is_kept_back_as_long_as_access_says(world: World) -> None:
    world.authenticated = Refusal(AccessDenial.KEY_NOT_VALID, delay=timedelta(microseconds=1))

    answer = world.handler().handle(CREDENTIAL)

    assert inspect.iscoroutine(answer)
    assert (await answer).closes


def test_a_store_that_does_not_answer_is_neither_yes_nor_no(world: World) -> None:
    world.authenticated = Transient("locked")

    assert world.handler().handle(CREDENTIAL) == Answer(reply_texts.CANNOT_AUTHENTICATE, closes=True)


def test_a_transaction_without_a_credential_is_a_mistake_that_sends_nothing(world: World) -> None:
    with pytest.raises(RuntimeError):
        world.handler().handle(offer())


# ---------------------------------------------------------------- budgets and recipients' domains


class Counted:
    """A store of budgets with so much left, which knows nobody."""

    def __init__(self, left: int) -> None:
        self.left = left

    def look(self, charges):
        return (self.left,) * len(charges)

    def find_known(self, account_id, recipients):
        return frozenset()


def budgeted(world: World, *, left: int, **limits: int) -> SubmissionHandler:
    world.rechecked = replace(
        PRINCIPAL, purses=(Purse(id=PurseId("p"), account_id=PRINCIPAL.account_id, budget=Budget(**limits)),)
    )
    spending = Spending(Counted(left), hash_recipient=lambda text: sha256(text).digest(), clock=FixedClock())
    world.open_tab = partial(open_tab, spending)
    handler = world.handler()
    assert handler.handle(CREDENTIAL) == YES
    return handler


async def decided(answer) -> Answer:
    return await answer if inspect.isawaitable(answer) else answer


async def test_a_spent_budget_is_said_at_mail_until_when(world: World) -> None:
    handler = budgeted(world, left=0, messages_per_day=5)

    answer = await decided(handler.handle(offer()))

    assert (answer.reply.code, answer.reply.enhanced, answer.closes) == (451, "4.7.1", False)
    assert answer.reply.text.endswith("(5 messages a day; again from 2026-03-02T00:00:00Z)")
    assert world.counted("submissions", outcome="deferred", reason="message budget spent") == 1


@pytest.mark.parametrize("limit", ["messages_per_day", "new_recipients_per_day"])
async def test_recipients_beyond_the_budget_are_deferred_and_the_others_pass(world: World, limit: str) -> None:
    handler = budgeted(world, left=1, **{limit: 5})
    assert await decided(handler.handle(offer())) == YES

    answers = [await decided(handler.handle(RecipientOffered(each))) for each in (BOB, replace(BOB, local_part="eve"))]

    assert answers[0] == YES
    assert answers[1].reply.code == 451
    assert handler.handle(ContentOffered()) == YES


def test_a_recipient_outside_the_keys_domains_is_refused_for_good(world: World) -> None:
    world.rechecked = replace(PRINCIPAL, allowed_recipient_domains=("else.example",))
    handler = world.handler()
    assert handler.handle(CREDENTIAL) == YES
    assert handler.handle(offer()) == YES

    answer = handler.handle(RecipientOffered(BOB))

    assert (answer.reply.code, answer.reply.enhanced) == (550, "5.7.1")
    assert answer.reply.text == f"This API key may not be used to write to that recipient ({BOB}; only to else.example)"


# ---------------------------------------------------------------- MAIL and RCPT


def test_a_right_that_is_gone_ends_the_session_at_mail(world: World, handler: SubmissionHandler) -> None:
    world.rechecked = Deny(AccessDenial.KEY_NOT_VALID)

    answer = handler.handle(offer())

    assert answer == Answer(reply_texts.reply_to_denial(world.rechecked), closes=True)


def test_messages_and_recipients_are_counted_as_they_are_offered(world: World, handler: SubmissionHandler) -> None:
    handler.handle(offer())
    handler.handle(RecipientOffered(BOB))
    handler.handle(RecipientOffered(ALICE))

    assert world.charged == [(PRINCIPAL, 1, 0), (PRINCIPAL, 0, 1), (PRINCIPAL, 0, 1)]


def test_what_is_refused_anyway_is_not_counted(world: World, handler: SubmissionHandler) -> None:
    world.reverse_path = Deny(SubmissionDenial.REVERSE_PATH_NOT_VERIFIED)
    handler.handle(offer())
    world.reverse_path = ALLOW
    handler.handle(offer())
    world.recipient = Deny(SubmissionDenial.RECIPIENT_NOT_ROUTABLE)
    handler.handle(RecipientOffered(BOB))

    assert world.charged == [(PRINCIPAL, 1, 0)]


@pytest.mark.parametrize("at_recipient", [False, True], ids=["MAIL", "RCPT"])
def test_over_a_limit_is_later_and_the_session_goes_on(
    world: World, handler: SubmissionHandler, at_recipient: bool
) -> None:
    if at_recipient:
        handler.handle(offer())
    world.rate = OverLimit(LimitDenial.ACCOUNT_LIMIT, "5 messages a minute of one account; try again in 7 seconds")

    answer = handler.handle(RecipientOffered(BOB) if at_recipient else offer())

    assert isinstance(answer, Answer)
    assert not answer.closes
    assert answer.reply is not None
    assert (answer.reply.code, answer.reply.enhanced) == (451, "4.7.1")
    assert "try again in 7 seconds" in answer.reply.text
    assert world.counted("submissions", outcome="deferred", reason="account limit") == 1


async def test_the_right_as_it_is_now_goes_with_the_message(world: World, handler: SubmissionHandler) -> None:
    narrowed = Principal(
        account_id=PRINCIPAL.account_id,
        account_state=PRINCIPAL.account_state,
        key_id=PRINCIPAL.key_id,
        scopes=PRINCIPAL.scopes,
        allowed_authors=("news@example.com",),
    )
    world.rechecked = narrowed

    begin(handler)
    await end(handler)

    assert world.submissions[0].principal is narrowed


@pytest.mark.parametrize("which", ["rechecked", "reverse_path"])
def test_a_store_that_does_not_answer_defers_mail(world: World, handler: SubmissionHandler, which: str) -> None:
    setattr(world, which, Transient("locked"))

    assert handler.handle(offer()) == Answer(reply_texts.STORE_TROUBLE)


def test_a_refused_reverse_path_and_a_refused_recipient_leave_the_session(
    world: World, handler: SubmissionHandler
) -> None:
    world.reverse_path = Deny(SubmissionDenial.REVERSE_PATH_NOT_VERIFIED)
    assert handler.handle(offer()) == Answer(reply_texts.reply_to_denial(world.reverse_path))

    world.reverse_path = ALLOW
    world.recipient = Deny(SubmissionDenial.RECIPIENT_NOT_ROUTABLE)
    assert handler.handle(offer()) == YES
    assert handler.handle(RecipientOffered(BOB)) == Answer(reply_texts.reply_to_denial(world.recipient))


# ---------------------------------------------------------------- DATA


@pytest.mark.parametrize(
    ("parameters", "protocol", "needs_8bitmime", "needs_smtputf8"),
    [
        ({}, "ESMTPSA", False, False),
        ({"body": BodyType.EIGHT_BIT_MIME}, "ESMTPSA", True, False),
        ({"smtputf8": True}, "UTF8SMTPSA", False, True),
    ],
    ids=["plain", "8bitmime", "smtputf8"],
)
async def test_a_message_is_handed_over_as_it_came(
    world: World, handler: SubmissionHandler, parameters, protocol, needs_8bitmime, needs_smtputf8
) -> None:
    begin(handler, content=b"Subject: x\r\n\r\n", **parameters)
    handler.handle(ContentReceived(b"x\r\n"))

    answer = await end(handler)

    submission = world.submissions[0]
    assert answer == Answer(reply_texts.queued(MessageId("message-1")))
    assert submission.content == MemoryContent(b"Subject: x\r\n\r\nx\r\n")
    assert submission.envelope.reverse_path == ALICE
    assert submission.envelope.forward_paths == (BOB,)
    assert submission.envelope.needs_8bitmime is needs_8bitmime
    assert submission.envelope.needs_smtputf8 is needs_smtputf8
    assert submission.origin.protocol == protocol
    assert submission.origin.peer_address == "192.0.2.7"
    assert submission.origin.greeting == View.greeting
    assert submission.origin.tls == View.tls
    assert world.counted("recipients_accepted") == 1
    assert world.counted("content_octets") == 17
    assert world.counted("submissions", outcome="accepted", reason="") == 1


async def test_nothing_of_one_transaction_is_in_the_next(world: World, handler: SubmissionHandler) -> None:
    begin(handler, content=b"first\r\n")
    await end(handler)
    begin(handler, content=b"second\r\n")
    await end(handler)

    first, second = world.submissions
    assert first.envelope.forward_paths == second.envelope.forward_paths == (BOB,)
    assert second.content == MemoryContent(b"second\r\n")


@pytest.mark.parametrize(
    ("outcome", "reply", "closes"),
    [
        (Deny(SubmissionDenial.LOOP), reply_texts.reply_to_denial(Deny(SubmissionDenial.LOOP)), False),
        (Deny(AccessDenial.KEY_NOT_VALID), reply_texts.reply_to_denial(Deny(AccessDenial.KEY_NOT_VALID)), True),
        (NO_ROOM, reply_texts.NO_ROOM, False),
        (StoreUnavailable(StoreTrouble.SUSPECT), reply_texts.STORE_TROUBLE, False),
        (Transient("x"), reply_texts.STORE_TROUBLE, False),
        (Permanent("x"), reply_texts.NOT_STORABLE, False),
    ],
    ids=["denied", "right gone", "no room", "suspect", "transient", "permanent"],
)
async def test_a_message_that_is_not_taken_is_forgotten_on_disk_too(
    world: World, handler: SubmissionHandler, outcome, reply, closes
) -> None:
    world.accepted = outcome
    begin(handler, content=b"x" * 200)

    answer = await end(handler)

    assert answer == Answer(reply, closes=closes)
    assert world.is_discarded
    assert world.budget.held_octets == 0


@pytest.mark.parametrize("takes_over", [True, False], ids=["as it came", "written anew for each"])
async def test_an_accepted_message_on_disk_is_left_to_the_queue_if_that_took_it(
    world: World, handler: SubmissionHandler, takes_over: bool
) -> None:
    world.takes_over = takes_over
    begin(handler, content=b"x" * 200)

    await end(handler)

    assert world.written == b"x" * 200
    assert world.is_discarded is not takes_over


async def test_a_mistake_of_ours_gives_the_memory_back_before_it_rises(
    world: World, handler: SubmissionHandler
) -> None:
    world.accepted = ZeroDivisionError()
    begin(handler, content=b"x" * 50)

    with pytest.raises(ZeroDivisionError):
        await end(handler)

    assert world.budget.held_octets == 0


async def test_a_content_that_found_no_room_on_disk_is_refused_without_asking_the_door(
    world: World, handler: SubmissionHandler
) -> None:
    world.is_spool_full = True
    begin(handler, content=b"x" * 200)

    assert await end(handler) == Answer(reply_texts.NO_ROOM)
    assert world.submissions == []


@pytest.mark.parametrize(
    ("held", "size", "is_taken"),
    [(900, None, True), (901, None, False), (901, 99, True), (950, 51, False), (901, 5000, False)],
    ids=["just room", "no room", "room for so little", "not even that", "large goes to disk"],
)
def test_data_is_refused_when_memory_is_used_up(
    world: World, handler: SubmissionHandler, held: int, size: int | None, is_taken: bool
) -> None:
    world.budget.reserve(held)
    handler.handle(offer(size=size))
    handler.handle(RecipientOffered(BOB))

    assert handler.handle(ContentOffered()) == (YES if is_taken else Answer(reply_texts.NO_ROOM))


@pytest.mark.parametrize("ending", [TransactionAborted(), SessionEnded()], ids=["aborted", "ended"])
def test_memory_is_given_back_at_any_other_end(world: World, handler: SubmissionHandler, ending) -> None:
    begin(handler, content=b"x" * 50)
    assert world.budget.held_octets == 50

    assert handler.handle(ending) is None

    assert world.budget.held_octets == 0


async def test_a_message_being_accepted_outlives_its_connection(world: World, handler: SubmissionHandler) -> None:
    begin(handler, content=b"x" * 50)
    accepting = handler.handle(ContentEnded())

    handler.handle(SessionEnded())
    handler.close()
    assert world.budget.held_octets == 50
    await accepting

    assert world.submissions[0].content == MemoryContent(b"x" * 50)
    assert world.budget.held_octets == 0


def test_a_handshake_asks_nothing_of_the_handler(handler: SubmissionHandler) -> None:
    assert handler.handle(TLSRequested()) is None


def test_without_room_for_new_mail_the_transaction_is_refused_before_any_content(world: World) -> None:
    world.has_room = False
    handler = world.handler()
    handler.handle(CREDENTIAL)

    answer = handler.handle(offer())

    assert answer == Answer(reply_texts.NO_ROOM)
    assert world.counted("submissions", outcome="deferred", reason="store") == 1
