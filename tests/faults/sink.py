"""A receiving server that keeps every octet, writes down whether it answered each dot, and misbehaves to order."""

import asyncio
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tests.faults.history import Copy, read_copy

STAGES = ("banner", "EHLO", "STARTTLS", "handshake", "MAIL", "RCPT", "DATA", "dot", "QUIT", "RSET")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Say this, after a while, in pieces of so many octets (0: at once)."""

    text: str
    after_seconds: float = 0.0
    piece_octets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """Write these octets and close; ``has_reset``: with RST."""

    octets: bytes = b""
    has_reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Say nothing until the peer goes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endless:
    """Send continuation lines without end."""


Action: TypeAlias = Reply | HangUp | Silence | Endless
Script: TypeAlias = Callable[[str, int], Action | None]
"""From a stage and how often it has been reached (from 1) to what to do; None: what a good server does."""

GOOD = {
    "banner": "220 sink.test ESMTP",
    "EHLO": "250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME",
    "STARTTLS": "220 go ahead",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "dot": "250 taken",
    "QUIT": "221 bye",
    "RSET": "250 ok",
}


def obedient(stage: str, nth: int) -> Action | None:
    """A good server's script."""
    return None


class Gone(Exception):
    """The connection is over."""


_PID = re.compile(rb"(?:EHLO|HELO) pid-(\d+)\.")


@dataclass(slots=True)
class _Session:
    """What is known of one connection: the process at the other end, whether it does TLS, and the recipients so far."""

    pid: int = 0
    has_tls: bool = False
    envelope: list[str] = field(default_factory=list)


class Sink:
    """SMTP on one port of loopback; ``copies`` grows as contents come. With a TLS context it offers STARTTLS."""

    def __init__(self, script: Script = obedient, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self._tls = tls
        self.copies: list[Copy] = []
        self.reached: Counter[str] = Counter()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, address: str = "127.0.0.1", port: int = 0) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, address, port, limit=1 << 26)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up everywhere."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._act(writer, "banner")
            session = _Session()
            while line := await reader.readline():
                await self._obey(line, session, reader, writer)
        except (OSError, EOFError, Gone, asyncio.CancelledError):
            pass  # the peer, the script or the test has ended it
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _obey(
        self, line: bytes, session: "_Session", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        verb = line.split()[0].upper().decode("ascii", "replace") if line.split() else ""
        stage = "EHLO" if verb == "HELO" else verb
        reply = await self._act(writer, stage, offers_tls=self._tls is not None and not session.has_tls)
        if stage == "EHLO" and (said := _PID.match(line)):
            session.pid = int(said[1])
        elif stage == "MAIL":
            session.envelope.clear()
        elif stage == "RCPT" and reply.startswith("2"):
            session.envelope.append(line[line.find(b"<") + 1 : line.rfind(b">")].decode())
        elif stage == "DATA" and reply.startswith("354"):
            await self._take(reader, writer, session)
        elif stage == "STARTTLS" and reply.startswith("220"):
            await self._shake_hands(writer, session)
        elif stage == "QUIT":
            raise Gone

    async def _shake_hands(self, writer: asyncio.StreamWriter, session: "_Session") -> None:
        if self.script("handshake", 1) is not None:
            await self._act(writer, "handshake")
        assert self._tls is not None
        await writer.start_tls(self._tls)
        session.has_tls = True

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: "_Session") -> None:
        content = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n.", b"\r\n")
        at, recipients = time.monotonic(), tuple(session.envelope)
        reply, answered_at = GOOD["dot"], None
        try:
            reply = await self._act(writer, "dot")
            answered_at = None if writer.transport.is_closing() else time.monotonic()
        finally:
            # Whoever closes without an answer may well have kept the message.
            is_taken = reply.startswith("2")
            self.copies.append(
                replace(
                    read_copy(content, recipients, at=at, is_taken=is_taken, answered_at=answered_at),
                    pid=session.pid,
                    has_tls=session.has_tls,
                )
            )

    async def _act(self, writer: asyncio.StreamWriter, stage: str, *, offers_tls: bool = False) -> str:
        """Do what the script says at a stage; return the reply that was sent."""
        self.reached[stage] += 1
        action = self.script(stage, self.reached[stage])
        match action:
            case None:
                text = GOOD.get(stage, "500 what?")
                if stage == "EHLO" and offers_tls:
                    text = text.replace("250 8BITMIME", "250-8BITMIME\r\n250 STARTTLS")
                writer.write(text.encode() + b"\r\n")
                await writer.drain()
                return text
            case Reply():
                await self._reply(writer, action)
                return action.text
            case HangUp():
                writer.write(action.octets)
                if action.has_reset:
                    writer.transport.abort()
                raise Gone
            case Silence():
                await asyncio.sleep(3600)
                raise Gone
            case Endless():
                while True:
                    writer.write(b"250-and so on\r\n" * 100)
                    await writer.drain()
                    await asyncio.sleep(0.001)

    async def _reply(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        await asyncio.sleep(reply.after_seconds)
        octets = reply.text.encode() + b"\r\n"
        size = reply.piece_octets or len(octets)
        for start in range(0, len(octets), size):
            writer.write(octets[start : start + size])
            await writer.drain()
            if reply.piece_octets:
                await asyncio.sleep(0.002)
