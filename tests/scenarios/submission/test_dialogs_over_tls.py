"""Each dialog of ``tests/dialogs`` once more: through real sockets and TLS, by the connection and its pump."""

import sys
from pathlib import Path

import pytest

from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.ports import YES, Answer
from gatepost.standards.smtp.events import ContentEnded, ContentOffered, ContentReceived, CredentialOffered
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import SessionSettings

DIALOGS = Path(__file__).parents[2] / "dialogs"
sys.path.insert(0, str(DIALOGS))

from dialog import Closed, Content, Decide, Expect, Handshake, Messages, Send, fill, read_dialog  # noqa: E402
from session_owner import BAD_CREDENTIAL, CREDENTIAL, NAMES, PASSWORD, USERNAME  # noqa: E402


class ScriptedHandler:
    """Accepts whatever is well formed, unless told otherwise; the end of data takes it a moment."""

    def __init__(self) -> None:
        self.decisions = {name: [] for name in NAMES.values()}
        self.messages = []
        self._content = b""

    def handle(self, event):
        if isinstance(event, ContentReceived):
            self._content += event.octets
        elif type(event) in NAMES:
            answer = self._decide(event)
            return self._end(answer) if isinstance(event, ContentEnded) else answer
        return None

    def close(self) -> None:
        self._content = b""

    async def _end(self, answer):
        if answer.reply is None or answer.reply.is_positive:
            self.messages.append(self._content)
        return answer

    def _decide(self, event):
        if isinstance(event, ContentOffered):
            self._content = b""
        if self.decisions[NAMES[type(event)]]:
            return self.decisions[NAMES[type(event)]].pop(0)
        if isinstance(event, CredentialOffered):
            is_good = event.username == USERNAME and event.password.reveal() == PASSWORD.encode()
            return YES if is_good else Answer(BAD_CREDENTIAL, closes=True)
        return YES


class Play:
    """One dialog over one connection."""

    def __init__(self, handler, client) -> None:
        self.handler, self.client = handler, client
        self.line = None

    async def play(self, step) -> None:
        match step:
            case Send(octets):
                await self._expect_nothing_left()
                self.client.say(fill(octets, CREDENTIAL))
            case Expect():
                await self._expect(step)
            case Handshake():
                await self.client.shake_hands()
            case Decide(what, answer, code, enhanced, text):
                reply = Reply(code, enhanced, text)
                self.handler.decisions[what].append(Answer(reply, closes=answer == "refuse-close"))
            case Closed():
                await self._expect_nothing_left()
                assert await self.client.hear_end() == b""
            case Messages(count):
                assert len(self.handler.messages) == count
            case Content(octets):
                assert self.handler.messages[-1] == octets

    async def finish(self) -> None:
        await self._expect_nothing_left()
        if self.client.writer.can_write_eof():
            self.client.writer.write_eof()
        else:
            self.client.say(b"QUIT\r\n")
            assert await self.client.hear() == "221 2.0.0 See you later"
        assert await self.client.hear_end() == b""

    async def _expect(self, expected) -> None:
        line = await self._next_line()
        assert expected.matches(line), f"{line!r} where {expected.text!r} was expected"
        while expected.is_many and line[3:4] == "-":
            line = await self._next_line()
            if not expected.matches(line):
                self.line = line
                return

    async def _expect_nothing_left(self) -> None:
        assert self.line is None, f"the server said more than the dialog: {self.line!r}"
        assert self.client.reader._buffer == b""

    async def _next_line(self) -> str:
        if self.line is not None:
            line, self.line = self.line, None
            return line
        return await self.client.hear_line()


@pytest.mark.parametrize("path", sorted(DIALOGS.glob("*.dialog")), ids=lambda path: path.stem)
async def test_the_relay_says_what_the_dialog_says(relay, connect, path) -> None:
    dialog = read_dialog(path)
    handler = ScriptedHandler()
    settings = ConnectionSettings(
        session=SessionSettings(host_name="relay.example", **dialog.settings), implicit_tls=dialog.start != "clear"
    )
    port = await relay.listen_with(settings, lambda view: handler)
    client = await connect(port, implicit_tls=settings.implicit_tls)
    if dialog.start == "authenticated":
        await client.hear()
        await client.ask(b"EHLO client.example")
        await client.ask(fill(b"AUTH PLAIN {plain}", CREDENTIAL))
    conversation = Play(handler, client)

    for step in dialog.steps:
        await conversation.play(step)
    if not any(isinstance(step, Closed) for step in dialog.steps):
        await conversation.finish()

    assert not any(handler.decisions.values())
