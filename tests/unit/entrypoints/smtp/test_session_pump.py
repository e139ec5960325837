"""Events to the handler, answers to the session, phases to the watch."""

from collections.abc import Callable

import pytest

from gatepost.entrypoints.smtp.ports import YES, Answer, Deciding
from gatepost.entrypoints.smtp.session_pump import PumpState, SessionPump
from gatepost.entrypoints.smtp.time_limits import Phase, Progress
from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    CredentialOffered,
    ServerEvent,
    SessionEnded,
    TransactionAborted,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession
from gatepost.standards.smtp.session_settings import SessionSettings

AUTH = b"AUTH PLAIN AGEAYg==\r\n"
ENVELOPE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
BYE = Reply(421, "4.3.2", "Bye")


class Handler:
    """Takes everything, the end of data by a coroutine; what it says can be turned."""

    def __init__(self) -> None:
        self.events: list[type[ServerEvent]] = []
        self.answers: dict[type[ServerEvent], Answer] = {}
        self.is_closed = False

    def handle(self, event: ServerEvent) -> Answer | Deciding | None:
        self.events.append(type(event))
        if isinstance(event, ContentEnded):
            return self._decide()
        return self.answers.get(type(event), YES) if type(event).__name__.endswith("Offered") else None

    def close(self) -> None:
        self.is_closed = True

    async def _decide(self) -> Answer:
        return YES


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def progress() -> Progress:
    return Progress(phase=Phase.PREAMBLE, opened_at=0, phase_since=0, read_at=0)


@pytest.fixture
def started() -> list[Deciding]:
    return []


@pytest.fixture
def pump(handler: Handler, progress: Progress, started: list[Deciding]) -> SessionPump:
    """Of a session over TLS, greeted, not authenticated."""
    pump = make_pump(handler, progress, started.append)
    pump.receive(b"EHLO client.test\r\n")
    pump.take_output()
    return pump


def make_pump(
    handler: Handler, progress: Progress, start: Callable[[Deciding], None], *, takes_auth: bool = True
) -> SessionPump:
    def start_and_close(decision: Deciding) -> None:
        decision.close()
        start(decision)

    return SessionPump(
        session=ServerSession(SessionSettings(host_name="relay.test", takes_auth=takes_auth), tls_active=True),
        handler=handler,
        progress=progress,
        takes_auth=takes_auth,
        now=lambda: 7.0,
        start=start_and_close,
    )


def test_it_begins_with_the_greeting(handler: Handler, progress: Progress) -> None:
    pump = make_pump(handler, progress, lambda _: None)

    assert pump.take_output().startswith(b"220 relay.test ")
    assert (progress.phase, progress.phase_since) == (Phase.STRANGER, 7.0)


def test_where_no_auth_is_taken_nobody_is_a_stranger(handler: Handler, progress: Progress) -> None:
    make_pump(handler, progress, lambda _: None, takes_auth=False)

    assert progress.phase is Phase.COMMAND


def test_the_phases_of_a_message(pump: SessionPump, progress: Progress, started: list[Deciding]) -> None:
    phases = [progress.phase]
    for octets in (AUTH, ENVELOPE, b"x" * 60 + b"\r\n", b"y\r\n.\r\n"):
        pump.receive(octets)
        phases.append(progress.phase)
        assert progress.content_octets == (62 if octets.startswith(b"x") else 0)
    assert (pump.state, len(started), pump.is_in_transaction) == (PumpState.DECIDING, 1, True)
    pump.decide(YES)
    phases.append(progress.phase)

    assert phases == [Phase.STRANGER, Phase.COMMAND, Phase.CONTENT, Phase.CONTENT, Phase.DECISION, Phase.COMMAND]
    assert (pump.state, pump.is_in_transaction) == (PumpState.READY, False)


def test_a_refused_message_ends_its_transaction_too(pump: SessionPump, progress: Progress) -> None:
    pump.receive(AUTH)
    pump.receive(ENVELOPE)
    pump.receive(b"x\r\n.\r\n")
    pump.take_output()

    pump.decide(Answer(Reply(550, "5.7.1", "No")))

    assert pump.take_output() == b"550 5.7.1 No\r\n"
    assert progress.phase is Phase.COMMAND
    assert not pump.is_in_transaction


def test_a_refused_credential_leaves_a_stranger(pump: SessionPump, handler: Handler, progress: Progress) -> None:
    handler.answers[CredentialOffered] = Answer(Reply(535, "5.7.8", "No"))

    pump.receive(AUTH)

    assert progress.phase is Phase.STRANGER
    assert pump.state is PumpState.READY


def test_a_refusal_that_closes_ends_the_session(pump: SessionPump, handler: Handler) -> None:
    handler.answers[CredentialOffered] = Answer(Reply(535, "5.7.8", "No"), closes=True)

    pump.receive(AUTH)

    assert pump.state is PumpState.ENDED
    assert pump.take_output() == b"535 5.7.8 No\r\n"
    assert handler.events == [CredentialOffered, SessionEnded]


def test_a_refused_content_opens_no_content_phase(pump: SessionPump, handler: Handler, progress: Progress) -> None:
    handler.answers[ContentOffered] = Answer(Reply(452, "4.3.1", "No room"))
    pump.receive(AUTH)

    pump.receive(ENVELOPE)

    assert progress.phase is Phase.COMMAND
    assert pump.is_in_transaction


def test_an_aborted_content_ends_its_phase(pump: SessionPump, handler: Handler, progress: Progress) -> None:
    pump.receive(AUTH)
    pump.receive(ENVELOPE)

    pump.receive(b"x" * 2000 + b"\r\n")

    assert handler.events[-1] is TransactionAborted
    assert progress.phase is Phase.COMMAND


def test_nothing_is_asked_while_a_decision_is_awaited(pump: SessionPump, handler: Handler) -> None:
    pump.receive(AUTH)
    pump.receive(ENVELOPE)
    pump.receive(b"x\r\n.\r\n")
    pump.take_output()
    asked = len(handler.events)

    pump.receive(ENVELOPE)

    assert len(handler.events) == asked
    assert pump.take_output() == b""
    pump.decide(YES)
    assert pump.take_output().startswith(b"250 2.0.0 Ok\r\n250 2.1.0 ")


def test_a_decision_that_comes_after_the_end_is_dropped(pump: SessionPump, handler: Handler) -> None:
    pump.receive(AUTH)
    pump.receive(ENVELOPE)
    pump.receive(b"x\r\n.\r\n")
    pump.take_output()

    pump.end(BYE)
    pump.decide(YES)

    assert pump.state is PumpState.ENDED
    assert pump.take_output() == BYE.octets
    assert handler.events[-2:] == [TransactionAborted, SessionEnded]


def test_the_handler_hears_that_the_connection_is_gone(pump: SessionPump, handler: Handler) -> None:
    pump.close()

    assert handler.is_closed
