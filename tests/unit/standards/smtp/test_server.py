"""What dialogs cannot say: decisions that take their time, limits of memory, splits, garbage."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import MAX_WAITING_OCTETS, ServerSession, SessionSettings
from gatepost.standards.smtp.status_codes import EARLY_OCTETS, STRAY_OCTET_IN_COMMAND

ANN = Mailbox(local_part="ann", domain="example.com")
BOB = Mailbox(local_part="bob", domain="example.net")
MAIL = b"MAIL FROM:<ann@example.com>\r\n"
RCPT = b"RCPT TO:<bob@example.net>\r\n"
TIMEOUT = Reply(421, "4.4.2", "Too slow")
NO = Reply(550, "5.7.1", "No")

# Events


def test_a_transaction_is_told_step_by_step(authenticate) -> None:
    driver = authenticate()
    driver.send(b"MAIL FROM:<ann@example.com> SIZE=9 BODY=8BITMIME\r\n" + RCPT + b"DATA\r\n")
    driver.send(b"Hello.\r\n.\r\n")

    assert driver.events == [
        TransactionOffered(ANN, 9, BodyType.EIGHT_BIT_MIME, smtputf8=False),
        RecipientOffered(BOB),
        ContentOffered(),
        ContentReceived(b"Hello.\r\n"),
        ContentEnded(),
    ]


def test_a_credential_is_told_with_its_mechanism(connect) -> None:
    driver = connect(tls_active=True)
    driver.send(b"EHLO a\r\n")
    driver.send(b"AUTH PLAIN AGFwaWtleQBzZWNyZXQ=\r\n")

    assert driver.events == [CredentialOffered("PLAIN", "apikey", Secret(b"secret"))]
    assert driver.session.is_authenticated


def test_the_owner_may_use_its_own_words(authenticate) -> None:
    driver = authenticate()
    driver.accepts = False
    driver.send(MAIL)

    driver.session.accept(Reply(250, "2.1.0", "Welcome"))

    assert driver.run() == b"250 2.1.0 Welcome\r\n"


@pytest.mark.parametrize(
    ("ending", "reply"),
    [(b"RSET\r\n", b"250 2.0.0"), (b"EHLO b\r\n", b"250-relay"), (b"HELO b\r\n", b"250 relay")],
    ids=["RSET", "EHLO", "HELO"],
)
def test_a_transaction_that_is_given_up_is_told_once(authenticate, ending, reply) -> None:
    driver = authenticate()
    driver.send(MAIL)
    driver.events.clear()

    assert driver.send(ending).startswith(reply)
    assert not driver.session.has_transaction
    driver.send(b"RSET\r\n")

    assert driver.events == [TransactionAborted()]


@pytest.mark.parametrize("ending", [b"QUIT\r\n", b"GET /\r\n", b"RS\nET\r\n"], ids=repr)
def test_the_end_of_a_session_ends_its_transaction(authenticate, ending) -> None:
    driver = authenticate()
    driver.send(MAIL + RCPT)
    driver.events.clear()
    driver.send(ending)

    assert driver.events == [TransactionAborted(), SessionEnded()]
    assert driver.session.is_ended


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"ok\r\n" + b"x" * 1500, True, id="a line too long"),
        pytest.param(b"\xe9\r\n", True, id="8 bits"),
        pytest.param(b"ok\r\n" * 300, True, id="too large"),
        pytest.param(b"ok\r\n" * 200, False, id="nothing wrong"),
    ],
)
def test_content_that_will_be_refused_is_let_go_at_once(begin_content, content, told) -> None:
    driver = begin_content(max_size_octets=1000, parameters=b" BODY=7BIT")

    assert driver.send(content) == b""

    assert (TransactionAborted() in driver.events) == told
    assert driver.session.has_transaction != told


def test_content_that_is_refused_is_told_once_and_asks_nothing(begin_content) -> None:
    driver = begin_content(parameters=b" BODY=7BIT")

    assert driver.send(b"\xe9\r\nmore\r\n") == b""
    assert driver.send(b"and more\r\n.\r\n").startswith(b"554 5.6.3 ")

    assert driver.events == [TransactionAborted()]


@pytest.mark.parametrize("parameters", [b" BODY=8BITMIME", b" SMTPUTF8", b""])
def test_8_bits_are_taken_where_they_were_announced_or_nothing_was_said(begin_content, parameters) -> None:
    driver = begin_content(parameters=parameters)

    assert driver.send(b"\xe9\r\n.\r\n") == b"250 2.0.0 Ok: queued as it\r\n"


def test_undeclared_8_bits_are_refused_where_the_operator_says_so(begin_content) -> None:
    driver = begin_content(takes_undeclared_8bit=False)

    assert driver.send(b"\xe9\r\n.\r\n").startswith(b"554 5.6.3 ")


# Decisions that take their time


def test_nothing_behind_a_question_is_read_until_it_is_answered(authenticate) -> None:
    driver = authenticate()
    driver.accepts = False

    assert driver.send(MAIL + RCPT) == b""
    assert driver.session.is_waiting
    assert driver.send(b"NOOP\r\n") == b""
    assert len(driver.events) == 1
    driver.session.accept()
    assert driver.run() == b"250 2.1.0 Sender address accepted\r\n"
    driver.session.refuse(NO)
    assert driver.run() == b"550 5.7.1 No\r\n250 2.0.0 Ok\r\n"


def test_what_gathers_behind_a_question_is_limited_and_the_answer_is_still_heard(begin_content) -> None:
    driver = begin_content()
    driver.accepts = False
    driver.send(b".\r\n")
    for _ in range(MAX_WAITING_OCTETS // 1024 + 1):
        driver.session.receive(b"x" * 1024)

    assert len(driver.session._input) <= MAX_WAITING_OCTETS
    driver.session.accept(Reply(250, "2.0.0", "Ok: queued as it"))

    assert driver.run() == b"250 2.0.0 Ok: queued as it\r\n" + EARLY_OCTETS.octets
    assert driver.events[-1] == SessionEnded()


@pytest.mark.parametrize(("accepts", "output"), [(True, EARLY_OCTETS.octets), (False, NO.octets)])
def test_octets_that_come_before_the_answer_to_data_close(authenticate, accepts, output) -> None:
    driver = authenticate()
    driver.accepts = False
    for octets in (MAIL, RCPT):
        driver.send(octets)
        driver.session.accept()
    driver.run()
    driver.send(b"DATA\r\n")
    driver.session.receive(b"Hello.\r\n.\r\n")

    if accepts:
        driver.session.accept()
    else:
        driver.session.refuse(NO)

    assert driver.run() == output
    assert driver.events[-2:] == [TransactionAborted(), SessionEnded()]


@pytest.mark.parametrize(("accepts", "output"), [(True, EARLY_OCTETS.octets), (False, NO.octets)])
def test_octets_that_come_before_the_answer_to_auth_close(connect, accepts, output) -> None:
    driver = connect(tls_active=True)
    driver.accepts = False
    driver.send(b"EHLO a\r\n")
    driver.send(b"AUTH PLAIN AGFwaWtleQBzZWNyZXQ=\r\n")
    driver.session.receive(MAIL)

    if accepts:
        driver.session.accept()
    else:
        driver.session.refuse(NO)

    assert driver.run() == output
    assert driver.session.is_ended
    assert not driver.session.is_authenticated


def test_a_refusal_may_close(authenticate) -> None:
    driver = authenticate()
    driver.accepts = False
    driver.send(MAIL + RCPT)

    driver.session.refuse(NO, close=True)

    assert driver.run() == NO.octets
    assert driver.events[-1] == SessionEnded()
    assert driver.session.is_ended


def test_a_decision_that_comes_after_the_end_is_ignored(authenticate) -> None:
    driver = authenticate()
    driver.accepts = False
    driver.send(MAIL)
    driver.session.end(TIMEOUT)
    assert driver.run() == TIMEOUT.octets

    driver.session.accept()
    driver.session.refuse(NO)
    driver.session.end(NO)

    assert driver.run() == b""


def test_a_decision_that_was_not_asked_for_is_a_mistake_of_the_owner(authenticate) -> None:
    session = authenticate().session

    with pytest.raises(RuntimeError):
        session.accept()
    with pytest.raises(RuntimeError):
        session.refuse(NO)
    with pytest.raises(RuntimeError):
        session.tls_established()


# Ends from our side


def test_an_end_while_content_arrives_overtakes_what_was_not_taken(begin_content) -> None:
    driver = begin_content()
    driver.session.receive(b"Hello.\r\n.\r\n")
    assert driver.session.next_event() == ContentReceived(b"Hello.\r\n")

    driver.session.end(Reply(421, "4.3.1", "No memory"))

    assert driver.run() == b"421 4.3.1 No memory\r\n"
    assert driver.events == [TransactionAborted(), SessionEnded()]


def test_nothing_is_read_or_said_after_the_end(authenticate) -> None:
    driver = authenticate()
    driver.session.end(TIMEOUT)
    driver.run()

    assert driver.send(MAIL) == b""
    assert driver.events == [SessionEnded()]


def test_errors_are_forgiven_by_an_accepted_message(authenticate) -> None:
    driver = authenticate(max_errors=2)

    for _ in range(3):
        assert driver.codes(b"WHAT\r\n" + MAIL + RCPT + b"DATA\r\n") == [500, 250, 250, 354]
        assert driver.codes(b".\r\n") == [250]
    assert driver.codes(b"WHAT\r\nWHAT\r\nNOOP\r\n") == [500, 500, 421]


def test_refusals_for_now_are_not_the_clients_errors(authenticate) -> None:
    driver = authenticate(max_errors=1, max_recipients=1)
    driver.accepts = False
    driver.send(MAIL)
    driver.session.refuse(Reply(451, "4.3.0", "Later"))
    driver.accepts = True

    assert driver.codes(b"NOOP\r\n" + MAIL + RCPT) == [451, 250, 250, 250]
    assert driver.codes(RCPT * 50) == [452] * 50


def test_a_refused_message_ends_the_transaction(begin_content) -> None:
    driver = begin_content()
    driver.accepts = False
    driver.send(b".\r\n")
    driver.session.refuse(NO)

    assert not driver.session.has_transaction
    assert driver.codes(RCPT) == [550, 503]


def test_recipients_are_counted_anew_in_each_transaction(authenticate) -> None:
    driver = authenticate(max_recipients=1)

    for _ in range(2):
        assert driver.codes(MAIL + RCPT + RCPT + b"DATA\r\n") == [250, 250, 452, 354]
        assert driver.codes(b".\r\n" + MAIL + RCPT + RCPT + b"RSET\r\n") == [250, 250, 250, 452, 250]


def test_a_refused_message_is_not_counted_as_a_message(begin_content) -> None:
    driver = begin_content(max_messages=1, parameters=b" BODY=7BIT")
    assert driver.codes(b"\xe9\r\n.\r\n") == [554]

    assert driver.codes(MAIL + RCPT + b"DATA\r\n") == [250, 250, 354]
    assert driver.codes(b".\r\n" + MAIL) == [250, 421]


def test_a_session_that_ends_for_two_reasons_tells_the_first(authenticate) -> None:
    driver = authenticate(max_errors=1)
    driver.accepts = False
    driver.send(MAIL)
    driver.session.receive(b"x" * (MAX_WAITING_OCTETS + 1))

    driver.session.refuse(NO)

    assert driver.run() == NO.octets + b"421 4.7.0 Too many errors; closing\r\n"
    assert driver.events[1:] == [SessionEnded()]


# Opening and TLS


def test_the_greeting_is_said_once_asked_for() -> None:
    session = ServerSession(SessionSettings(host_name="relay.example"))

    assert session.take_output() == b""
    session.greet()
    assert session.take_output() == b"220 relay.example ESMTP Gatepost ready\r\n"


def test_a_client_that_speaks_first_is_sent_away() -> None:
    session = ServerSession(SessionSettings(host_name="relay.example"))
    session.receive(b"EHLO a\r\n")

    assert session.next_event() is None
    session.greet()

    assert session.take_output() == EARLY_OCTETS.octets
    assert session.next_event() == SessionEnded()


def test_what_the_client_said_is_known_until_tls(connect) -> None:
    driver = connect()
    driver.send(b"EHLO client.example\r\n")
    assert (driver.session.greeting, driver.session.is_extended) == ("client.example", True)
    assert driver.send(b"STARTTLS\r\n") == b"220 2.0.0 Begin TLS negotiation now\r\n"
    assert driver.events == [TLSRequested()]

    driver.session.tls_established()

    assert (driver.session.greeting, driver.session.is_extended) == ("", False)
    assert driver.session.is_tls_active
    assert not driver.session.is_waiting


def test_octets_in_the_clear_after_starttls_end_the_session_without_a_word(connect) -> None:
    driver = connect()
    driver.send(b"EHLO a\r\n")
    driver.send(b"STARTTLS\r\n")

    assert driver.send(b"NOOP\r\n") == b""
    driver.session.tls_established()

    assert driver.session.is_ended
    assert not driver.session.is_tls_active
    assert driver.events[-1] == SessionEnded()


def test_octets_in_one_piece_with_starttls_are_never_obeyed(connect) -> None:
    driver = connect()
    driver.send(b"EHLO a\r\n")

    assert driver.send(b"STARTTLS\r\nNOOP\r\n") == EARLY_OCTETS.octets
    assert TLSRequested() not in driver.events


def test_an_end_during_the_handshake_says_nothing_in_the_clear(connect) -> None:
    driver = connect()
    driver.send(b"EHLO a\r\n")
    driver.send(b"STARTTLS\r\n")
    driver.session.end(TIMEOUT)

    assert driver.run() == b""
    assert driver.events[-1] == SessionEnded()


@pytest.mark.parametrize("argument", ["a\x7fb", "a\tb", "ü", "a\u2028b", "a\x85b"], ids=ascii)
def test_a_host_name_that_cannot_be_printed_is_refused_and_forgotten(connect, argument) -> None:
    driver = connect()

    assert driver.send(b"EHLO " + argument.encode() + b"\r\n").startswith(b"501 5.5.4 ")
    assert driver.session.greeting == ""


# Splits and garbage

COMMANDS = st.sampled_from(
    [
        MAIL,
        MAIL,
        RCPT,
        RCPT,
        b"MAIL FROM:<> BODY=8BITMIME\r\n",
        b"RCPT TO:<@a.example:b@c.example>\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY a\r\n",
        b"WHAT\r\n",
        b"NOOP " + b"x" * 600 + b"\r\n",
        b"NOOP " + b"x" * 13_000 + b"\r\n",
        b"NO\nOP\r\n",
        b"\r\n",
    ]
)
ENDS = st.sampled_from([b"DATA\r\n", b"DATA\r\n", b"DATA\r\n", b"EHLO b\r\n", b"AUTH LOGIN\r\n", b"QUIT\r\n", b""])
CONTENT = st.lists(
    st.sampled_from(
        [
            b"Hello.\r\n",
            b"..\r\n",
            b".a\r\n",
            b"x" * 998 + b"\r\n",
            b"x" * 1200 + b"\r\n",
            b"\xe9\r\n",
            b"\n.\r\n",
            b"\r\n.\r",
            b"\0",
            b"y" * 98 + b"\r\n",
        ]
    ),
    max_size=6,
).map(lambda lines: b"".join(lines) + b"\r\n.\r\n")
GROUPS = st.tuples(st.one_of(st.just(b""), CONTENT), st.lists(COMMANDS, max_size=4).map(b"".join), ENDS).map(b"".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # it makes new sessions
@given(groups=st.lists(GROUPS, min_size=1, max_size=5), data=st.data())
def test_splits_of_a_group_do_not_matter(authenticate, groups, data) -> None:
    """Between groups the client has waited for replies, so groups themselves are not joined: that would be pipelining
    where it is not allowed, which does matter."""
    whole, split, bytewise = (authenticate(max_size_octets=1500) for _ in range(3))

    for group in groups:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(group)), max_size=5)))
        pieces = [group[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(group)], strict=True)]

        said = whole.send(group)

        assert b"".join(split.send(piece) for piece in pieces) == said
        assert b"".join(bytewise.send(group[at : at + 1]) for at in range(len(group))) == said
        assert finished(split.events) == finished(bytewise.events) == finished(whole.events)


def finished(events: list[object]) -> list[object]:
    """Leave out content that was let go again: how much of it is told depends on the pieces it came in."""
    return [
        event
        for event, following in zip(events, [*events, None][1:], strict=True)
        if not isinstance(event, ContentReceived) or following == ContentEnded()
    ]


REPLIES = re.compile(rb"(?:[2345][0-9]{2}[ -][ -~]*\r\n)*")


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), GROUPS), max_size=8), st.booleans())
def test_garbage_gets_replies_and_nothing_else(pieces, tls_active) -> None:
    session = ServerSession(SessionSettings(host_name="relay.example", takes_auth=tls_active), tls_active=tls_active)
    session.greet()
    for piece in pieces:
        session.receive(piece)
        while event := session.next_event():
            if isinstance(event, TLSRequested):
                session.tls_established()
            elif session.is_waiting and not isinstance(event, ContentReceived):
                session.accept()
        assert REPLIES.fullmatch(session.take_output())


def test_an_endless_command_line_takes_no_memory(authenticate) -> None:
    driver = authenticate()

    for _ in range(1000):
        driver.send(b"x" * 1500)

    assert len(driver.session._input) <= 12_288
    assert driver.send(b"\r\nNOOP\r\n") == b"500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n"


def test_a_stray_octet_is_answered_before_the_session_closes(authenticate) -> None:
    driver = authenticate()

    assert driver.send(b"NOOP\r\nNOOP\nNOOP\r\n") == b"250 2.0.0 Ok\r\n" + STRAY_OCTET_IN_COMMAND.octets
