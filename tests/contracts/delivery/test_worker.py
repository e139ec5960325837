"""The delivery worker whole: the real queue, a real nameserver, real receiving hosts, real signatures."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost.mailflow.delivery.attempt import Attempts
from gatepost.mailflow.delivery.outcome import UNANSWERED_DOT, Outcome, Verdict
from gatepost.mailflow.delivery.outgoing import OutgoingCopies
from gatepost.mailflow.delivery.pool import ConnectionPool, PoolLimits
from gatepost.mailflow.delivery.route import RoutePolicy
from gatepost.mailflow.delivery.router import Router
from gatepost.mailflow.delivery.shaping import Shaping, ShapingLimits
from gatepost.mailflow.delivery.source import ANY_SOURCE, Sources
from gatepost.mailflow.delivery.static_route import parse_static_route
from gatepost.mailflow.delivery.worker import DeliveryWorker, WorkerLimits
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.queue.recipient import (
    Lease,
    LeasedRecipient,
    Predicate,
    QueuedMessage,
    RecipientState,
    Settlement,
)
from gatepost.network.delivery_tls import DeliveryTLS
from gatepost.network.resolver import CachingResolver, Nameserver
from gatepost.network.smtp_connector import SMTPConnector
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.runtime.compose_mail import COPY_TOOLS
from gatepost.standards.dkim.sign import SigningAlgorithm, SigningKey
from gatepost.standards.dkim.verify import VerificationStatus, verify
from gatepost.standards.dns.question import Answer, AnswerStatus
from gatepost.standards.dns.records import TXT
from gatepost.standards.smtp.transaction import ClientTimeouts
from gatepost.system.entropy import SystemEntropy
from gatepost.system.signing import SingleSigner

Rig = Any
Sink = Any
OpenSink = Callable[..., Awaitable[Any]]
OpenNameserver = Callable[..., Awaitable[Any]]
RespondFrom = Callable[..., Any]

CLOSE = b"<close>"
HANG = b"<hang>"
EHLO_TLS = b"250-sink.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
KEY = Ed25519PrivateKey.generate()
SIGNING_KEY = SigningKey(
    domain="example.com", selector="s1", algorithm=SigningAlgorithm.ED25519_SHA256, private_key=KEY
)
PATIENT = ClientTimeouts(
    connect=timedelta(seconds=2),
    greeting=timedelta(seconds=5),
    command=timedelta(seconds=5),
    handshake=timedelta(seconds=2),
    data=timedelta(seconds=5),
    content=timedelta(seconds=5),
    final_dot=timedelta(seconds=5),
    quit=timedelta(seconds=1),
)


@dataclass
class Keys:
    """The one signing key; breaks or is gone on request."""

    broken: bool = False
    gone: bool = False
    silent: bool = False

    def find_signing_keys(self, account_id: AccountId, author_domain: str) -> Sequence[SigningKey]:
        if self.broken:
            raise RuntimeError("planted")
        if self.silent:
            raise Transient("the database does not answer")
        return () if self.gone else (SIGNING_KEY,)


@dataclass
class Delivery:
    """A worker at work, and what it settled."""

    worker: DeliveryWorker
    running: "asyncio.Task[None]"
    attempts: Attempts
    keys: Keys
    settled: list[Settlement] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    breaks_retry: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, settlement: Settlement) -> None:
        self.settled.append(settlement)
        self.news.set()

    async def until_settled(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.settled) < count:
                self.news.clear()
                await self.news.wait()

    async def stop(self) -> None:
        self.worker.stop()
        async with asyncio.timeout(10):
            await self.running


@asynccontextmanager
async def deliver(
    rig: Rig,
    routes: dict[str, str] | None = None,
    *,
    nameserver: Any = None,
    port: int = 25,
    limits: ShapingLimits | None = None,
    worker_limits: WorkerLimits | None = None,
    queue: Any = None,
    timeouts: ClientTimeouts = PATIENT,
    find_stop: Callable[[QueuedMessage], Outcome | None] = lambda _: None,
    find_sources: Callable[[AccountId], Sources] = lambda _: ANY_SOURCE,
) -> AsyncIterator[Delivery]:
    queue = queue or rig.queue
    policy = RoutePolicy(
        static_routes={domain: parse_static_route(route) for domain, route in (routes or {}).items()},
        allow_private_destinations=True,
        port=port,
    )
    servers = [Nameserver("127.0.0.1", nameserver.port)] if nameserver else []
    resolver = CachingResolver(servers, monotonic=time.monotonic, try_timeout_seconds=0.2)
    router = Router(policy=policy, resolver=resolver, entropy=SystemEntropy(), monotonic=time.monotonic)
    pool = ConnectionPool(PoolLimits(), monotonic=time.monotonic)
    keys = Keys()
    attempts = Attempts(
        router=router,
        connector=SMTPConnector(greeting_name="relay.test", tls=DeliveryTLS(), timeouts=timeouts),
        pool=pool,
        copies=OutgoingCopies(tools=COPY_TOOLS, keys=keys, signer=SingleSigner(), host_name="relay.test"),
        clock=rig.clock,
        monotonic=time.monotonic,
        is_on_hold=queue.is_on_hold,
        find_stop=find_stop,
        find_sources=find_sources,
    )

    def retry(attempts: int, accepted_at: datetime, now: datetime) -> datetime | None:
        if delivery.breaks_retry:
            raise RuntimeError("planted")
        return now + timedelta(minutes=5)

    def on_fault(step: str, lease: Lease | None, error: BaseException) -> None:
        delivery.faults.append(step)

    def on_settled(settlement: Settlement) -> None:
        delivery.note(settlement)

    worker = DeliveryWorker(
        queue=queue,
        attempts=attempts,
        shaping=Shaping(limits or ShapingLimits(), destination_of=router.destination_of),
        pool=pool,
        retry=retry,
        clock=rig.clock,
        monotonic=time.monotonic,
        on_fault=on_fault,
        on_settled=on_settled,
        limits=worker_limits or WorkerLimits(settle_again_seconds=0.01, lease_again_seconds=0.01),
    )
    delivery = Delivery(worker=worker, running=asyncio.create_task(worker.run()), attempts=attempts, keys=keys)
    try:
        yield delivery
    finally:
        await delivery.stop()


def route_to(sink: Sink) -> str:
    return f"127.0.0.1:{sink.port}"


def last_detail(rig: Rig, message: Any) -> dict[str, str]:
    detail: dict[str, str] = rig.events(message)[-1].detail
    return detail


def is_signed(content: bytes, at: datetime) -> bool:
    """Check a content as it came over the wire."""
    public = KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    record = Answer(status=AnswerStatus.FOUND, records=(TXT(b"v=DKIM1; k=ed25519; p=" + b64encode(public)),))
    steps = verify(content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."), at=at)
    try:
        next(steps)
        while True:
            steps.send(record)
    except StopIteration as end:
        return [result.status for result in end.value] == [VerificationStatus.PASS]


# ---- what goes well


async def test_a_message_is_signed_delivered_and_told_of(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    content = b"From: news@example.com\r\nBcc: x@y\r\nSubject: hi\r\n\r\nbody\r\n.dot\r\n"
    message = await rig.accept("a@x.example", "b@x.example", content=content)

    async with deliver(rig, {"x.example": route_to(sink)}) as delivery:
        await delivery.until_settled(1)

    assert rig.states() == {}
    assert rig.books().delivered == 2
    assert rig.story(message) == ["processed", "processed", "delivered", "delivered"]
    assert last_detail(rig, message)["reply"] == "250 2.0.0 queued as 1"
    assert last_detail(rig, message)["peer"] == f"127.0.0.1 [127.0.0.1]:{sink.port}"
    assert len(sink.contents) == 1
    assert is_signed(sink.contents[0], rig.clock.now())
    assert b"Bcc" not in sink.contents[0]
    assert b"\r\nReceived: from client" in sink.contents[0]


@pytest.mark.parametrize(
    ("stop", "left", "story"),
    [
        (Outcome(verdict=Verdict.DROPPED, reason="cancelled"), {}, "dropped"),
        (Outcome(verdict=Verdict.DEFERRED, reason="paused"), {"a@x.example": RecipientState.QUEUED}, "deferred"),
    ],
    ids=["cancelled", "paused"],
)
@pytest.mark.parametrize("asked", [1, 2], ids=["before the route", "before MAIL"])
async def test_what_its_sender_has_stopped_is_not_attempted(
    rig: Rig, open_sink: OpenSink, stop: Outcome, left: dict[str, RecipientState], story: str, asked: int
) -> None:
    sink = await open_sink()
    message = await rig.accept("a@x.example")
    answers = [None] * (asked - 1) + [stop]

    async with deliver(rig, {"x.example": route_to(sink)}, find_stop=lambda _: answers.pop(0)) as delivery:
        await delivery.until_settled(1)

    assert sink.contents == []
    assert rig.states() == left
    assert rig.story(message) == ["processed", story]
    assert last_detail(rig, message)["reason"] == stop.reason
    assert rig.books().difference == 0


async def test_mail_leaves_from_its_accounts_address_over_connections_of_its_own(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    sources = {"acc_two": Sources(addresses=("127.0.0.2",)), "acc_three": Sources(addresses=("127.0.0.3",))}
    settled = 0

    async with deliver(
        rig, {"*": route_to(sink)}, find_sources=lambda account: sources.get(account, ANY_SOURCE)
    ) as delivery:
        for _ in range(3):
            for account in ("acc_two", "acc_three", "acc_any"):
                await rig.accept("a@x.example", account=AccountId(account))
                settled += 1
                await delivery.until_settled(settled)

    # One after the other, so that each found the connection of its own kept, and none took another's.
    assert sink.peers == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
    assert len(sink.contents) == 9


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        pytest.param(Sources(trouble="no source address can be used"), "no source address can be used", id="unusable"),
        pytest.param(Sources(addresses=("::1",)), "of the family (IPv4, IPv6) of any next hop", id="other family"),
    ],
)
async def test_mail_whose_address_cannot_be_used_waits_and_holds_up_nobody_else(
    rig: Rig, open_sink: OpenSink, sources: Sources, reason: str
) -> None:
    sink = await open_sink()
    waiting = await rig.accept("a@x.example", account=AccountId("acc_two"))

    async with deliver(
        rig, {"*": route_to(sink)}, find_sources=lambda account: sources if account == "acc_two" else ANY_SOURCE
    ) as delivery:
        await delivery.until_settled(1)
        await rig.accept("b@x.example", account=AccountId("acc_any"))
        await delivery.until_settled(2)

    assert rig.states() == {"a@x.example": RecipientState.QUEUED}
    assert rig.story(waiting) == ["processed", "deferred"]
    assert reason in last_detail(rig, waiting)["reason"]
    assert sink.peers == ["127.0.0.1"]


async def test_a_burst_shares_few_connections(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    for number in range(60):
        await rig.accept(f"u{number}@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(60)

    assert rig.books().delivered == 60
    assert len(sink.contents) == 60
    assert sink.connections <= 20


async def test_many_recipients_go_in_transactions_of_a_hundred_over_one_connection(
    rig: Rig, open_sink: OpenSink
) -> None:
    sink = await open_sink()
    message = rig.message(*[f"u{number}@x.example" for number in range(150)])
    recipients = [
        LeasedRecipient(position=position, mailbox=mailbox, attempts=0)
        for position, mailbox in enumerate(message.envelope.forward_paths)
    ]
    lease = Lease(message=message, domain="x.example", recipients=tuple(recipients))

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        report = await delivery.attempts.attempt(lease)

    assert sorted(report.recipients) == list(range(150))
    assert {one.outcome.verdict for one in report.recipients.values()} == {Verdict.DELIVERED}
    assert [line[:4] for line in sink.commands if line[:4] in {b"MAIL", b"DATA"}] == [b"MAIL", b"DATA"] * 2
    assert sink.connections == 1


async def test_each_recipient_gets_its_own_event(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"RCPT": [b"250 ok\r\n", b"550 5.1.1 who\r\n", b"450 4.2.1 grey\r\n"]})
    message = await rig.accept("a@x.example", "b@x.example", "c@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)

    assert sorted(rig.story(message)[3:]) == ["bounce", "deferred", "delivered"]
    assert rig.states() == {"c@x.example": RecipientState.QUEUED}
    books = rig.books()
    assert (books.delivered, books.bounced, books.queued, books.difference) == (1, 1, 1, 0)


# ---- hosts


async def test_a_kept_connection_that_died_is_replaced_at_once(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"MAIL": [b"250 ok\r\n", CLOSE, b"250 ok\r\n"]})
    first = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)
        second = await rig.accept("b@x.example")
        await delivery.until_settled(2)

    assert rig.story(first) == ["processed", "delivered"]
    assert rig.story(second) == ["processed", "delivered"]
    assert sink.connections == 2


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param({"GREETING": b"554 5.7.1 no\r\n"}, id="greeting 5xx"),
        pytest.param({"EHLO": b"421 4.3.2 busy\r\n" + CLOSE}, id="EHLO 421"),
        pytest.param({"MAIL": CLOSE}, id="closed at MAIL"),
    ],
)
async def test_the_next_exchanger_is_tried_where_one_will_not_talk(
    rig: Rig,
    open_sink: OpenSink,
    open_nameserver: OpenNameserver,
    respond_from: RespondFrom,
    replies: dict[str, bytes | list[bytes]],
) -> None:
    first = await open_sink(dict(replies), host="127.0.0.2")
    second = await open_sink(host="127.0.0.3", port=first.port)
    zone = {
        "x.example MX": ["20 b.example.", "10 a.example."],
        "a.example A": ["127.0.0.2"],
        "b.example A": ["127.0.0.3"],
    }
    message = await rig.accept("u@x.example")

    nameserver = await open_nameserver(respond_from(zone))
    async with deliver(rig, nameserver=nameserver, port=first.port) as delivery:
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", "delivered"]
    assert (first.connections, len(second.contents)) == (1, 1)
    assert last_detail(rig, message)["peer"].startswith("b.example [127.0.0.3]")


async def test_what_an_exchanger_says_of_the_message_stands(
    rig: Rig, open_sink: OpenSink, open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    first = await open_sink({"MAIL": b"550 5.7.1 spam\r\n"}, host="127.0.0.2")
    second = await open_sink(host="127.0.0.3", port=first.port)
    zone = {
        "x.example MX": ["10 a.example.", "20 b.example."],
        "a.example A": ["127.0.0.2"],
        "b.example A": ["127.0.0.3"],
    }
    message = await rig.accept("u@x.example")

    nameserver = await open_nameserver(respond_from(zone))
    async with deliver(rig, nameserver=nameserver, port=first.port) as delivery:
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", "bounce"]
    assert second.connections == 0


async def test_a_failed_handshake_is_followed_by_a_connection_in_the_clear(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"EHLO": EHLO_TLS})
    await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)
        message = await rig.accept("b@x.example")
        await delivery.until_settled(2)

    assert "tls" not in last_detail(rig, message)
    assert rig.books().delivered == 2
    assert sink.connections == 2, "the second message uses the connection in the clear that was kept"


async def test_the_tls_of_a_delivery_is_in_its_event(rig: Rig, open_sink: OpenSink, certificates: Any) -> None:
    sink = await open_sink({"EHLO": [EHLO_TLS, b"250 sink.test\r\n"]}, tls=certificates.server)
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)

    assert last_detail(rig, message)["tls"].startswith("TLSv1.3 ")


async def test_a_route_that_requires_tls_gets_no_mail_in_the_clear(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": f"{route_to(sink)} require-tls"}) as delivery:
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", "deferred"]
    assert "TLS is required" in last_detail(rig, message)["reason"]
    assert sink.contents == []


async def test_a_dead_host_is_left_alone_after_some_failures(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"GREETING": b"554 5.3.2 closed\r\n"})
    limits = ShapingLimits(initial_connections=1, failures_before_backoff=3)
    messages = [await rig.accept(f"u{number}@x.example") for number in range(10)]

    async with deliver(rig, {"*": route_to(sink)}, limits=limits) as delivery:
        await delivery.until_settled(10)

    assert sink.connections == 3
    assert rig.books().queued == 10
    reasons = [last_detail(rig, message)["reason"] for message in messages]
    assert sum("left alone" in reason for reason in reasons) == 7


# ---- the DNS


@pytest.mark.parametrize(
    ("zone", "rcode", "story", "reason"),
    [
        pytest.param({"x.example MX": ["0 ."]}, None, "bounce", "5.1.10", id="null MX"),
        pytest.param({}, None, "bounce", "5.1.2", id="NXDOMAIN"),
        pytest.param({}, 2, "deferred", "SERVFAIL", id="SERVFAIL"),
    ],
)
async def test_what_the_dns_says_decides(
    rig: Rig,
    open_nameserver: OpenNameserver,
    respond_from: RespondFrom,
    zone: dict[str, list[str]],
    rcode: int | None,
    story: str,
    reason: str,
) -> None:
    message = await rig.accept("a@x.example")

    nameserver = await open_nameserver(respond_from(zone, rcode=rcode))
    async with deliver(rig, nameserver=nameserver) as delivery:
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", story]
    assert reason in last_detail(rig, message)["reason"]


# ---- what a peer lacks


async def test_a_peer_without_8bitmime_gets_seven_bits_signed_anew(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"EHLO": b"250 sink.test\r\n"})
    content = (
        "From: news@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
    )
    await rig.accept("a@x.example", content=content.encode())

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)

    assert rig.books().delivered == 1
    assert sink.contents[0].isascii()
    assert is_signed(sink.contents[0], rig.clock.now())


@pytest.mark.parametrize(
    ("content", "to", "status"),
    [
        pytest.param("From: news@example.com\r\nSubject: Grüße\r\n\r\n.\r\n", "a", "5.6.7", id="UTF-8 header"),
        pytest.param("From: news@example.com\r\n\r\nplain\r\n", "jürgen", "5.6.7", id="UTF-8 recipient"),
        pytest.param("From: news@example.com\r\n\r\nGrüße\r\n", "a", None, id="8-bit text can be converted"),
        pytest.param(
            "From: news@example.com\r\nContent-Type: multipart/signed; boundary=b\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\nGrüße\r\n--b--\r\n",
            "a",
            "5.6.3",
            id="a signed part cannot",
        ),
    ],
)
async def test_what_cannot_be_said_to_a_peer_bounces(
    rig: Rig, open_sink: OpenSink, content: str, to: str, status: str | None
) -> None:
    sink = await open_sink({"EHLO": b"250 sink.test\r\n"})
    message = await rig.accept(f"{to}@x.example", content=content.encode())

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)

    if status is None:
        assert rig.story(message) == ["processed", "delivered"]
    else:
        assert rig.story(message) == ["processed", "bounce"]
        assert last_detail(rig, message)["reason"].startswith(status)
        assert sink.contents == []


# ---- trouble


async def test_an_unanswered_dot_is_written_down(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"DOT": CLOSE})
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", "deferred"]
    assert UNANSWERED_DOT in last_detail(rig, message)["reason"]
    assert len(sink.contents) == 1


async def test_a_slow_destination_delays_no_other(rig: Rig, open_sink: OpenSink) -> None:
    slow = await open_sink({"DOT": HANG})
    fast = await open_sink()
    for number in range(300):
        await rig.accept(f"u{number}@slow.example")
    await rig.accept("a@fast.example")
    began = time.monotonic()

    worker_limits = WorkerLimits(max_leases=30, drain_seconds=0.1)
    routes = {"slow.example": route_to(slow), "fast.example": route_to(fast)}
    async with deliver(rig, routes, worker_limits=worker_limits) as delivery:
        await delivery.until_settled(1)
        took = time.monotonic() - began

    assert len(fast.contents) == 1
    assert took < 2
    assert slow.connections == ShapingLimits().initial_connections


async def test_a_dead_first_exchanger_is_passed_over_the_next_time(
    rig: Rig, open_sink: OpenSink, open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    dead = await open_sink({"GREETING": CLOSE}, host="127.0.0.2")
    good = await open_sink(host="127.0.0.3", port=dead.port)
    zone = {
        "x.example MX": ["10 a.example.", "20 b.example."],
        "a.example A": ["127.0.0.2"],
        "b.example A": ["127.0.0.3"],
    }

    nameserver = await open_nameserver(respond_from(zone))
    async with deliver(rig, nameserver=nameserver, port=dead.port) as delivery:
        for number in range(5):
            await rig.accept(f"u{number}@x.example")
            await delivery.until_settled(number + 1)

    assert rig.books().delivered == 5
    assert (dead.connections, good.connections) == (1, 1)


async def test_a_lease_put_on_hold_before_mail_is_not_delivered(rig: Rig, open_sink: OpenSink) -> None:
    gate = asyncio.Event()
    sink = await open_sink(gate=gate)
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        async with asyncio.timeout(5):
            while not sink.connections:
                await asyncio.sleep(0.01)
        await rig.queue.hold(Predicate(message_id=message.id), reason="key revoked")
        gate.set()
        await delivery.until_settled(1)

    assert rig.states() == {"a@x.example": RecipientState.HELD}
    assert sink.contents == []
    assert not [line for line in sink.commands if line.startswith(b"MAIL")]


async def test_one_message_that_breaks_us_stops_no_other(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    poison = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        delivery.keys.broken = True
        await delivery.until_settled(1)
        delivery.keys.broken = False
        good = await rig.accept("b@x.example")
        await delivery.until_settled(2)

    assert delivery.faults == ["attempt"]
    assert rig.story(poison) == ["processed", "deferred"]
    assert "planted" not in str(last_detail(rig, poison))
    assert rig.story(good) == ["processed", "delivered"]


async def test_a_message_that_breaks_us_three_times_is_set_aside_until_released(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    poison = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        delivery.keys.broken = True
        for times in range(1, 4):
            await delivery.until_settled(times)
            rig.clock.advance(timedelta(minutes=6))
            rig.queue.wake()
        async with asyncio.timeout(10):
            while rig.states() != {"a@x.example": RecipientState.HELD}:
                await asyncio.sleep(0.01)
        detail = last_detail(rig, poison)
        delivery.keys.broken = False
        await rig.queue.release(Predicate(message_id=poison.id))
        await delivery.until_settled(4)

    assert rig.story(poison) == ["processed", *["deferred"] * 3, "held", "released", "delivered"]
    assert "3 attempts in a row ended in an error of this service (RuntimeError)" in detail["reason"]


async def test_store_of_keys_that_does_not_answer_is_no_fault_of_the_message(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        delivery.keys.silent = True
        for times in range(1, 5):
            await delivery.until_settled(times)
            rig.clock.advance(timedelta(minutes=6))
            rig.queue.wake()
        delivery.keys.silent = False
        await delivery.until_settled(5)

    assert rig.story(message) == ["processed", *["deferred"] * 4, "delivered"]


async def test_a_settlement_that_breaks_us_stops_no_other(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink({"DOT": [b"451 not now\r\n", b"250 taken\r\n"]})
    await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        delivery.breaks_retry = True
        async with asyncio.timeout(10):
            while delivery.faults != ["settle"]:
                await asyncio.sleep(0.01)
        good = await rig.accept("b@x.example")
        await delivery.until_settled(1)

    assert rig.story(good) == ["processed", "delivered"]


async def test_reply_to_the_dot_that_comes_long_after_the_command_timeout_makes_one_copy(
    rig: Rig, open_sink: OpenSink
) -> None:
    sink = await open_sink()
    sink.dot_after = 1.5
    message = await rig.accept("a@x.example")
    timeouts = replace(
        PATIENT, command=timedelta(seconds=0.3), data=timedelta(seconds=0.3), content=timedelta(seconds=0.3)
    )

    async with deliver(rig, {"*": route_to(sink)}, timeouts=timeouts) as delivery:
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", "delivered"]
    assert len(sink.contents) == 1


async def test_without_a_key_a_message_waits_unsigned(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}) as delivery:
        delivery.keys.gone = True
        await delivery.until_settled(1)

    assert rig.story(message) == ["processed", "deferred"]
    assert "no DKIM key" in last_detail(rig, message)["reason"]
    assert sink.contents == []


async def test_no_more_is_leased_than_may_be_in_hand(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    for number in range(20):
        await rig.accept(f"u@d{number}.example")

    async with deliver(rig, {"*": route_to(sink)}, worker_limits=WorkerLimits(max_leases=2)) as delivery:
        await delivery.until_settled(20)

    assert rig.books().delivered == 20
    assert sink.connections <= 2


class UnsteadyQueue:
    """The real queue; the first settlements, or leases, are refused as by a full disk."""

    def __init__(self, queue: Any, *, settlements: int = 0, leases: int = 0) -> None:
        self._queue = queue
        self.settlements = settlements
        self.leases = leases

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def settle(self, settlement: Settlement) -> None:
        if self.settlements:
            self.settlements -= 1
            raise StoreUnavailable(StoreTrouble.NO_ROOM)
        await self._queue.settle(settlement)

    async def lease(self, **more: Any) -> list[Lease]:
        if self.leases:
            self.leases -= 1
            raise StoreUnavailable(StoreTrouble.IO_ERROR)
        leases: list[Lease] = await self._queue.lease(**more)
        return leases


async def test_leasing_goes_on_after_a_failure(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}, queue=UnsteadyQueue(rig.queue, leases=3)) as delivery:
        await delivery.until_settled(1)

    assert delivery.faults == ["lease"] * 3
    assert rig.books().delivered == 1


async def test_a_settlement_is_repeated_until_it_is_kept(rig: Rig, open_sink: OpenSink) -> None:
    sink = await open_sink()
    await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}, queue=UnsteadyQueue(rig.queue, settlements=3)) as delivery:
        await delivery.until_settled(1)

    assert delivery.faults == ["settle"] * 3
    assert rig.books().delivered == 1
    assert len(sink.contents) == 1


async def test_stopping_lets_attempts_end_and_gives_the_rest_back(rig: Rig, open_sink: OpenSink) -> None:
    gate = asyncio.Event()
    sink = await open_sink(gate=gate)
    for number in range(10):
        await rig.accept(f"u{number}@x.example")

    async with deliver(rig, {"*": route_to(sink)}, limits=ShapingLimits(initial_connections=2)) as delivery:
        async with asyncio.timeout(5):
            while sink.connections < 2:
                await asyncio.sleep(0.01)
        delivery.worker.stop()
        gate.set()
        await delivery.running

    await rig.restart()  # what lay in the queue's own stock is given back when it closes
    books = rig.books()
    assert (books.delivered, books.queued, books.difference) == (2, 8, 0)
    assert len(sink.contents) == 2
    assert set(rig.states().values()) == {RecipientState.QUEUED}


async def test_an_attempt_that_outlasts_the_drain_is_cut_off_and_found_interrupted(
    rig: Rig, open_sink: OpenSink
) -> None:
    sink = await open_sink({"DOT": HANG})
    message = await rig.accept("a@x.example")

    async with deliver(rig, {"*": route_to(sink)}, worker_limits=WorkerLimits(drain_seconds=0.05)) as delivery:
        async with asyncio.timeout(5):
            while not sink.contents:
                await asyncio.sleep(0.01)
        await delivery.stop()
    await rig.restart()

    assert "interrupted" in rig.story(message)
    assert rig.states() == {"a@x.example": RecipientState.QUEUED}
