"""A submission listener on a loopback port, with real sockets and TLS, and a client that says what it is told."""

import asyncio
import dataclasses
import socket
import ssl
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import uvloop

from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.content_buffer import MemoryBudget
from gatepost.entrypoints.smtp.listener import SMTPListener
from gatepost.entrypoints.smtp.ports import OpenHandler
from gatepost.entrypoints.smtp.session_caps import PeerAddress, SessionCaps
from gatepost.entrypoints.smtp.submission_handler import SubmissionServices
from gatepost.mailflow.content import Content
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.server import SessionSettings
from gatepost.system.clock import SystemClock
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.meters import MemoryCells, Meters
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.access.sending_rate import SendingRate
from gatepost.tenancy.access.tab import Tab
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.sending_limits import SendingLimits

KEY = b"SG.key"
PRINCIPAL = Principal(
    account_id=AccountId("acc_1"),
    account_state=AccountState.ACTIVE,
    key_id=KeyId("key-1"),
    scopes=frozenset({"mail.send"}),
)


class Access:
    """One key; it can be taken away, and the store behind it can fail."""

    def __init__(self) -> None:
        self.denial: Deny | None = None
        self.trouble: Transient | None = None

    def authenticate(
        self, username: str, password: Secret[bytes], peer: PeerAddress, *, client: str = ""
    ) -> Principal | Deny:
        if password.reveal() != KEY:
            return Deny(AccessDenial.KEY_NOT_VALID)
        return self.recheck(PRINCIPAL, peer)

    def recheck(self, principal: Principal, peer: PeerAddress, *, method: AuthMethod | None = None) -> Principal | Deny:
        if self.trouble is not None:
            raise self.trouble
        return principal if self.denial is None else self.denial


class Door:
    """Takes every message, and can be told otherwise."""

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.contents: list[bytes] = []
        self.outcome: Deny | Exception | None = None
        self.gate: asyncio.Event | None = None
        self.keeps_content = True

    async def accept(self, submission: Submission) -> MessageId | Deny:
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is not None:
            return self.outcome
        self.submissions.append(submission)
        if self.keeps_content:
            self.contents.append(b"".join(submission.content.chunks()))
        return MessageId(f"message-{len(self.submissions)}")


class Spool:
    """A spool of nothing but a count: for contents whose octets no test reads."""

    def __init__(self) -> None:
        self.open_writers = 0
        self.has_room = True

    def open(self) -> "SpoolWriter":
        if not self.has_room:
            raise Transient("no room")
        self.open_writers += 1
        return SpoolWriter(self)


class SpoolWriter:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.size_octets = 0
        self._is_discarded = False

    def write(self, octets: bytes) -> None:
        if not self._spool.has_room:
            raise Transient("no room")
        self.size_octets += len(octets)

    def finish(self) -> Content:
        return self

    def head(self) -> bytes:
        return b""

    def chunks(self) -> "list[bytes]":
        return []

    def discard(self) -> None:
        if not self._is_discarded:
            self._is_discarded = True
            self._spool.open_writers -= 1


class Relay:
    """The listener and everything behind it that a test may turn."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.access, self.door, self.spool = Access(), Door(), Spool()
        self.metrics = Metrics()
        self.budget = MemoryBudget(1 << 20)
        self.spool_threshold = 1 << 18
        self.tls = context
        self.reverse_path_decision: Decision = ALLOW
        self.recipient_decision: Decision = ALLOW
        self.listeners: list[SMTPListener] = []
        self.caps = SessionCaps(max_sessions=100, max_sessions_per_address=50)

    async def listen(self, **changes: object) -> int:
        """Start one more listener; return its port."""
        settings = dataclasses.replace(ConnectionSettings(session=SessionSettings(host_name="relay.test")), **changes)
        services = SubmissionServices(
            access=self.access,
            door=self.door,
            rate=SendingRate(Meters(MemoryCells()), default=SendingLimits()),
            clock=SystemClock(),
            decide_reverse_path=self._decide_reverse_path,
            decide_recipient=self._decide_recipient,
            open_tab=self._open_tab,
            metrics=self.metrics,
            spool=self.spool,
            budget=self.budget,
            spool_threshold_octets=self.spool_threshold,
        )
        return await self.listen_with(settings, services.open_handler)

    async def listen_with(self, settings: ConnectionSettings, open_handler: OpenHandler) -> int:
        listener = SMTPListener(
            name="submission",
            settings=settings,
            open_handler=open_handler,
            tls_context=lambda: self.tls,
            caps=self.caps,
            metrics=self.metrics,
        )
        sock = socket.create_server(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        await listener.start([sock])
        self.listeners.append(listener)
        return port

    async def stop(self) -> None:
        if self.door.gate is not None:
            self.door.gate.set()
        for listener in self.listeners:
            await listener.stop(drain_for=timedelta(seconds=0.2))

    def counted(self, name: str, **labels: str) -> float:
        self.metrics.flush()
        return self.metrics.registry.get_sample_value(f"gatepost_{name}_total", labels) or 0.0

    def _decide_reverse_path(self, principal: Principal, reverse_path: Mailbox | None) -> Decision:
        return self.reverse_path_decision

    async def _open_tab(self, principal: Principal) -> Tab:
        raise AssertionError("no key of these tests has a budget")

    def _decide_recipient(self, mailbox: Mailbox) -> Decision:
        return self.recipient_decision


class Client:
    """Says and hears octets; every wait has an end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        self.reader, self.writer, self._context = reader, writer, context

    def say(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def hear(self) -> str:
        """Return one reply, its lines joined by newlines."""
        lines = []
        while True:
            lines.append(await self.hear_line())
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    async def hear_line(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), 5)).decode().removesuffix("\r\n")

    async def ask(self, octets: bytes) -> str:
        self.say(octets + b"\r\n")
        return await self.hear()

    async def hear_end(self) -> bytes:
        """Return what comes until the server closes."""
        return await asyncio.wait_for(self.reader.read(), 5)

    async def shake_hands(self) -> None:
        await asyncio.wait_for(self.writer.start_tls(self._context, server_hostname="localhost"), 5)

    async def start_tls(self) -> None:
        assert (await self.ask(b"STARTTLS")).startswith("220 ")
        await self.shake_hands()

    async def log_in(self) -> None:
        """EHLO, STARTTLS, EHLO, AUTH."""
        await self.ask(b"EHLO client.test")
        await self.start_tls()
        await self.ask(b"EHLO client.test")
        assert await self.authenticate() == "235 2.7.0 Authentication successful"

    async def authenticate(self, key: bytes = KEY) -> str:
        return await self.ask(b"AUTH PLAIN " + b64encode(b"\0apikey\0" + key))

    async def begin(self) -> None:
        """Up to 354."""
        self.say(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        assert (await self.hear()).startswith("250 ")
        assert (await self.hear()).startswith("250 ")
        assert (await self.hear()).startswith("354 ")

    async def send(self, content: bytes = b"Subject: x\r\n\r\nx\r\n") -> str:
        await self.begin()
        self.say(content + b".\r\n")
        return await self.hear()

    async def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Break the connection without a word: RST, not FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Connect = Callable[..., Awaitable[Client]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both event loops: Linux has uvloop, elsewhere it is asyncio's own."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def relay(tls_server_context: ssl.SSLContext) -> AsyncIterator[Relay]:
    relay = Relay(tls_server_context)
    yield relay
    await relay.stop()
    assert relay.budget.held_octets == 0
    assert relay.caps.open_sessions == 0
    assert relay.caps._by_address == {}


@pytest.fixture
async def connect(tls_client_context: ssl.SSLContext) -> AsyncIterator[Connect]:
    clients = []

    async def connect(port: int, *, implicit_tls: bool = False, preamble: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = Client(reader, writer, tls_client_context)
        clients.append(client)
        client.say(preamble)
        if implicit_tls:
            await client.shake_hands()
        return client

    yield connect
    for client in clients:
        await client.close()
    await asyncio.sleep(0)
