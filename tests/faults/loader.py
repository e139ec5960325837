"""Clients over TLS with AUTH that write down, for each message, what they sent and what they heard."""

import asyncio
import random
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.history import FIRST_FIELD, Answer, Submission, digest

REPLY_SECONDS = 60.0


class Refused(Exception):
    """The relay said no before the content was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A relay's implicit-TLS port, and a key that may send as ``example.test``."""

    port: int
    ca_file: Path
    key: str


class Client:
    """One connection. Any failure to talk raises ``OSError`` or ``EOFError``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_past_dot = False

    @classmethod
    async def open(cls, target: Target, context: ssl.SSLContext) -> "Client":
        """Connect, say EHLO, authenticate."""
        async with asyncio.timeout(REPLY_SECONDS):
            streams = await asyncio.open_connection("127.0.0.1", target.port, ssl=context, server_hostname="localhost")
        client = cls(*streams)
        try:
            await client.expect(220)
            await client.say(b"EHLO client.test", 250)
            credential = b64encode(b"\0apikey\0" + target.key.encode())
            await client.say(b"AUTH PLAIN " + credential, 235)
        except BaseException:
            client.close()
            raise
        return client

    async def say(self, line: bytes, code: int) -> str:
        """Send one command and insist on a reply code."""
        self._writer.write(line + b"\r\n")
        return await self.expect(code)

    async def expect(self, code: int) -> str:
        """Read a reply; raise ``Refused`` if it is another one."""
        reply = await self.read_reply()
        if not reply.startswith(str(code)):
            raise Refused(reply)
        return reply

    async def read_reply(self) -> str:
        """Read one reply, of as many lines as it has; return the last."""
        async with asyncio.timeout(REPLY_SECONDS):
            while True:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):
                    raise EOFError("the connection was closed in a reply")
                if line[3:4] != b"-":
                    return line.decode("ascii", "replace").strip()

    async def send(self, recipients: Sequence[str], content: bytes) -> str:
        """Carry out one transaction, pipelined; return the reply to the final dot."""
        self.is_past_dot = False
        commands = [b"MAIL FROM:<ann@example.test>", *[f"RCPT TO:<{r}>".encode() for r in recipients], b"DATA"]
        self._writer.write(b"".join([command + b"\r\n" for command in commands]))
        replies = [await self.read_reply() for _ in commands]
        if not replies[-1].startswith("354"):
            raise Refused(next((reply for reply in replies if reply[:1] in "45"), replies[-1]))
        self.is_past_dot = True
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        self._writer.write(stuffed + b".\r\n")
        return await self.read_reply()

    def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send.

    Attributes:
        seed: Decides ids, sizes and octets: the same seed sends the same messages.
        domains: Recipients are spread over these.
        rate: Messages a second of all connections together; 0 for as fast as it goes.
        sizes: The bounds of a content's octets.
        pause_seconds: After a refusal or a lost connection.
    """

    seed: int
    connections: int = 20
    domains: tuple[str, ...] = ("dest.test",)
    max_recipients: int = 3
    rate: float = 0.0
    sizes: tuple[int, int] = (500, 12_000)
    per_connection: int = 50
    pause_seconds: float = 0.05


class Load:
    """Sends until told to stop, or until so many messages were accepted; ``submissions`` grows meanwhile."""

    def __init__(self, target: Target, plan: Plan, prefix: str = "m") -> None:
        self.submissions: list[Submission] = []
        self.accepted = 0
        self._target = target
        self._plan = plan
        self._prefix = prefix
        self._random = random.Random(plan.seed)
        self._context = ssl.create_default_context(cafile=str(target.ca_file))
        self._numbers = 0
        self._stopping = False
        self._limit: int | None = None
        self._next_at = 0.0

    def stop(self) -> None:
        """Let each connection end its transaction, and begin no further one."""
        self._stopping = True

    async def run(self, *, messages: int | None = None) -> None:
        """Send; return when ``messages`` more were accepted, or after ``stop``."""
        self._limit = None if messages is None else self.accepted + messages
        self._stopping = False
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._plan.connections):
                tasks.create_task(self._keep_sending())

    async def send_one(self, recipient: str | None = None, *, size: int | None = None) -> Submission:
        """Send one message over a connection of its own, and return what came of it."""
        await self._talk(limit=1, recipient=recipient, size=size)
        return self.submissions[-1]

    @property
    def _is_done(self) -> bool:
        return self._stopping or (self._limit is not None and self.accepted >= self._limit)

    async def _keep_sending(self) -> None:
        while not self._is_done:
            went_well = await self._talk(limit=self._plan.per_connection)
            if not went_well:
                await asyncio.sleep(self._plan.pause_seconds)

    async def _talk(self, *, limit: int, recipient: str | None = None, size: int | None = None) -> bool:
        try:
            client = await Client.open(self._target, self._context)
        except (OSError, EOFError, Refused, TimeoutError) as error:
            if recipient is not None or limit == 1:
                self._note(*self._make(recipient, size), Answer.ABORTED, repr(error))
            return False
        try:
            for _ in range(limit):
                if self._is_done and recipient is None and limit != 1:
                    break
                await self._pace()
                if not await self._send(client, *self._make(recipient, size)):
                    return False
            with suppress(OSError, EOFError, Refused, TimeoutError):
                await client.say(b"QUIT", 221)
        finally:
            client.close()
        return True

    async def _pace(self) -> None:
        if self._plan.rate:
            now = time.monotonic()
            self._next_at = max(self._next_at, now - 0.5) + 1 / self._plan.rate
            await asyncio.sleep(max(0.0, self._next_at - now))

    async def _send(self, client: Client, uid: str, recipients: tuple[str, ...], content: bytes) -> bool:
        """Send one message; return whether the connection is good for another."""
        try:
            reply = await client.send(recipients, content)
        except Refused as refusal:
            self._note(uid, recipients, content, Answer.REFUSED, str(refusal))
            return False
        except (OSError, EOFError, TimeoutError) as error:
            answer = Answer.UNKNOWN if client.is_past_dot else Answer.ABORTED
            self._note(uid, recipients, content, answer, repr(error))
            return False
        is_accepted = reply.startswith("250")
        self.accepted += is_accepted
        self._note(uid, recipients, content, Answer.ACCEPTED if is_accepted else Answer.REFUSED, reply)
        return is_accepted

    def _make(self, recipient: str | None, size: int | None) -> tuple[str, tuple[str, ...], bytes]:
        self._numbers += 1
        uid = f"{self._prefix}{self._plan.seed}x{self._numbers}"
        if recipient is not None:
            recipients: tuple[str, ...] = (recipient,)
        else:
            count = self._random.choice(range(1, self._plan.max_recipients + 1))
            recipients = tuple([f"{uid}.{i}@{self._random.choice(self._plan.domains)}" for i in range(count)])
        return uid, recipients, make_content(uid, self._random, size or self._random.randint(*self._plan.sizes))

    def _note(self, uid: str, recipients: tuple[str, ...], content: bytes, answer: Answer, reply: str = "") -> None:
        self.submissions.append(
            Submission(
                uid=uid,
                recipients=recipients,
                digest=digest(content),
                answer=answer,
                reply=reply,
                at=time.monotonic(),
            )
        )


def make_content(uid: str, source: random.Random, size: int) -> bytes:
    """Make a complete message of about ``size`` octets: the relay has nothing to add but what it puts in front."""
    head = (
        FIRST_FIELD + uid.encode() + b"\r\n"
        b"From: ann@example.test\r\n"
        b"To: undisclosed-recipients:;\r\n"
        b"Subject: fault " + uid.encode() + b"\r\n"
        b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\n"
        b"Message-ID: <" + uid.encode() + b"@example.test>\r\n\r\n"
        b".a line that begins with a dot\r\n..\r\n  spaces   at the end  \r\n"
    )
    line = b64encode(source.randbytes(54)) + b"\r\n"
    return head + line * max(0, (size - len(head)) // len(line)) + b"\r\n"
