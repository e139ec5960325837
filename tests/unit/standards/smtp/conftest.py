"""Sessions brought to where a test begins, with an owner that accepts everything."""

from base64 import b64encode
from collections.abc import Callable

import pytest

from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentReceived,
    CredentialOffered,
    ServerEvent,
    TLSRequested,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession, SessionSettings

PLAIN = b64encode(b"\0apikey\0secret")


class Driver:
    """A session and what has come out of it.

    Attributes:
        session: The session.
        events: Every event so far; the contents between two others are one ContentReceived.
        accepts: Whether to accept what is asked, all but TLS.
    """

    def __init__(self, session: ServerSession) -> None:
        self.session = session
        self.events: list[ServerEvent] = []
        self.accepts = True

    def send(self, octets: bytes) -> bytes:
        """Give octets, decide, and return what the session says."""
        self.session.receive(octets)
        return self.run()

    def run(self) -> bytes:
        """Take all events and decide, and return what the session says."""
        while event := self.session.next_event():
            if isinstance(event, ContentReceived) and self.events and isinstance(self.events[-1], ContentReceived):
                event = ContentReceived(self.events.pop().octets + event.octets)
            self.events.append(event)
            if self.session.is_waiting and self.accepts and not isinstance(event, (TLSRequested, ContentReceived)):
                self._accept(event)
        return self.session.take_output()

    def _accept(self, event: ServerEvent) -> None:
        if isinstance(event, CredentialOffered) and event.password.reveal() != b"secret":
            self.session.refuse(Reply(535, "5.7.8", "Authentication failed"), close=True)
        elif isinstance(event, ContentEnded):
            self.session.accept(Reply(250, "2.0.0", "Ok: queued as it"))
        else:
            self.session.accept()

    def codes(self, octets: bytes) -> list[int]:
        """Give octets and return the codes of the replies."""
        return [int(line[:3]) for line in self.send(octets).split(b"\r\n")[:-1] if line[3:4] == b" "]


SessionMaker = Callable[..., Driver]


@pytest.fixture
def connect() -> SessionMaker:
    """Make a session that has said its greeting."""

    def make(*, tls_active: bool = False, **settings: int | bool) -> Driver:
        session = ServerSession(SessionSettings(host_name="relay.example", **settings), tls_active=tls_active)
        session.greet()
        session.take_output()
        return Driver(session)

    return make


@pytest.fixture
def authenticate(connect: SessionMaker) -> SessionMaker:
    """Make a session over TLS that is authenticated; its events begin anew there."""

    def make(**settings: int | bool) -> Driver:
        driver = connect(tls_active=True, **settings)
        driver.send(b"EHLO client.example\r\n")
        assert driver.send(b"AUTH PLAIN " + PLAIN + b"\r\n") == b"235 2.7.0 Authentication successful\r\n"
        driver.events.clear()
        return driver

    return make


@pytest.fixture
def begin_content(authenticate: SessionMaker) -> SessionMaker:
    """Make a session that has just said 354."""

    def make(*, parameters: bytes = b"", **settings: int | bool) -> Driver:
        driver = authenticate(**settings)
        group = b"MAIL FROM:<a@example.com>" + parameters + b"\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
        assert driver.codes(group) == [250, 250, 354]
        driver.events.clear()
        return driver

    return make
