"""The Connector and Connection ports, against a peer that misbehaves in every way the campaign lists (D8)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gatepost.mailflow.delivery.outcome import UNANSWERED_DOT, Verdict, classify_transaction
from gatepost.mailflow.delivery.ports import ConnectFailed
from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.network.delivery_tls import DeliveryTLS
from gatepost.network.smtp_connection import SMTPConnection
from gatepost.network.smtp_connector import SMTPConnector
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.transaction import ClientTimeouts, FailureKind, Stage, Transaction, TransactionResult

Sink = Any
OpenSink = Callable[..., Awaitable[Any]]

CLOSE = b"<close>"
HANG = b"<hang>"
EHLO_TLS = b"250-sink.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
CONTENT = b"Subject: hi\r\n\r\nline\r\n.dot\r\n"

QUICK = ClientTimeouts(
    connect=timedelta(seconds=2),
    greeting=timedelta(seconds=0.3),
    command=timedelta(seconds=0.3),
    handshake=timedelta(seconds=1),
    data=timedelta(seconds=0.3),
    content=timedelta(seconds=0.5),
    final_dot=timedelta(seconds=0.3),
    quit=timedelta(seconds=0.3),
)


def mailbox(local_part: str) -> Mailbox:
    return Mailbox(local_part=local_part, domain="x.test")


def transaction(*recipients: str) -> Transaction:
    return Transaction(
        reverse_path=mailbox("author"),
        forward_paths=tuple(mailbox(name) for name in recipients or ("a",)),
        size_octets=len(CONTENT),
    )


def hop_to(sink: Sink, tls: TLSRequirement = TLSRequirement.OPPORTUNISTIC, host: str = "sink.test") -> NextHop:
    return NextHop(host=host, address="127.0.0.1", port=sink.port, tls=tls)


async def connect(sink: Sink, tls: TLSRequirement = TLSRequirement.OPPORTUNISTIC, **kwargs: Any) -> SMTPConnection:
    connector = SMTPConnector(greeting_name="relay.test", tls=DeliveryTLS(**kwargs), timeouts=QUICK)
    return await connector.connect(hop_to(sink, tls))


async def send(sink: Sink, *recipients: str, content: Iterator[bytes] | None = None) -> TransactionResult:
    connection = await connect(sink)
    try:
        return await connection.send(transaction(*recipients), content or iter([CONTENT]))
    finally:
        connection.close()


def verdicts(result: TransactionResult) -> list[Verdict]:
    return [outcome.verdict for outcome in classify_transaction(result)]


# ---- what goes well


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole replies", "replies octet by octet"])
async def test_a_message_arrives_with_its_dots(open_sink: OpenSink, bytewise: bool) -> None:
    sink = await open_sink(bytewise=bytewise)

    result = await send(sink)

    assert verdicts(result) == [Verdict.DELIVERED]
    assert sink.contents == [b"Subject: hi\r\n\r\nline\r\n..dot\r\n.\r\n"]
    assert sink.commands[:4] == [
        b"EHLO relay.test",
        b"MAIL FROM:<author@x.test> SIZE=27",
        b"RCPT TO:<a@x.test>",
        b"DATA",
    ]


async def test_one_connection_carries_many_messages(open_sink: OpenSink) -> None:
    sink = await open_sink()
    connection = await connect(sink)

    results = [await connection.send(transaction(), iter([CONTENT])) for _ in range(20)]
    connection.close()

    assert [verdicts(result) for result in results] == [[Verdict.DELIVERED]] * 20
    assert (sink.connections, connection.transactions) == (1, 20)


@pytest.mark.parametrize("ehlo", [b"250 sink.test\r\n", b"502 5.5.1 no\r\n"], ids=["no extensions", "HELO only"])
async def test_a_peer_without_extensions_is_served_step_by_step(open_sink: OpenSink, ehlo: bytes) -> None:
    sink = await open_sink({"EHLO": ehlo})

    assert verdicts(await send(sink, "a", "b")) == [Verdict.DELIVERED] * 2


async def test_large_content_is_read_only_as_fast_as_the_peer_takes_it(open_sink: OpenSink) -> None:
    sink = await open_sink(slowly=200_000)
    pieces_read = 0

    def content() -> Iterator[bytes]:
        nonlocal pieces_read
        for _ in range(600):
            pieces_read += 1
            yield b".23456789\r\n" * 3000

    patient = replace(QUICK, content=timedelta(seconds=10), final_dot=timedelta(seconds=10))
    connection = await SMTPConnector(greeting_name="relay.test", tls=DeliveryTLS(), timeouts=patient).connect(
        hop_to(sink)
    )
    sending = asyncio.create_task(connection.send(transaction(), content()))
    await asyncio.sleep(0.02)
    early = pieces_read
    result = await sending
    connection.close()

    assert verdicts(result) == [Verdict.DELIVERED]
    assert early < 600, "all was read before the peer had taken it"
    assert len(sink.contents[0]) == 600 * 3000 * 12 + 3


# ---- refusals and losses within a transaction


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param({"MAIL": b"451 4.3.0 later\r\n"}, Verdict.DEFERRED, id="MAIL 4xx"),
        pytest.param({"MAIL": b"550 5.7.1 no\r\n"}, Verdict.BOUNCED, id="MAIL 5xx"),
        pytest.param({"RCPT": b"450 4.2.1 grey\r\n"}, Verdict.DEFERRED, id="RCPT 4xx"),
        pytest.param({"RCPT": b"550 5.1.1 who\r\n", "DATA": b"503 5.5.1 no\r\n"}, Verdict.BOUNCED, id="RCPT 5xx"),
        pytest.param({"RCPT": b"550 5.1.1 who\r\n"}, Verdict.BOUNCED, id="RCPT 5xx, then 354"),
        pytest.param({"DATA": b"451 4.3.0 later\r\n"}, Verdict.DEFERRED, id="DATA 4xx"),
        pytest.param({"DATA": b"554 5.7.1 no\r\n"}, Verdict.BOUNCED, id="DATA 5xx"),
        pytest.param({"DOT": b"452 4.3.1 full\r\n"}, Verdict.DEFERRED, id="dot 4xx"),
        pytest.param({"DOT": b"552 5.3.4 big\r\n"}, Verdict.BOUNCED, id="dot 5xx"),
        pytest.param({"DOT": b"421 4.3.2 bye\r\n" + CLOSE}, Verdict.DEFERRED, id="dot 421"),
        pytest.param({"MAIL": b"421 4.3.2 bye\r\n" + CLOSE}, Verdict.DEFERRED, id="MAIL 421"),
        pytest.param({"RCPT": b"421 4.3.2 bye\r\n" + CLOSE}, Verdict.DEFERRED, id="RCPT 421"),
        pytest.param({"MAIL": CLOSE}, Verdict.DEFERRED, id="MAIL close"),
        pytest.param({"RCPT": CLOSE}, Verdict.DEFERRED, id="RCPT close"),
        pytest.param({"DATA": CLOSE}, Verdict.DEFERRED, id="DATA close"),
        pytest.param({"MAIL": HANG}, Verdict.DEFERRED, id="MAIL time-out"),
        pytest.param({"DATA": HANG}, Verdict.DEFERRED, id="DATA time-out"),
        pytest.param({"RCPT": b"250 half a li" + CLOSE}, Verdict.DEFERRED, id="half a line"),
        pytest.param({"RCPT": b"250 " + b"x" * (1 << 20) + b"\r\n"}, Verdict.DEFERRED, id="1 MB line"),
        pytest.param({"RCPT": b"250-more\r\n" * 200_000 + HANG}, Verdict.DEFERRED, id="endless lines"),
        pytest.param({"RCPT": b"HTTP/1.0 400 Bad Request\r\n"}, Verdict.DEFERRED, id="not SMTP"),
    ],
)
async def test_misbehaviour_is_classified(
    open_sink: OpenSink, replies: dict[str, bytes | list[bytes]], expected: Verdict
) -> None:
    sink = await open_sink(dict(replies))

    result = await send(sink)

    assert verdicts(result) == [expected]
    assert not [outcome for outcome in classify_transaction(result) if UNANSWERED_DOT in outcome.reason]


@pytest.mark.parametrize("reply", [CLOSE, HANG, b"250 half" + CLOSE], ids=["close", "time-out", "half a line"])
async def test_a_dot_without_an_answer_is_marked(open_sink: OpenSink, reply: bytes) -> None:
    sink = await open_sink({"DOT": reply})

    result = await send(sink)

    (outcome,) = classify_transaction(result)
    assert result.dot_sent
    assert outcome.verdict is Verdict.DEFERRED
    assert UNANSWERED_DOT in outcome.reason


async def test_a_connection_cut_within_the_content_left_nothing_behind(open_sink: OpenSink) -> None:
    sink = await open_sink(cut_after=100_000)

    result = await send(sink, content=iter([b"x" * 70 + b"\r\n"] * 500_000))

    assert not result.dot_sent
    assert verdicts(result) == [Verdict.DEFERRED]


async def test_content_that_cannot_be_read_cuts_the_connection_before_the_dot(open_sink: OpenSink) -> None:
    sink = await open_sink()

    def broken() -> Iterator[bytes]:
        yield b"half\r\n"
        raise OSError("disk")

    result = await send(sink, content=broken())

    assert result.failure is not None
    assert result.failure.kind is FailureKind.LOCAL
    assert not result.dot_sent
    assert sink.contents == []


async def test_each_recipient_has_its_own_answer(open_sink: OpenSink) -> None:
    sink = await open_sink(
        {"RCPT": [b"250 ok\r\n", b"550 5.1.1 who\r\n", b"450 4.2.1 grey\r\n", b"452 4.5.3 too many\r\n"]}
    )

    result = await send(sink, "a", "b", "c", "d")

    assert verdicts(result) == [Verdict.DELIVERED, Verdict.BOUNCED, Verdict.DEFERRED, Verdict.DEFERRED]


async def test_a_slow_answer_to_the_dot_is_waited_for(open_sink: OpenSink) -> None:
    sink = await open_sink({"DOT": b"250 2.0.0 at last\r\n"}, bytewise=True)

    result = await send(sink)

    assert verdicts(result) == [Verdict.DELIVERED]


async def test_a_peer_that_dribbles_its_reply_gains_no_time(open_sink: OpenSink) -> None:
    sink = await open_sink(bytewise=True, pause=0.02)
    began = asyncio.get_running_loop().time()

    with pytest.raises(ConnectFailed) as caught:
        await connect(sink)

    assert caught.value.failure.kind is FailureKind.TIMED_OUT
    assert asyncio.get_running_loop().time() - began < 1.5


async def test_a_cancelled_transaction_cuts_the_connection(open_sink: OpenSink) -> None:
    sink = await open_sink({"DOT": HANG})
    connection = await connect(sink)
    sending = asyncio.create_task(connection.send(transaction(), iter([CONTENT])))
    await asyncio.sleep(0.05)

    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    await asyncio.sleep(0.01)
    assert not connection.is_usable


@pytest.mark.parametrize("reply", [b"421 4.4.2 idle too long\r\n" + CLOSE, b"250 unasked\r\n"], ids=["421", "250"])
async def test_an_idle_connection_that_speaks_is_used_no_more(open_sink: OpenSink, reply: bytes) -> None:
    sink = await open_sink({"DOT": b"250 ok\r\n" + reply})
    connection = await connect(sink)
    await connection.send(transaction(), iter([CONTENT]))
    await asyncio.sleep(0.05)

    result = await connection.send(transaction(), iter([CONTENT]))

    assert not connection.is_usable
    assert result.mail is None
    assert classify_transaction(result)[0].concerns_host


# ---- opening


@pytest.mark.parametrize(
    ("replies", "kind", "stage"),
    [
        pytest.param({"GREETING": b"554 5.7.1 no\r\n"}, FailureKind.REFUSED, Stage.GREETING, id="greeting 5xx"),
        pytest.param({"GREETING": b"421 busy\r\n"}, FailureKind.SHUTTING_DOWN, Stage.GREETING, id="greeting 421"),
        pytest.param({"GREETING": CLOSE}, FailureKind.CLOSED, Stage.GREETING, id="greeting close"),
        pytest.param({"GREETING": HANG}, FailureKind.TIMED_OUT, Stage.GREETING, id="greeting time-out"),
        pytest.param({"GREETING": b"220 x" * 10_000}, FailureKind.VIOLATION, Stage.GREETING, id="greeting endless"),
        pytest.param({"EHLO": b"451 later\r\n"}, FailureKind.REFUSED, Stage.HELLO, id="EHLO 4xx"),
        pytest.param(
            {"EHLO": b"550 no\r\n", "HELO": b"550 no\r\n"}, FailureKind.REFUSED, Stage.HELLO, id="EHLO and HELO 5xx"
        ),
        pytest.param({"EHLO": HANG}, FailureKind.TIMED_OUT, Stage.HELLO, id="EHLO time-out"),
    ],
)
async def test_a_host_that_will_not_talk_is_told_by_stage(
    open_sink: OpenSink, replies: dict[str, bytes | list[bytes]], kind: FailureKind, stage: Stage
) -> None:
    sink = await open_sink(dict(replies))

    with pytest.raises(ConnectFailed) as caught:
        await connect(sink)

    assert (caught.value.failure.kind, caught.value.failure.stage) == (kind, stage)


async def test_a_closed_port_is_unreachable(unused_tcp_port: int) -> None:
    connector = SMTPConnector(greeting_name="relay.test", tls=DeliveryTLS(), timeouts=QUICK)

    with pytest.raises(ConnectFailed) as caught:
        await connector.connect(NextHop(host="x", address="127.0.0.1", port=unused_tcp_port))

    assert caught.value.failure.kind is FailureKind.UNREACHABLE


async def test_the_source_address_is_used(open_sink: OpenSink) -> None:
    sink = await open_sink()
    connector = SMTPConnector(greeting_name="relay.test", tls=DeliveryTLS(), timeouts=QUICK, source_address="127.0.0.9")

    connection = await connector.connect(hop_to(sink))
    source = connection._transport.get_extra_info("sockname")[0]  # type: ignore[union-attr]
    connection.close()

    assert source == "127.0.0.9"


# ---- TLS


async def test_tls_is_used_where_it_is_offered_whatever_the_certificate(open_sink: OpenSink, certificates: Any) -> None:
    sink = await open_sink({"EHLO": [EHLO_TLS, b"250-sink\r\n250 PIPELINING\r\n"]}, tls=certificates.server)
    connection = await connect(sink)

    result = await connection.send(transaction(), iter([CONTENT]))
    connection.close()

    assert connection.tls.startswith("TLSv1.3 TLS_")
    assert sink.secured == 1
    assert verdicts(result) == [Verdict.DELIVERED]
    assert sink.commands.count(b"EHLO relay.test") == 2


async def test_a_refused_starttls_goes_on_in_the_clear(open_sink: OpenSink) -> None:
    sink = await open_sink({"EHLO": EHLO_TLS, "STARTTLS": b"454 4.7.0 not now\r\n"})
    connection = await connect(sink)

    assert verdicts(await connection.send(transaction(), iter([CONTENT]))) == [Verdict.DELIVERED]
    assert connection.tls == ""
    connection.close()


@pytest.mark.parametrize("requirement", [TLSRequirement.ENCRYPTED, TLSRequirement.VERIFIED])
@pytest.mark.parametrize(
    "replies",
    [
        pytest.param({}, id="not offered"),
        pytest.param({"EHLO": EHLO_TLS, "STARTTLS": b"454 4.7.0 not now\r\n"}, id="refused"),
    ],
)
async def test_required_tls_that_is_not_to_be_had_is_a_failure(
    open_sink: OpenSink, requirement: TLSRequirement, replies: dict[str, bytes]
) -> None:
    sink = await open_sink(dict(replies))

    with pytest.raises(ConnectFailed) as caught:
        await connect(sink, requirement)

    assert caught.value.failure.kind is FailureKind.TLS
    assert b"MAIL" not in b"".join(sink.commands)


async def test_a_failed_handshake_is_a_tls_failure(open_sink: OpenSink) -> None:
    sink = await open_sink({"EHLO": EHLO_TLS})

    with pytest.raises(ConnectFailed) as caught:
        await connect(sink)

    assert (caught.value.failure.kind, caught.value.failure.stage) == (FailureKind.TLS, Stage.HANDSHAKE)


@pytest.mark.parametrize(
    ("host", "trusted", "succeeds"),
    [
        pytest.param("sink.test", True, True, id="good"),
        pytest.param("127.0.0.1", True, True, id="good for an address"),
        pytest.param("other.test", True, False, id="wrong name"),
        pytest.param("sink.test", False, False, id="unknown authority"),
    ],
)
async def test_verified_tls_needs_a_certificate_for_the_host(
    open_sink: OpenSink, certificates: Any, host: str, trusted: bool, succeeds: bool
) -> None:
    sink = await open_sink({"EHLO": EHLO_TLS}, tls=certificates.server)
    tls = DeliveryTLS(authorities_path=certificates.authority if trusted else None)
    connector = SMTPConnector(greeting_name="relay.test", tls=tls, timeouts=QUICK)

    connecting = connector.connect(hop_to(sink, TLSRequirement.VERIFIED, host))

    if succeeds:
        connection = await connecting
        assert connection.tls
        connection.close()
        return
    with pytest.raises(ConnectFailed) as caught:
        await connecting
    assert caught.value.failure.detail == "CERTIFICATE_VERIFY_FAILED"


@pytest.mark.parametrize("injected", [b"250 injected\r\n", b"2"])
async def test_a_reply_injected_before_the_handshake_ends_the_connection(
    open_sink: OpenSink, certificates: Any, injected: bytes
) -> None:
    sink = await open_sink({"EHLO": EHLO_TLS, "STARTTLS": b"220 go\r\n" + injected}, tls=certificates.server)

    with pytest.raises(ConnectFailed) as caught:
        await connect(sink)

    assert caught.value.failure.kind is FailureKind.VIOLATION
