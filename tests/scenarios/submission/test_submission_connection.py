"""Submission over real sockets and TLS, on both event loops."""

import asyncio
import gc
import ssl
import time
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gatepost.entrypoints.smtp.time_limits import TimeLimits
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Permanent, Transient
from gatepost.standards.smtp.server import SessionSettings
from gatepost.tenancy.access.authenticate import Refusal
from gatepost.tenancy.access.principal import AccessDenial

LOOPBACK = (ip_network("127.0.0.0/8"),)
FOREVER = timedelta(hours=1)


def patience(**limits: timedelta | int) -> TimeLimits:
    """Limits of which only those given can be met in a test."""
    endless = dict.fromkeys(
        [
            "preamble_timeout",
            "handshake_timeout",
            "authentication_timeout",
            "idle_timeout",
            "content_idle_timeout",
            "content_grace",
            "session_timeout",
        ],
        FOREVER,
    )
    return TimeLimits(**{**endless, "closing_timeout": timedelta(seconds=0.2), **limits})


SHORT = timedelta(seconds=0.2)


# ---------------------------------------------------------------- the way a message goes


async def test_a_message_over_starttls_is_accepted_with_its_id(relay, connect) -> None:
    client = await connect(await relay.listen())

    assert (await client.hear()).startswith("220 relay.test ")
    await client.log_in()
    reply = await client.send(b"Subject: x\r\n\r\n..dot\r\n")

    assert reply == "250 2.0.0 Ok: queued as message-1"
    assert relay.door.contents == [b"Subject: x\r\n\r\n.dot\r\n"]
    origin = relay.door.submissions[0].origin
    assert (origin.protocol, origin.peer_address, origin.greeting) == ("ESMTPSA", "127.0.0.1", "client.test")
    assert origin.tls.startswith("TLSv1.3 ")


async def test_a_message_over_implicit_tls_is_accepted(relay, connect) -> None:
    client = await connect(await relay.listen(implicit_tls=True), implicit_tls=True)

    assert (await client.hear()).startswith("220 relay.test ")
    assert "STARTTLS" not in await client.ask(b"EHLO client.test")
    await client.authenticate()

    assert (await client.send()).startswith("250 ")


async def test_many_messages_go_through_one_session_and_quit_closes_it(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()

    for number in range(1, 51):
        assert await client.send() == f"250 2.0.0 Ok: queued as message-{number}"

    assert await client.ask(b"QUIT") == "221 2.0.0 See you later"
    assert await client.hear_end() == b""


async def test_what_is_pipelined_behind_the_end_of_data_waits_for_the_decision(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    relay.door.gate = asyncio.Event()
    await client.begin()

    client.say(b"x\r\n.\r\nNOOP\r\n")
    client.say(b"MAIL FROM:<second@example.com>\r\n")
    await asyncio.sleep(0.05)
    assert client.reader._buffer == b""
    relay.door.gate.set()

    assert await client.hear() == "250 2.0.0 Ok: queued as message-1"
    assert await client.hear() == "250 2.0.0 Ok"
    assert await client.hear() == "250 2.1.0 Sender address accepted"


async def test_a_client_that_is_gone_before_the_decision_loses_nothing_of_ours(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    relay.door.gate = asyncio.Event()
    await client.begin()
    client.say(b"x" * 50 + b"\r\n.\r\n")
    await _until(lambda: relay.budget.held_octets)

    client.reset()
    await _until(lambda: relay.listeners[0].open_connections == 0)
    assert relay.budget.held_octets > 0
    relay.door.gate.set()

    await _until(lambda: relay.door.contents == [b"x" * 50 + b"\r\n"])
    await _until(lambda: relay.budget.held_octets == 0)


async def test_a_client_that_says_all_and_shuts_its_side_still_hears_the_answers(relay, connect) -> None:
    client = await connect(await relay.listen(session=SessionSettings(host_name="relay.test")))
    await client.hear()
    client.say(b"EHLO x\r\n")
    await client.hear()

    client.say(b"NOOP\r\nRSET\r\n")
    client.writer.write_eof()

    assert await client.hear_end() == b"250 2.0.0 Ok\r\n250 2.0.0 I remember nothing.\r\n"


# ---------------------------------------------------------------- TLS


@pytest.mark.parametrize(
    "injected", [b"STARTTLS\r\nNOOP\r\n", b"STARTTLS\r\nMAIL FROM:<eve@example.org>\r\n"], ids=["noop", "mail"]
)
async def test_octets_behind_starttls_in_one_segment_close_the_connection(relay, connect, injected) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.ask(b"EHLO client.test")

    client.say(injected)

    assert b"220" not in await client.hear_end()


async def test_octets_in_the_clear_after_the_220_are_no_commands(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.ask(b"EHLO client.test")
    assert (await client.ask(b"STARTTLS")).startswith("220 ")

    client.say(b"EHLO eve.test\r\nMAIL FROM:<eve@example.org>\r\n")

    assert b"250" not in await client.hear_end()
    assert relay.counted("tls_handshakes", outcome="failed") == 1


async def test_what_was_said_in_the_clear_is_forgotten_after_the_handshake(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.ask(b"EHLO eve.test")

    await client.start_tls()

    assert (await client.ask(b"AUTH PLAIN AGEAYg==")).startswith("503 5.5.1 ")


async def test_auth_in_the_clear_is_neither_offered_nor_taken(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()

    assert "AUTH" not in await client.ask(b"EHLO client.test")
    assert (await client.authenticate()).startswith("538 5.7.11 ")


async def test_a_client_that_waits_in_the_handshake_is_cut_off(relay, connect) -> None:
    client = await connect(await relay.listen(implicit_tls=True, limits=patience(handshake_timeout=SHORT)))

    assert await client.hear_end() == b""
    assert relay.counted("connections_ended", reason="handshake") == 1


async def test_a_plain_client_on_the_tls_port_is_cut_off_without_noise(relay, connect, caplog) -> None:
    client = await connect(await relay.listen(implicit_tls=True))

    client.say(b"EHLO client.test\r\n")

    assert b"250" not in await client.hear_end()
    assert relay.counted("tls_handshakes", outcome="failed") == 1
    assert caplog.records == []


async def test_a_new_certificate_serves_the_next_handshake_and_leaves_sessions_alone(
    relay, connect, other_server_context
) -> None:
    port = await relay.listen(implicit_tls=True)
    client = await connect(port, implicit_tls=True)
    await client.hear()

    relay.tls = other_server_context

    assert "relay.test" in await client.ask(b"EHLO client.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(port, implicit_tls=True)
    await client.authenticate()
    assert (await client.send()).startswith("250 ")


# ---------------------------------------------------------------- refusals


async def test_a_refused_credential_closes_the_connection(relay, connect) -> None:
    client = await connect(await relay.listen(implicit_tls=True), implicit_tls=True)
    await client.hear()
    await client.ask(b"EHLO client.test")

    reply = await client.authenticate(b"SG.wrong")

    assert reply == (
        "535 5.7.8 Authentication failed: The provided authorization grant is invalid, expired, or revoked"
    )
    assert await client.hear_end() == b""


async def test_what_tls_took_is_given_back_with_the_connection_and_not_some_time_later(relay, connect) -> None:
    port = await relay.listen(implicit_tls=True)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            client = await connect(port, implicit_tls=True)
            await client.hear()
            await client.ask(b"QUIT")
            await client.hear_end()
        # One round of the event loop for the end of the connection, and some for the server's notice of it.
        await asyncio.sleep(0.2)

        assert [each for each in gc.get_objects() if isinstance(each, ssl.SSLObject) and each.server_side] == []
    finally:
        gc.enable()


async def test_a_kept_back_refusal_comes_late(relay, connect) -> None:
    relay.access.denial = Refusal(AccessDenial.TOO_MANY_ATTEMPTS, delay=timedelta(seconds=0.3))
    client = await connect(await relay.listen(implicit_tls=True), implicit_tls=True)
    await client.hear()
    await client.ask(b"EHLO client.test")

    began_at = time.monotonic()
    reply = await client.authenticate()

    assert reply.startswith("421 4.7.0 ")
    # uvloop's clock counts whole milliseconds, and may begin in the middle of one.
    assert time.monotonic() - began_at >= 0.298
    assert await client.hear_end() == b""


async def test_a_right_that_is_gone_ends_the_session_at_mail(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    assert (await client.send()).startswith("250 ")

    relay.access.denial = Deny(AccessDenial.KEY_NOT_VALID)

    assert (await client.ask(b"MAIL FROM:<a@example.com>")).startswith("535 5.7.8 ")
    assert await client.hear_end() == b""


async def test_a_right_that_is_gone_ends_the_session_at_the_end_of_data(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    await client.begin()

    relay.door.outcome = Deny(AccessDenial.KEY_NOT_VALID)
    client.say(b"x\r\n.\r\n")

    assert (await client.hear()).startswith("535 5.7.8 ")
    assert await client.hear_end() == b""


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Deny(SubmissionDenial.AUTHOR_NOT_VERIFIED, "eve@example.org"), "550 5.7.1"),
        (Transient("disk full"), "451 4.3.0"),
        (Permanent("broken"), "554 5.3.0"),
        (ZeroDivisionError("a mistake of ours"), "451 4.3.0"),
    ],
    ids=["denied", "transient", "permanent", "bug"],
)
async def test_a_refused_message_leaves_the_session_usable(relay, connect, outcome, code) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()

    relay.door.outcome = outcome
    refusal = await client.send()
    relay.door.outcome = None

    assert refusal.startswith(f"{code} ")
    assert relay.budget.held_octets == 0
    assert await client.send() == "250 2.0.0 Ok: queued as message-1"


async def test_no_is_said_early(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()

    relay.reverse_path_decision = Deny(SubmissionDenial.REVERSE_PATH_NOT_VERIFIED, "a@example.com")
    assert (await client.ask(b"MAIL FROM:<a@example.com>")).startswith("550 5.7.1 ")
    relay.reverse_path_decision = relay.recipient_decision
    assert (await client.ask(b"MAIL FROM:<a@example.com>")).startswith("250 ")
    relay.recipient_decision = Deny(SubmissionDenial.RECIPIENT_NOT_ROUTABLE, "b@localhost")
    assert (await client.ask(b"RCPT TO:<b@example.net>")).startswith("550 5.1.2 ")


# ---------------------------------------------------------------- PROXY protocol

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 587\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x02\x4b"
V2_LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
V1_MAPPED = b"PROXY TCP6 ::ffff:192.0.2.7 ::1 40000 587\r\n"


@pytest.mark.parametrize("implicit_tls", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize(
    ("preamble", "address"),
    [(V1, "192.0.2.7"), (V2, "192.0.2.7"), (V1_MAPPED, "192.0.2.7"), (V2_LOCAL, "127.0.0.1")],
    ids=["v1", "v2", "v1 mapped", "v2 local"],
)
async def test_the_client_of_a_listed_proxy_is_the_one_it_names(
    relay, connect, preamble, address, implicit_tls
) -> None:
    port = await relay.listen(proxies=LOOPBACK, implicit_tls=implicit_tls)
    client = await connect(port, preamble=preamble, implicit_tls=implicit_tls)
    await client.hear()
    if implicit_tls:
        await client.ask(b"EHLO client.test")
        await client.authenticate()
    else:
        await client.log_in()

    await client.send()

    assert relay.door.submissions[0].origin.peer_address == address


async def test_a_preamble_may_come_in_pieces(relay, connect) -> None:
    client = await connect(await relay.listen(proxies=LOOPBACK))

    for octet in V1:
        client.say(bytes([octet]))
        await asyncio.sleep(0)

    assert (await client.hear()).startswith("220 ")


async def test_a_client_hello_in_the_same_segment_as_the_preamble_is_not_lost(
    relay, connect, tls_client_context
) -> None:
    port = await relay.listen(proxies=LOOPBACK, implicit_tls=True)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_client_context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    client = await connect(port)

    client.say(V2 + outgoing.read())
    while True:
        incoming.write(await asyncio.wait_for(client.reader.read(16_384), 5))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            continue

    assert tls.version() == "TLSv1.3"


@pytest.mark.parametrize("said", [b"EHLO client.test\r\n", b"PROXY TCP4 nonsense\r\n"], ids=["none", "malformed"])
async def test_a_listed_proxy_without_a_good_preamble_is_sent_away(relay, connect, said) -> None:
    client = await connect(await relay.listen(proxies=LOOPBACK))

    client.say(said)

    assert (await client.hear_end()).startswith(b"554 5.5.0 PROXY protocol expected")
    assert relay.counted("connections_refused", reason="preamble") == 1


async def test_a_listed_proxy_that_says_nothing_is_cut_off(relay, connect) -> None:
    client = await connect(await relay.listen(proxies=LOOPBACK, limits=patience(preamble_timeout=SHORT)))

    assert await client.hear_end() == b""


async def test_a_preamble_from_anybody_else_is_no_preamble(relay, connect) -> None:
    client = await connect(await relay.listen(proxies=(ip_network("192.0.2.0/24"),)))
    assert (await client.hear()).startswith("220 ")

    assert (await client.ask(V1.rstrip())).startswith("5")


async def test_the_cap_of_an_address_counts_clients_and_not_their_proxy(relay, connect) -> None:
    relay.caps._max_sessions_per_address = 1
    port = await relay.listen(proxies=LOOPBACK)
    first = await connect(port, preamble=V1)
    await first.hear()

    same = await connect(port, preamble=V1)
    other = await connect(port, preamble=V1.replace(b"192.0.2.7", b"192.0.2.8"))

    assert (await same.hear()).startswith("421 4.7.0 ")
    assert (await other.hear()).startswith("220 ")


# ---------------------------------------------------------------- memory


async def test_a_used_up_budget_refuses_data_and_leaves_the_transaction_open(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    relay.budget.reserve(relay.budget.limit_octets)
    client.say(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n")
    await client.hear()
    await client.hear()

    assert (await client.ask(b"DATA")).startswith("452 4.3.1 ")
    relay.budget.release(relay.budget.limit_octets)

    assert (await client.ask(b"DATA")).startswith("354 ")
    client.say(b"x\r\n.\r\n")
    assert (await client.hear()).startswith("250 ")


async def test_a_content_that_outgrows_memory_and_disk_is_refused_at_its_end(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    relay.spool.has_room = False

    reply = await client.send((b"x" * 76 + b"\r\n") * 10_000)

    assert reply.startswith("451 4.3.0 ")
    assert relay.budget.held_octets == 0
    assert (await client.send()).startswith("250 ")


@pytest.mark.parametrize(
    ("content", "reply", "is_over"),
    [
        (b"a\r\nbare\nline feed\r\n.\r\n", "550 5.6.0 ", True),
        (b"a\r\n" + b"x" * 2000 + b"\r\n.\r\n", "550 5.6.0 ", False),
        ((b"x" * 76 + b"\r\n") * 2000 + b".\r\n", "552 5.3.4 ", False),
    ],
    ids=["bare line feed", "long line", "too large"],
)
async def test_memory_is_given_back_when_a_content_is_refused(relay, connect, content, reply, is_over) -> None:
    client = await connect(await relay.listen(session=SessionSettings(host_name="relay.test", max_size_octets=100_000)))
    await client.hear()
    await client.log_in()
    await client.begin()

    client.say(content)

    assert (await client.hear()).startswith(reply)
    assert relay.budget.held_octets == 0
    if is_over:
        assert await client.hear_end() == b""
    else:
        assert (await client.send()).startswith("250 ")


async def test_memory_is_given_back_when_the_connection_breaks_in_mid_content(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    await client.begin()
    client.say(b"x" * 60 + b"\r\n")
    await _until(lambda: relay.budget.held_octets)

    client.reset()

    await _until(lambda: relay.budget.held_octets == 0)


async def test_a_large_message_passes_through_without_staying_in_memory(relay, connect) -> None:
    relay.door.keeps_content = False
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    await client.begin()
    chunk = (b"x" * 76 + b"\r\n") * 1344
    before, peak = _resident_octets(), 0

    for _ in range(290):
        client.say(chunk)
        await client.writer.drain()
        peak = max(peak, _resident_octets())
    client.say(b".\r\n")
    reply = await client.hear()

    assert reply.startswith("250 ")
    assert relay.door.submissions[0].content.size_octets == 290 * len(chunk) > 30_000_000
    assert peak - before < 6_000_000


# ---------------------------------------------------------------- patience


@pytest.mark.parametrize(
    ("limits", "said", "reply"),
    [
        pytest.param({"authentication_timeout": SHORT}, b"EHLO x\r\n", b"421 4.4.2 Timeout", id="a stranger"),
        pytest.param({"authentication_timeout": SHORT}, b"", b"421 4.4.2 Timeout", id="silence from the start"),
    ],
)
async def test_a_stranger_is_sent_away_in_time(relay, connect, limits, said, reply) -> None:
    client = await connect(await relay.listen(limits=patience(**limits)))
    await client.hear()

    client.say(said)

    assert reply in await client.hear_end()


async def test_a_stranger_cannot_buy_time_by_talking(relay, connect) -> None:
    client = await connect(await relay.listen(limits=patience(authentication_timeout=timedelta(seconds=0.4))))
    await client.hear()
    await client.ask(b"EHLO x")

    async def talk() -> None:
        while True:
            client.say(b"NOOP\r\n")
            await asyncio.sleep(0.05)

    talking = asyncio.create_task(talk())

    assert b"421 4.4.2 Timeout" in await client.hear_end()
    talking.cancel()


@pytest.mark.parametrize(
    ("limits", "reply"),
    [
        pytest.param({"idle_timeout": SHORT}, "421 4.4.2 Timeout: nothing", id="idle"),
        pytest.param({"session_timeout": SHORT}, "421 4.4.2 The session", id="session"),
    ],
)
async def test_an_authenticated_session_has_its_limits_too(relay, connect, limits, reply) -> None:
    client = await connect(await relay.listen(limits=patience(**limits)))
    await client.hear()
    await client.log_in()

    assert (await client.hear()).startswith(reply)
    assert await client.hear_end() == b""


@pytest.mark.parametrize(
    ("limits", "reply"),
    [
        pytest.param({"content_idle_timeout": SHORT}, b"421 4.4.2 Timeout: nothing", id="silence"),
        pytest.param(
            {"content_grace": SHORT, "content_min_rate": 1000}, b"421 4.4.2 Timeout: the message", id="trickle"
        ),
    ],
)
async def test_a_content_that_comes_too_slowly_is_cut_off(relay, connect, limits, reply) -> None:
    client = await connect(await relay.listen(limits=patience(**limits)))
    await client.hear()
    await client.log_in()
    await client.begin()

    client.say(b"x\r\n")

    assert reply in await client.hear_end()
    assert relay.budget.held_octets == 0


async def test_our_own_decision_may_take_longer_than_a_peer(relay, connect) -> None:
    client = await connect(await relay.listen(limits=patience(idle_timeout=SHORT, content_idle_timeout=SHORT)))
    await client.hear()
    await client.log_in()
    relay.door.gate = asyncio.Event()
    await client.begin()
    client.say(b"x\r\n.\r\n")

    await asyncio.sleep(0.5)
    relay.door.gate.set()

    assert (await client.hear()).startswith("250 ")


async def test_a_peer_that_does_not_read_its_replies_is_not_read_and_in_the_end_cut_off(relay, connect) -> None:
    client = await connect(await relay.listen(limits=patience(authentication_timeout=timedelta(seconds=0.5))))
    await client.hear()
    await client.ask(b"EHLO x")
    client.writer.transport.pause_reading()
    client.say(b"NOOP\r\n" * 1_000_000)

    await _until(lambda: relay.listeners[0].open_connections == 0)


# ---------------------------------------------------------------- mistakes of ours


async def test_a_mistake_in_a_handler_ends_its_session_with_a_word_and_no_other(relay, connect) -> None:
    port = await relay.listen()
    unhappy, other = await connect(port), await connect(port)
    await unhappy.hear()
    await other.hear()
    await unhappy.log_in()
    relay.access.trouble = ZeroDivisionError("a mistake of ours")

    assert (await unhappy.ask(b"MAIL FROM:<a@example.com>")).startswith("421 4.3.0 ")
    assert await unhappy.hear_end() == b""
    assert relay.counted("connections_ended", reason="failure") == 1
    assert (await other.ask(b"NOOP")).startswith("250 ")


async def test_a_certificate_that_cannot_be_had_ends_only_the_connection(relay, connect) -> None:
    port = await relay.listen()
    client = await connect(port)
    await client.hear()
    await client.ask(b"EHLO client.test")
    relay.tls = None

    client.say(b"STARTTLS\r\n")

    await client.hear_end()
    assert relay.counted("connections_ended", reason="failure") == 1
    assert (await (await connect(port)).hear()).startswith("220 ")


# ---------------------------------------------------------------- caps, drain


async def test_sessions_beyond_the_cap_of_an_address_are_told_so(relay, connect) -> None:
    relay.caps._max_sessions_per_address = 1
    port = await relay.listen()
    first = await connect(port)
    await first.hear()

    second = await connect(port)

    assert await second.hear_end() == b"421 4.7.0 Too many connections; try again later\r\n"
    assert relay.counted("connections_refused", reason="over_address") == 1
    assert (await first.ask(b"NOOP")).startswith("250 ")


async def test_sessions_beyond_the_total_are_told_so_until_one_ends(relay, connect) -> None:
    relay.caps._max_sessions = 1
    port = await relay.listen()
    first = await connect(port)
    await first.hear()

    second = await connect(port)
    assert await second.hear_end() == b"421 4.7.0 Too many connections; try again later\r\n"
    await second.close()
    await first.ask(b"QUIT")
    await first.close()
    await _until(lambda: relay.caps.open_sessions == 0)
    third = await connect(port)

    assert (await third.hear()).startswith("220 ")


async def test_draining_ends_idle_sessions_at_once_and_others_after_their_transaction(relay, connect) -> None:
    port = await relay.listen()
    idle, busy = await connect(port), await connect(port)
    await idle.hear()
    await busy.hear()
    await busy.log_in()
    await busy.begin()

    stopping = asyncio.create_task(relay.listeners[0].stop(drain_for=timedelta(seconds=5)))

    assert await idle.hear() == "421 4.3.2 The service is restarting; connect again to go on"
    busy.say(b"x\r\n.\r\n")
    assert (await busy.hear()).startswith("250 ")
    assert (await busy.hear()).startswith("421 4.3.2 ")
    await idle.close()
    await busy.close()
    await asyncio.wait_for(stopping, 5)
    with pytest.raises(OSError):
        await connect(port)


async def test_draining_ends_a_transaction_that_outlasts_it(relay, connect) -> None:
    client = await connect(await relay.listen(limits=patience()))
    await client.hear()
    await client.log_in()
    await client.begin()

    stopping = asyncio.create_task(relay.listeners[0].stop(drain_for=timedelta(seconds=0.1)))

    assert (await client.hear()).startswith("421 4.3.2 ")
    await asyncio.wait_for(stopping, 5)


async def test_stopping_waits_for_a_message_being_accepted_and_tells_its_client(relay, connect) -> None:
    client = await connect(await relay.listen())
    await client.hear()
    await client.log_in()
    relay.door.gate = asyncio.Event()
    await client.begin()
    client.say(b"x\r\n.\r\n")
    await _until(lambda: relay.budget.held_octets)

    stopping = asyncio.create_task(relay.listeners[0].stop(drain_for=timedelta(0)))
    await asyncio.sleep(0.05)
    relay.door.gate.set()

    assert (await client.hear()).startswith("250 ")
    assert (await client.hear()).startswith("421 4.3.2 ")
    await client.close()
    await asyncio.wait_for(stopping, 5)


# ---------------------------------------------------------------- helpers


async def _until(holds) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def _resident_octets() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
