from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.client import ClientSession
from gatepost.standards.smtp.client_events import (
    ClientEvent,
    ContentWanted,
    SessionFailed,
    SessionReady,
    TLSAgreed,
    TransactionEnded,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.transaction import FailureKind, SessionFailure, Stage, Transaction, TransactionResult

EHLO_ALL = b"250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
EHLO_NONE = b"250 mx.test\r\n"


def mailbox(local_part: str) -> Mailbox:
    return Mailbox(local_part=local_part, domain="x.test")


def transaction(*recipients: str) -> Transaction:
    return Transaction(
        reverse_path=mailbox("author"), forward_paths=tuple(mailbox(name) for name in recipients), size_octets=5
    )


def ready(ehlo: bytes = EHLO_ALL) -> ClientSession:
    session = ClientSession(greeting_name="relay.test")
    assert session.receive(b"220 mx.test ESMTP\r\n") == []
    assert session.take_output() == b"EHLO relay.test\r\n"
    assert session.receive(ehlo) == [SessionReady()]
    assert session.is_ready
    return session


def result_of(events: list[ClientEvent]) -> TransactionResult:
    results = [event.result for event in events if isinstance(event, TransactionEnded)]
    assert len(results) == 1
    return results[0]


def failure_of(events: list[ClientEvent]) -> SessionFailure:
    last = events[-1]
    assert isinstance(last, SessionFailed)
    return last.failure


def send_content(session: ClientSession, content: bytes = b"a\r\n.b\r\n") -> bytes:
    return session.write_content(content) + session.end_content()


# ---- opening


def test_ehlo_tells_the_extensions() -> None:
    session = ready()

    assert session.extensions.pipelining
    assert session.extensions.starttls
    assert session.extensions.max_size_octets == 1_000_000


def test_a_refused_ehlo_falls_back_to_helo() -> None:
    session = ClientSession(greeting_name="relay.test")
    session.receive(b"220 mx\r\n")
    session.take_output()

    session.receive(b"502 5.5.1 what?\r\n")

    assert session.take_output() == b"HELO relay.test\r\n"
    assert session.receive(b"250-mx\r\n250 PIPELINING\r\n") == [SessionReady()]
    assert not session.extensions.pipelining


@pytest.mark.parametrize(
    ("octets", "kind", "stage"),
    [
        pytest.param(b"554 5.7.1 go away\r\n", FailureKind.REFUSED, Stage.GREETING, id="greeting 554"),
        pytest.param(b"421 4.3.2 busy\r\n", FailureKind.SHUTTING_DOWN, Stage.GREETING, id="greeting 421"),
        pytest.param(b"250 hello\r\n", FailureKind.VIOLATION, Stage.GREETING, id="greeting 250"),
        pytest.param(b"220 mx\r\n450 later\r\n", FailureKind.REFUSED, Stage.HELLO, id="EHLO 450"),
        pytest.param(b"220 mx\r\n421 later\r\n", FailureKind.SHUTTING_DOWN, Stage.HELLO, id="EHLO 421"),
        pytest.param(b"220 mx\r\n554 no\r\n554 no\r\n", FailureKind.REFUSED, Stage.HELLO, id="EHLO and HELO 554"),
        pytest.param(b"220 mx\r\n354 no\r\n", FailureKind.VIOLATION, Stage.HELLO, id="EHLO 354"),
        pytest.param(b"220 mx\r\n250 mx\r\n250 mx\r\n", FailureKind.VIOLATION, Stage.IDLE, id="a reply too many"),
        pytest.param(b"220 mx\r\n250 mx\r\n421 idle\r\n", FailureKind.SHUTTING_DOWN, Stage.IDLE, id="421 when idle"),
        pytest.param(b"SSH-2.0-x\r\n", FailureKind.VIOLATION, Stage.GREETING, id="not SMTP"),
    ],
)
def test_a_session_that_cannot_go_on_fails(octets: bytes, kind: FailureKind, stage: Stage) -> None:
    session = ClientSession(greeting_name="relay.test")

    failure = failure_of(session.receive(octets))

    assert (failure.kind, failure.stage) == (kind, stage)
    assert session.is_over
    assert session.receive(b"220 more\r\n") == []


# ---- TLS


def test_after_the_handshake_ehlo_is_said_again_and_the_old_extensions_are_forgotten() -> None:
    session = ready()
    session.start_tls()
    assert session.take_output() == b"STARTTLS\r\n"

    assert session.receive(b"220 go\r\n") == [TLSAgreed()]
    session.tls_established()

    assert session.take_output() == b"EHLO relay.test\r\n"
    assert not session.extensions.pipelining
    assert session.receive(EHLO_NONE) == [SessionReady()]
    assert not session.extensions.starttls


@pytest.mark.parametrize("code", [454, 501, 554])
def test_a_refused_starttls_leaves_the_session_ready(code: int) -> None:
    session = ready()
    session.start_tls()

    assert session.receive(b"%d no\r\n" % code) == [SessionReady()]
    assert session.is_ready
    assert session.tls_refusal == Reply(code, "", "no")


@pytest.mark.parametrize("injected", [b"250 x\r\n", b"2"], ids=["a reply", "part of one"])
def test_a_reply_injected_before_the_handshake_ends_the_session(injected: bytes) -> None:
    session = ready()
    session.start_tls()

    events = session.receive(b"220 go\r\n" + injected)

    assert failure_of(events).kind is FailureKind.VIOLATION
    assert TLSAgreed() not in events


def test_octets_that_arrive_before_the_handshake_end_the_session() -> None:
    session = ready()
    session.start_tls()
    session.receive(b"220 go\r\n")

    assert failure_of(session.receive(b"2")).stage is Stage.HANDSHAKE


# ---- one transaction, pipelined


def test_the_whole_envelope_leaves_in_one_write() -> None:
    session = ready()

    session.begin(transaction("a", "b"))

    assert session.take_output() == (
        b"MAIL FROM:<author@x.test> SIZE=5\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n"
    )


def test_a_message_is_delivered_to_those_accepted() -> None:
    session = ready()
    session.begin(transaction("a", "b"))
    session.take_output()

    assert session.receive(b"250 ok\r\n550 5.1.1 unknown\r\n250 ok\r\n354 go\r\n") == [ContentWanted()]
    assert send_content(session) == b"a\r\n..b\r\n.\r\n"
    assert session.stage is Stage.FINAL_DOT
    result = result_of(session.receive(b"250 2.0.0 queued\r\n"))

    assert result.failure is None
    assert result.dot_sent
    assert [reply and reply.code for reply in result.recipients] == [550, 250]
    assert result.content == Reply(250, "2.0.0", "queued")
    assert session.is_ready


@pytest.mark.parametrize(
    ("replies", "reset"),
    [
        pytest.param(b"550 no\r\n503 no\r\n503 no\r\n", True, id="MAIL refused"),
        pytest.param(b"250 ok\r\n550 no\r\n554 no valid recipients\r\n", True, id="RCPT refused"),
        pytest.param(b"250 ok\r\n250 ok\r\n451 later\r\n", True, id="DATA refused"),
    ],
)
def test_after_a_refusal_the_session_resets_before_the_next_transaction(replies: bytes, reset: bool) -> None:
    session = ready()
    session.begin(transaction("a"))
    session.take_output()

    result = result_of(session.receive(replies))
    session.begin(transaction("b"))

    assert not result.dot_sent
    assert result.failure is None
    assert session.take_output().startswith(b"RSET\r\nMAIL") is reset
    assert session.receive(b"250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n") == [ContentWanted()]


@pytest.mark.parametrize("mail", [b"250 ok\r\n", b"550 no\r\n"], ids=["MAIL taken", "MAIL refused"])
def test_354_without_a_recipient_gets_the_lone_dot(mail: bytes) -> None:
    session = ready()
    session.begin(transaction("a"))
    session.take_output()

    assert session.receive(mail + b"550 no\r\n354 go\r\n") == []
    assert session.take_output() == b".\r\n"
    result = result_of(session.receive(b"554 no valid recipients\r\n"))

    assert not result.dot_sent
    assert session.is_ready


def test_a_peer_that_refuses_mail_and_takes_the_rest_gets_no_content() -> None:
    session = ready()
    session.begin(transaction("a"))
    session.take_output()

    events = session.receive(b"550 no\r\n250 ok\r\n354 go\r\n")

    assert failure_of(events).kind is FailureKind.VIOLATION
    assert session.take_output() == b""


@pytest.mark.parametrize(
    ("replies", "kind", "stage"),
    [
        pytest.param(b"421 bye\r\n", FailureKind.SHUTTING_DOWN, Stage.MAIL, id="421 to MAIL"),
        pytest.param(b"250 ok\r\n421 bye\r\n", FailureKind.SHUTTING_DOWN, Stage.RECIPIENT, id="421 to RCPT"),
        pytest.param(b"250 ok\r\n250 ok\r\n421 bye\r\n", FailureKind.SHUTTING_DOWN, Stage.DATA, id="421 to DATA"),
        pytest.param(b"354 hm\r\n", FailureKind.VIOLATION, Stage.MAIL, id="354 to MAIL"),
        pytest.param(b"250 ok\r\n354 hm\r\n", FailureKind.VIOLATION, Stage.RECIPIENT, id="354 to RCPT"),
        pytest.param(b"250 ok\r\n250 ok\r\n250 hm\r\n", FailureKind.VIOLATION, Stage.DATA, id="250 to DATA"),
        pytest.param(b"250 ok\r\n250 ok\r\nwhat\r\n", FailureKind.VIOLATION, Stage.DATA, id="no reply at all"),
        pytest.param(b"250 ok\r\n250 ok\r\n354 go\r\n250 hm\r\n", FailureKind.VIOLATION, Stage.CONTENT, id="too early"),
        pytest.param(b"250 ok\r\n250 ok\r\n354 go\r\n552 big\r\n", FailureKind.REFUSED, Stage.CONTENT, id="cut off"),
    ],
)
def test_a_failure_ends_the_transaction_and_the_session(replies: bytes, kind: FailureKind, stage: Stage) -> None:
    session = ready()
    session.begin(transaction("a"))
    session.take_output()

    events = session.receive(replies)

    result = result_of(events)
    assert result.failure == failure_of(events)
    assert (failure_of(events).kind, failure_of(events).stage) == (kind, stage)
    assert not result.dot_sent


def test_a_refusal_in_the_middle_of_the_content_is_its_reply() -> None:
    session = ready()
    session.begin(transaction("a"))
    session.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    session.write_content(b"a\r\n")

    result = result_of(session.receive(b"552 5.3.4 too big\r\n"))

    assert result.content == Reply(552, "5.3.4", "too big")
    assert not result.dot_sent


@pytest.mark.parametrize("dot", [True, False], ids=["after the dot", "before the dot"])
def test_a_closed_connection_tells_whether_the_dot_was_sent(dot: bool) -> None:
    session = ready()
    session.begin(transaction("a"))
    session.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    session.write_content(b"a\r\n")
    if dot:
        session.end_content()

    result = result_of(session.fail(FailureKind.CLOSED))

    assert result.dot_sent is dot
    assert result.content is None
    assert result.failure is not None
    assert result.failure.stage is (Stage.FINAL_DOT if dot else Stage.CONTENT)
    assert session.fail(FailureKind.CLOSED) == []


def test_421_to_the_final_dot_is_an_answer_and_ends_the_session() -> None:
    session = ready()
    session.begin(transaction("a"))
    session.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    send_content(session)

    events = session.receive(b"421 4.3.0 not now\r\n")

    assert result_of(events).content == Reply(421, "4.3.0", "not now")
    assert failure_of(events).kind is FailureKind.SHUTTING_DOWN


# ---- one transaction, step by step


def test_without_pipelining_each_command_waits_for_its_reply() -> None:
    session = ready(EHLO_NONE)
    session.begin(transaction("a", "b"))

    written = [session.take_output()]
    for reply in (b"250 ok\r\n", b"250 ok\r\n", b"450 later\r\n"):
        session.receive(reply)
        written.append(session.take_output())

    assert written == [
        b"MAIL FROM:<author@x.test>\r\n",
        b"RCPT TO:<a@x.test>\r\n",
        b"RCPT TO:<b@x.test>\r\n",
        b"DATA\r\n",
    ]
    assert session.receive(b"354 go\r\n") == [ContentWanted()]


@pytest.mark.parametrize(
    ("replies", "reset"),
    [
        pytest.param([b"550 no\r\n"], False, id="MAIL refused"),
        pytest.param([b"250 ok\r\n", b"550 no\r\n"], True, id="every RCPT refused"),
    ],
)
def test_without_pipelining_a_refusal_ends_the_transaction_early(replies: list[bytes], reset: bool) -> None:
    session = ready(EHLO_NONE)
    session.begin(transaction("a"))

    events = [event for reply in replies for event in session.receive(reply)]
    session.take_output()
    session.begin(transaction("b"))

    assert result_of(events).data is None
    assert session.take_output().startswith(b"RSET\r\n") is reset


def test_a_refused_rset_ends_the_session() -> None:
    session = ready(EHLO_NONE)
    session.begin(transaction("a"))
    session.receive(b"250 ok\r\n")
    session.receive(b"550 no\r\n")
    session.begin(transaction("b"))

    assert failure_of(session.receive(b"500 what\r\n")).stage is Stage.RESET


# ---- the owner's mistakes


def test_what_cannot_be_sent_now_is_refused() -> None:
    session = ClientSession(greeting_name="relay.test")

    for call in (session.start_tls, session.tls_established, session.quit, session.end_content):
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(RuntimeError):
        session.begin(transaction("a"))
    with pytest.raises(RuntimeError):
        session.write_content(b"a")


def test_quit_ends_the_session() -> None:
    session = ready()
    session.quit()

    assert session.take_output() == b"QUIT\r\n"
    assert failure_of(session.receive(b"221 bye\r\n")).stage is Stage.QUIT
    assert session.is_over


# ---- splits


def run(pieces: list[bytes]) -> tuple[list[ClientEvent], bytes]:
    """Feed a session that begins a transaction as soon as it is ready and writes content as soon as it is asked."""
    session = ClientSession(greeting_name="relay.test")
    seen: list[ClientEvent] = []
    written = b""
    for piece in pieces:
        events = session.receive(piece)
        seen += events
        for event in events:
            if isinstance(event, SessionReady) and not session.is_over:
                session.begin(transaction("a", "b"))
            elif isinstance(event, ContentWanted) and not session.is_over:
                send_content(session)
        written += session.take_output()
    return seen, written


REPLIES = st.lists(
    st.sampled_from(
        [b"250 ok\r\n", b"550 5.1.1 no\r\n", b"354 go\r\n", b"421 bye\r\n", b"250-x\r\n", b"junk\r\n", b"4"]
    ),
    max_size=8,
)


@given(script=REPLIES, cuts=st.lists(st.integers(0, 80), max_size=6), ehlo=st.sampled_from([EHLO_ALL, EHLO_NONE]))
def test_replies_cut_anywhere_give_the_same_events(script: list[bytes], cuts: list[int], ehlo: bytes) -> None:
    """Cut within each reply: a peer may not answer what it has not been asked yet, so whole replies come one by one."""
    opening = [b"220 mx\r\n", ehlo]

    whole = run(opening + script)
    bytewise = run([bytes([octet]) for reply in opening + script for octet in reply])
    at_random = run([part for reply in opening + script for part in _cut(reply, cuts)])

    assert bytewise[0] == whole[0]
    assert at_random[0] == whole[0]
    assert bytewise[1] == whole[1]


def _cut(octets: bytes, cuts: list[int]) -> list[bytes]:
    borders = [0, *sorted(cut for cut in cuts if cut <= len(octets)), len(octets)]
    return [octets[start:end] for start, end in pairwise(borders)]


@given(script=REPLIES)
def test_pipelined_replies_in_one_piece_give_the_same_result_as_one_by_one(script: list[bytes]) -> None:
    envelope = [reply for reply in script if reply != b"4"][:4]
    one_by_one, at_once = ready(), ready()
    for session in (one_by_one, at_once):
        session.begin(transaction("a", "b"))
        session.take_output()

    assert [e for reply in envelope for e in one_by_one.receive(reply)] == at_once.receive(b"".join(envelope))


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_garbage_gives_events_and_nothing_else(pieces: list[bytes]) -> None:
    session = ClientSession(greeting_name="relay.test")

    failures = [e for piece in pieces for e in session.receive(piece) if isinstance(e, SessionFailed)]

    assert len(failures) <= 1
    assert session.is_over is bool(failures)
