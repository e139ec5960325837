"""An application that sends mail, as any does: Python's smtplib, STARTTLS with a verified certificate, a password."""

import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.secret import Secret

USER_NAME: Final = "apikey"
_TIMEOUT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where and as whom to send."""

    port: int
    ca_file: Path
    key: Secret[str]
    host: str = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server said, and when it was heard."""

    code: int
    text: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """One session, as the application saw it.

    Attributes:
        tls: Protocol and cipher, from the client's own socket.
        outcome: To the message: 250, or the refusal.
    """

    began_at: datetime
    greeting: Reply
    tls: str
    tls_at: datetime
    authentication: Reply
    outcome: Reply


class _HearingSMTP(smtplib.SMTP):
    """smtplib keeps the greeting and the reply to the end of data to itself; the queue id is in the latter."""

    greeting: tuple[int, bytes] = (0, b"")
    data_reply: tuple[int, bytes] = (0, b"")

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        self.greeting = super().connect(host, port, source_address)
        return self.greeting

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.data_reply = super().data(msg)
        return self.data_reply


def send(server: Server, message: EmailMessage, *, mail_from: str, clock: Clock) -> SessionReport:
    """Send one message in a session of its own; blocks.

    Raises:
        OSError: The session failed (``smtplib.SMTPException`` is one); a refusal of the message is no failure.
    """
    began_at = clock.now()
    with _HearingSMTP(server.host, server.port, timeout=_TIMEOUT_SECONDS) as client:
        greeting = _reply(client.greeting, clock)
        client.starttls(context=ssl.create_default_context(cafile=str(server.ca_file)))
        tls, tls_at = _describe_tls(client), clock.now()
        authentication = _reply(client.login(USER_NAME, server.key.reveal()), clock)
        try:
            client.send_message(message, from_addr=mail_from)
            outcome = _reply(client.data_reply, clock)
        except smtplib.SMTPResponseException as refusal:
            error = refusal.smtp_error
            outcome = _reply((refusal.smtp_code, error.encode() if isinstance(error, str) else error), clock)
    return SessionReport(
        began_at=began_at,
        greeting=greeting,
        tls=tls,
        tls_at=tls_at,
        authentication=authentication,
        outcome=outcome,
    )


def compose(*, author: str, recipient: str, subject: str, message_id: str, text: str) -> EmailMessage:
    """Write a message."""
    message = EmailMessage()
    message["From"] = author
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = message_id
    message.set_content(text)
    return message


def _reply(said: tuple[int, bytes], clock: Clock) -> Reply:
    code, text = said
    return Reply(code=code, text=" ".join(text.decode("utf-8", "replace").split()), at=clock.now())


def _describe_tls(client: smtplib.SMTP) -> str:
    sock = client.sock
    assert isinstance(sock, ssl.SSLSocket)
    cipher = sock.cipher()
    return f"{sock.version()}, {cipher[0] if cipher else 'no cipher'}"
