"""Back-pressure and last words of one connection, on a transport and an event loop of nothing but notes."""

import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest

from gatepost.entrypoints.smtp.connection import ServerConnection
from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.ports import YES, Answer
from gatepost.standards.smtp.events import ContentEnded, ContentReceived, ServerEvent
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.session_settings import SessionSettings
from gatepost.telemetry.metrics import Metrics

NOOP = b"NOOP\r\n"
OK = b"250 2.0.0 Ok\r\n"
LAST_WORD = Reply(421, "4.3.2", "Bye")


class Loop:
    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return 0.0

    def call_soon(self, action: Callable[[], None]) -> None:
        self.soon.append(action)

    def call_later(self, seconds: float, action: Callable[[], None]) -> "Loop":
        self.later.append((seconds, action))
        return self

    def cancel(self) -> None:
        """Of the timer."""

    def turn(self) -> None:
        actions, self.soon = self.soon, []
        for action in actions:
            action()


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.is_reading = True
        self.has_ended = self.is_closed = self.is_aborted = False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        assert name == "peername"
        return ("192.0.2.7", 40_000)

    def write(self, octets: bytes) -> None:
        assert not self.has_ended
        self.written += octets
        self.writes += 1

    def take(self) -> bytes:
        written, self.written = self.written, b""
        return written

    def write_eof(self) -> None:
        self.has_ended = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed or self.is_aborted

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


class Decision:
    """A task whose end the test chooses."""

    def __init__(self) -> None:
        self.answer: Answer | Exception | None = None
        self._callback: Callable[[Decision], None] = lambda task: None

    def add_done_callback(self, callback: "Callable[[Decision], None]") -> None:
        self._callback = callback

    def end(self, answer: Answer | Exception | None) -> None:
        self.answer = answer
        self._callback(self)

    def cancelled(self) -> bool:
        return self.answer is None

    def exception(self) -> Exception | None:
        return self.answer if isinstance(self.answer, Exception) else None

    def result(self) -> Answer:
        assert isinstance(self.answer, Answer)
        return self.answer


class Owner:
    """Of one connection; its handler takes everything, the end of data by a decision."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.settings = ConnectionSettings(session=SessionSettings(host_name="relay.test", takes_auth=False))
        self.metrics = Metrics()
        self.context = context
        self.decision = Decision()
        self.content = b""
        self.is_handler_closed = False

    def tls_context(self) -> ssl.SSLContext:
        return self.context

    def open_handler(self, view: object) -> "Owner":
        return self

    def connection_opened(self, connection: object) -> bool:
        return True

    def client_known(self, address: object) -> bool:
        return True

    def connection_closed(self, connection: object, address: object) -> None:
        pass

    def run(self, decision: object) -> Decision:
        decision.close()
        return self.decision

    def handle(self, event: ServerEvent) -> object:
        if isinstance(event, ContentReceived):
            self.content += event.octets
        if isinstance(event, ContentEnded):
            return self._decide()
        return YES if type(event).__name__.endswith("Offered") else None

    def close(self) -> None:
        self.is_handler_closed = True

    async def _decide(self) -> Answer:
        return YES


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def owner(tls_server_context: ssl.SSLContext) -> Owner:
    return Owner(tls_server_context)


@pytest.fixture
def connection(owner: Owner, loop: Loop, transport: Transport) -> ServerConnection:
    """Greeted; nothing unread in what it wrote."""
    connection = ServerConnection(owner, loop)
    connection.connection_made(transport)
    connection.data_received(b"EHLO client.test\r\n")
    transport.take()
    return connection


@pytest.fixture
def deciding(connection: ServerConnection, transport: Transport) -> ServerConnection:
    """The end of data was read; its decision is awaited."""
    connection.data_received(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
    connection.data_received(b"x\r\n.\r\n")
    assert transport.take().startswith(b"250 2.1.0 ")
    return connection


def test_replies_to_one_read_leave_in_one_write(connection: ServerConnection, transport: Transport) -> None:
    before = transport.writes

    connection.data_received(NOOP * 100)

    assert transport.take() == OK * 100
    assert transport.writes == before + 1


def test_octets_that_come_while_a_decision_is_awaited_wait_unread(
    deciding: ServerConnection, owner: Owner, transport: Transport
) -> None:
    deciding.data_received(NOOP)

    assert (transport.take(), transport.is_reading) == (b"", False)
    owner.decision.end(Answer(Reply(250, "2.0.0", "Done")))
    assert transport.take() == b"250 2.0.0 Done\r\n" + OK
    assert transport.is_reading


def test_octets_that_come_while_nobody_reads_our_replies_wait_unread(
    connection: ServerConnection, transport: Transport
) -> None:
    connection.pause_writing()
    assert not transport.is_reading

    connection.data_received(NOOP)
    assert transport.take() == b""

    connection.resume_writing()
    assert transport.take() == OK
    assert transport.is_reading


def test_a_flood_of_commands_is_taken_in_slices_with_a_turn_of_the_loop_between(
    connection: ServerConnection, transport: Transport, loop: Loop
) -> None:
    connection.data_received(NOOP * 10_000)
    first = transport.take()
    turns = 0
    while not transport.is_reading:
        loop.turn()
        turns += 1

    assert len(first) < 20_000
    assert first + transport.take() == OK * 10_000
    assert turns == 7


def test_a_flood_is_held_as_soon_as_nobody_reads_the_replies(
    connection: ServerConnection, transport: Transport, loop: Loop
) -> None:
    connection.data_received(NOOP * 10_000)
    connection.pause_writing()
    transport.take()

    loop.turn()

    assert transport.take() == b""
    connection.resume_writing()
    assert transport.take() != b""


def test_a_content_is_taken_whole(connection: ServerConnection, owner: Owner, loop: Loop) -> None:
    connection.data_received(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")

    connection.data_received((b"x" * 76 + b"\r\n") * 1000)

    assert len(owner.content) == 78_000
    assert loop.soon == []


def test_a_peer_that_ends_while_a_decision_is_awaited_is_told_and_then_closed(
    deciding: ServerConnection, owner: Owner, transport: Transport
) -> None:
    assert deciding.eof_received()
    assert not transport.is_closed

    owner.decision.end(YES)

    assert transport.take() == OK
    assert transport.is_closed


def test_a_peer_that_ends_when_nothing_is_due_is_closed_by_the_loop(connection: ServerConnection) -> None:
    assert not connection.eof_received()


def test_after_the_last_word_the_peer_is_read_on_so_that_it_can_hear_it(
    connection: ServerConnection, transport: Transport, loop: Loop
) -> None:
    connection.data_received(b"QUIT\r\n")

    connection.data_received(NOOP * 10_000)

    assert transport.take() == b"221 2.0.0 See you later\r\n"
    assert transport.has_ended
    assert transport.is_reading
    assert not transport.is_closed


def test_a_peer_that_does_not_hang_up_after_the_last_word_is_cut_off(
    connection: ServerConnection, transport: Transport, loop: Loop
) -> None:
    connection.data_received(b"QUIT\r\n")
    seconds, action = loop.later[-1]

    action()

    assert seconds == 2
    assert transport.is_aborted


def test_the_last_word_is_said_once(connection: ServerConnection, transport: Transport) -> None:
    connection.end(LAST_WORD)
    connection.end(LAST_WORD)
    connection.drain()

    assert transport.take() == b"421 4.3.2 Bye\r\n"


def test_a_decision_that_ends_after_the_last_word_says_nothing(
    deciding: ServerConnection, owner: Owner, transport: Transport
) -> None:
    deciding.end(LAST_WORD)

    owner.decision.end(YES)

    assert transport.take() == b"421 4.3.2 Bye\r\n"


@pytest.mark.parametrize("outcome", [None, ZeroDivisionError()], ids=["cancelled", "failed"])
def test_a_decision_that_fails_defers_the_message_and_keeps_the_session(
    deciding: ServerConnection, owner: Owner, transport: Transport, outcome: Exception | None
) -> None:
    owner.decision.end(outcome)

    assert transport.take().startswith(b"451 4.3.0 ")
    deciding.data_received(NOOP)
    assert transport.take() == OK


def test_a_decision_that_ends_after_the_connection_is_lost_touches_nothing(
    deciding: ServerConnection, owner: Owner, transport: Transport
) -> None:
    deciding.connection_lost(None)

    owner.decision.end(YES)

    assert owner.is_handler_closed
    assert transport.take() == b""


def test_a_close_notify_of_the_peer_ends_the_session_and_nothing_behind_it_is_read(
    connection: ServerConnection, owner: Owner, transport: Transport, tls_client_context: ssl.SSLContext
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_client_context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    connection.data_received(b"STARTTLS\r\n")
    assert transport.take() == b"220 2.0.0 Begin TLS negotiation now\r\n"
    for _ in range(3):
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        connection.data_received(outgoing.read())
        incoming.write(transport.take())
    with pytest.raises(ssl.SSLError):
        tls.unwrap()

    connection.data_received(outgoing.read() + b"EHLO eve.test\r\n")

    assert transport.is_closed
    connection.data_received(b"MAIL FROM:<eve@example.org>\r\n")
    assert b"250" not in transport.take()
