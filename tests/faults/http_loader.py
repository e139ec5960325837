"""Clients of ``mail/send`` over TLS that write down, for each message, what they sent and what they heard."""

import asyncio
import json
import random
import ssl
import time
from contextlib import suppress

from tests.faults.history import COMPOSED_FIELD, Answer, Submission, digest
from tests.faults.loader import REPLY_SECONDS, Plan, Target


class HTTPLoad:
    """Sends until told to stop; one request under way on each connection."""

    def __init__(self, target: Target, plan: Plan, prefix: str = "h") -> None:
        self.submissions: list[Submission] = []
        self.accepted = 0
        self._target = target
        self._plan = plan
        self._prefix = prefix
        self._random = random.Random(plan.seed)
        self._context = ssl.create_default_context(cafile=str(target.ca_file))
        self._numbers = 0
        self._stopping = False

    def stop(self) -> None:
        """Let each connection hear its answer, and begin nothing further."""
        self._stopping = True

    async def run(self) -> None:
        """Send until ``stop``."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._plan.connections):
                tasks.create_task(self._keep_sending())

    async def _keep_sending(self) -> None:
        while not self._stopping:
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self._target.port, ssl=self._context, server_hostname="localhost"
                )
            except OSError:
                await asyncio.sleep(self._plan.pause_seconds)
                continue
            try:
                while not self._stopping and await self._send(reader, writer):
                    await asyncio.sleep(self._plan.connections / self._plan.rate if self._plan.rate else 0)
            finally:
                writer.transport.abort()
            await asyncio.sleep(self._plan.pause_seconds)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Make one request; return whether the connection is good for another."""
        self._numbers += 1
        uid = f"{self._prefix}{self._plan.seed}x{self._numbers}"
        recipients = tuple([f"{uid}.{i}@dest.test" for i in range(self._random.randint(1, self._plan.max_recipients))])
        text = "".join([f"{self._random.getrandbits(200):x}\r\n" for _ in range(self._random.randint(1, 80))])
        body = json.dumps(
            {
                "personalizations": [{"to": [{"email": recipient} for recipient in recipients]}],
                "from": {"email": "ann@example.test"},
                "subject": f"fault {uid}",
                "headers": {COMPOSED_FIELD: uid},
                "content": [{"type": "text/plain", "value": text}],
            }
        ).encode()
        answer, reply = Answer.UNKNOWN, ""
        with suppress(OSError, EOFError, TimeoutError):
            writer.write(
                b"POST /v3/mail/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
                % (self._target.key.encode(), len(body), body)
            )
            async with asyncio.timeout(REPLY_SECONDS):
                status, message_id = await _read_answer(reader)
            answer = Answer.ACCEPTED if status == 202 else Answer.REFUSED
            reply = f"{status} {message_id}"
        self.accepted += answer is Answer.ACCEPTED
        self.submissions.append(
            Submission(
                uid=uid,
                recipients=recipients,
                digest=digest(text.encode()),
                answer=answer,
                reply=reply,
                at=time.monotonic(),
            )
        )
        return answer is Answer.ACCEPTED


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Read one answer; return its status and what its ``X-Message-Id`` says."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    values = {name.lower(): value.strip() for name, _, value in [field.partition(":") for field in fields]}
    await reader.readexactly(int(values.get("content-length", "0")))
    return int(first.split()[1]), values.get("x-message-id", "")
