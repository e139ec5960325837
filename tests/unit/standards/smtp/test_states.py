"""The tables, and a session against a model that keeps the same rules in another form."""

from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gatepost.standards.smtp.commands import Verb
from gatepost.standards.smtp.events import ServerEvent
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession, SessionSettings
from gatepost.standards.smtp.states import ACCEPTED, COMMANDS, ENDS_GROUP, FIXED_REPLIES, REFUSED, State, greeted

READING_NO_COMMANDS = {State.OPENING, State.HANDSHAKE, State.EXCHANGE, State.CONTENT, State.ENDED}


def test_every_state_that_reads_commands_has_a_row_and_no_other() -> None:
    assert set(COMMANDS) == set(State) - READING_NO_COMMANDS


@pytest.mark.parametrize("state", COMMANDS)
def test_every_row_has_every_command(state) -> None:
    assert set(COMMANDS[state]) == set(Verb)


@pytest.mark.parametrize("state", COMMANDS)
def test_a_command_out_of_order_is_refused_for_good(state) -> None:
    assert all(reply is None or reply.is_permanent for reply in COMMANDS[state].values())


@pytest.mark.parametrize(
    "verb", [Verb.EHLO, Verb.HELO, Verb.RSET, Verb.NOOP, Verb.QUIT, Verb.VRFY, Verb.EXPN, Verb.HELP]
)
def test_some_commands_are_legal_anywhere(verb) -> None:
    assert all(row[verb] is None for row in COMMANDS.values())


def test_mail_is_legal_only_where_a_transaction_may_begin() -> None:
    assert [state for state, row in COMMANDS.items() if row[Verb.MAIL] is None] == [State.READY]


def test_content_is_legal_only_with_a_recipient() -> None:
    assert [state for state, row in COMMANDS.items() if row[Verb.DATA] is None] == [State.RECIPIENTS]


def test_auth_is_legal_only_over_tls() -> None:
    assert [state for state, row in COMMANDS.items() if row[Verb.AUTH] is None] == [State.UNAUTHENTICATED]


def test_every_decision_has_both_ways() -> None:
    assert set(ACCEPTED) == set(REFUSED) <= set(get_args(ServerEvent))


def test_fixed_replies_are_of_commands_that_change_nothing() -> None:
    assert not set(FIXED_REPLIES) & ENDS_GROUP


@pytest.mark.parametrize(
    ("by_ehlo", "tls_active", "may_send", "state"),
    [
        (True, False, False, State.UNPROTECTED),
        (True, True, False, State.UNAUTHENTICATED),
        (True, True, True, State.READY),
        (True, False, True, State.READY),
        (False, False, False, State.HELO_ONLY),
        (False, True, False, State.HELO_ONLY),
        (False, True, True, State.READY),
    ],
)
def test_where_a_greeting_leads(by_ehlo, tls_active, may_send, state) -> None:
    assert greeted(by_ehlo=by_ehlo, tls_active=tls_active, may_send=may_send) is state


class SessionAgainstModel(RuleBasedStateMachine):
    """Commands in any order, one at a time; the model is five facts and says the code of each reply."""

    @initialize(
        takes_auth=st.booleans(), tls=st.booleans(), offers_starttls=st.booleans(), may_send_at_once=st.booleans()
    )
    def connect(self, *, takes_auth: bool, tls: bool, offers_starttls: bool, may_send_at_once: bool) -> None:
        settings = SessionSettings(
            host_name="relay.example",
            takes_auth=takes_auth,
            offers_starttls=offers_starttls,
            max_errors=10_000,
            max_recipients=3,
            max_size_octets=100,
            takes_undeclared_8bit=False,
        )
        self.session = ServerSession(settings, tls_active=tls)
        self.session.greet()
        self.session.take_output()
        self.takes_auth, self.tls, self.offers_starttls = takes_auth, tls, offers_starttls
        self.greeting = ""  # "", "HELO" or "EHLO"
        self.authenticated = False
        self.sender = False
        self.recipients = 0
        self.ended = False
        self.steps = 0
        if may_send_at_once and tls and takes_auth:
            self.greet("EHLO")
            self.auth(accepts=True, has_initial=True)

    def say(self, line: bytes) -> int:
        """Send a line, leave what is asked open, and return the code of the last reply line; 0 for none."""
        self.session.receive(line + b"\r\n")
        self.event = self.session.next_event()
        lines = self.session.take_output().split(b"\r\n")
        return int(lines[-2][:3]) if len(lines) > 1 else 0

    def decide(self, accepts: bool) -> int:
        if accepts:
            self.session.accept()
        else:
            self.session.refuse(Reply(550, "5.7.1", "No"))
        return int(self.session.take_output()[:3])

    def end_transaction(self) -> None:
        self.sender = False
        self.recipients = 0

    @property
    def may_send(self) -> bool:
        return self.authenticated or (not self.takes_auth and self.greeting != "")

    @property
    def refused(self) -> int:
        """What MAIL, RCPT and DATA get of a client that may not send."""
        return 550 if self.greeting else 503

    @precondition(lambda self: not self.ended)
    @rule(verb=st.sampled_from(["EHLO", "HELO"]))
    def greet(self, verb: str) -> None:
        assert self.say(verb.encode() + b" a") == 250
        self.greeting = verb
        self.end_transaction()

    @precondition(lambda self: not self.ended)
    @rule()
    def starttls(self) -> None:
        code = self.say(b"STARTTLS")
        if self.tls:
            assert code == 503
        elif not self.offers_starttls:
            assert code == 454
        elif self.sender or not self.greeting or (self.takes_auth and self.greeting == "HELO"):
            assert code == 503
        else:
            assert code == 220
            self.session.tls_established()
            self.tls = True
            self.greeting = ""

    @precondition(lambda self: not self.ended)
    @rule(accepts=st.booleans(), has_initial=st.booleans())
    def auth(self, *, accepts: bool, has_initial: bool) -> None:
        code = self.say(b"AUTH PLAIN AGEAYg==" if has_initial else b"AUTH PLAIN")
        if not self.takes_auth:
            assert code == 502
        elif self.greeting != "EHLO" or self.authenticated:
            assert code == 503
        elif not self.tls:
            assert code == 538
        else:
            if not has_initial:
                assert code == 334
                code = self.say(b"AGEAYg==")
            assert code == 0
            assert self.decide(accepts) == (235 if accepts else 550)
            self.authenticated = accepts

    @precondition(lambda self: not self.ended)
    @rule(accepts=st.booleans(), size=st.sampled_from([None, 100, 101]))
    def mail(self, *, accepts: bool, size: int | None) -> None:
        parameter = b"" if size is None else b" SIZE=%d" % size
        code = self.say(b"MAIL FROM:<a@example.com>" + parameter)
        if not self.may_send:
            assert code == self.refused
        elif self.sender:
            assert code == 503
        elif parameter and self.greeting == "HELO":
            assert code == 555
        elif size == 101:
            assert code == 552
        else:
            assert code == 0
            assert self.decide(accepts) == (250 if accepts else 550)
            self.sender = accepts

    @precondition(lambda self: not self.ended)
    @rule(accepts=st.booleans())
    def rcpt(self, *, accepts: bool) -> None:
        code = self.say(b"RCPT TO:<b@example.com>")
        if not self.may_send:
            assert code == self.refused
        elif not self.sender:
            assert code == 503
        elif self.recipients == 3:
            assert code == 452
        else:
            assert code == 0
            assert self.decide(accepts) == (250 if accepts else 550)
            self.recipients += accepts

    @precondition(lambda self: not self.ended)
    @rule(accepts=st.booleans(), accepts_message=st.booleans(), content=st.sampled_from([b"a", b"x" * 120, b"\xe9"]))
    def data(self, *, accepts: bool, accepts_message: bool, content: bytes) -> None:
        code = self.say(b"DATA")
        if not self.may_send:
            assert code == self.refused
        elif not self.recipients:
            assert code == 503
        else:
            assert code == 0
            assert self.decide(accepts) == (354 if accepts else 550)
            if accepts:
                self.content(content, accepts=accepts_message)

    def content(self, content: bytes, *, accepts: bool) -> None:
        code = self.say(content + b"\r\n.")
        while not self.session.is_waiting and (event := self.session.next_event()):
            self.event = event
        if len(content) > 100:
            assert code == 552
        elif not content.isascii():
            assert code == 554
        else:
            assert code == 0
            assert self.decide(accepts) == (250 if accepts else 550)
        self.end_transaction()

    @precondition(lambda self: not self.ended)
    @rule()
    def rset(self) -> None:
        assert self.say(b"RSET") == 250
        self.end_transaction()

    @precondition(lambda self: not self.ended)
    @rule(line=st.sampled_from([(b"NOOP", 250), (b"VRFY a", 252), (b"EXPN a", 502), (b"HELP", 214), (b"WHAT", 500)]))
    def change_nothing(self, line: tuple[bytes, int]) -> None:
        assert self.say(line[0]) == line[1]

    @precondition(lambda self: not self.ended and self.steps > 30)  # or most runs would be over before they begin
    @rule()
    def quit(self) -> None:
        assert self.say(b"QUIT") == 221
        self.end_transaction()
        self.ended = True

    @precondition(lambda self: self.ended)
    @rule()
    def speak_after_the_end(self) -> None:
        while self.session.next_event():
            pass
        assert self.say(b"NOOP") == 0

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "session"):
            return
        self.steps += 1
        while not self.session.is_waiting and self.session.next_event():
            pass
        assert self.session.is_ended == self.ended
        assert self.session.is_authenticated == self.authenticated
        assert self.session.is_tls_active == self.tls
        assert self.session.has_transaction == self.sender
        assert not self.session.is_waiting


SessionAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSessionAgainstModel = SessionAgainstModel.TestCase
