"""An owner for a bare ServerSession: accepts whatever is well formed, unless told otherwise, and keeps a record."""

from base64 import b64encode

from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    ContentReceived,
    CredentialOffered,
    RecipientOffered,
    ServerEvent,
    SessionEnded,
    TLSRequested,
    TransactionAborted,
    TransactionOffered,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession

USERNAME = "apikey"
PASSWORD = "test-key"
CREDENTIAL = {
    "plain": b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode(),
    "username": b64encode(USERNAME.encode()).decode(),
    "password": b64encode(PASSWORD.encode()).decode(),
}
BAD_CREDENTIAL = Reply(535, "5.7.8", "Authentication failed: Bad username / password")

NAMES: dict[type[ServerEvent], str] = {
    CredentialOffered: "AUTH",
    TransactionOffered: "MAIL",
    RecipientOffered: "RCPT",
    ContentOffered: "DATA",
    ContentEnded: "MESSAGE",
}


class SessionOwner:
    """Decides at once.

    Attributes:
        session: The session it owns.
        decisions: What to say the next time it is asked, by the names in ``NAMES``, in order.
        messages: The contents accepted.
        events: Everything it was told, ContentReceived joined to one.
    """

    def __init__(self, session: ServerSession) -> None:
        self.session = session
        self.decisions: dict[str, list[tuple[str, Reply]]] = {name: [] for name in NAMES.values()}
        self.messages: list[bytes] = []
        self.events: list[ServerEvent] = []
        self.is_closed = False
        self._content = b""

    def receive(self, octets: bytes) -> bytes:
        """Give the session what the client sent, decide, and return what it says."""
        self.session.receive(octets)
        return self.run()

    def run(self) -> bytes:
        """Decide whatever is asked, and return what the session says."""
        while event := self.session.next_event():
            assert not self.is_closed, "an event after SessionEnded"
            if isinstance(event, ContentReceived):
                self._content += event.octets
                continue
            self.events.append(event)
            if isinstance(event, (TransactionAborted, ContentOffered)):
                self._content = b""
            if isinstance(event, SessionEnded):
                self.is_closed = True
            if type(event) in NAMES:
                self._decide(event)
        return self.session.take_output()

    def shake_hands(self) -> None:
        """Do as if the TLS handshake had been done."""
        assert self.events[-1:] == [TLSRequested()], "no handshake is due"
        self.session.tls_established()

    def _decide(self, event: ServerEvent) -> None:
        planned = self.decisions[NAMES[type(event)]]
        if planned:
            answer, reply = planned.pop(0)
        elif isinstance(event, CredentialOffered) and not _is_good(event):
            answer, reply = "refuse-close", BAD_CREDENTIAL
        else:
            answer, reply = "accept", None
        if answer == "accept":
            if isinstance(event, ContentEnded):
                self.messages.append(self._content)
            self.session.accept(reply)
        else:
            self.session.refuse(reply, close=answer == "refuse-close")


def _is_good(event: CredentialOffered) -> bool:
    return event.username == USERNAME and event.password.reveal() == PASSWORD.encode()
