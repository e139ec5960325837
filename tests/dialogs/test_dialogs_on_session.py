"""Each dialog of this folder, on a bare ServerSession."""

from pathlib import Path

import pytest
from dialog import (
    Closed,
    Content,
    Decide,
    Dialog,
    DialogError,
    Expect,
    Handshake,
    Messages,
    Send,
    Step,
    fill,
    parse_dialog,
    read_dialog,
)
from session_owner import CREDENTIAL, SessionOwner

from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.server import ServerSession, SessionSettings

DIALOGS = [read_dialog(path) for path in sorted(Path(__file__).parent.glob("*.dialog"))]


class Play:
    """One dialog on one session; lines that the server has said and nobody has expected yet are in ``said``."""

    def __init__(self, dialog: Dialog) -> None:
        settings = SessionSettings(host_name="relay.example", **dialog.settings)
        self.owner = SessionOwner(ServerSession(settings, tls_active=dialog.start != "clear"))
        self.said: list[str] = []
        self.owner.session.greet()
        self._hear(self.owner.run())
        if dialog.start == "authenticated":
            self._hear(self.owner.receive(b"EHLO client.example\r\n"))
            self._hear(self.owner.receive(fill(b"AUTH PLAIN {plain}\r\n", CREDENTIAL)))
            self.said.clear()

    def play(self, step: Step) -> None:
        match step:
            case Send(octets):
                assert self.said == [], "the server said more than the dialog"
                self._hear(self.owner.receive(fill(octets, CREDENTIAL)))
            case Expect():
                self._expect(step)
            case Handshake():
                self.owner.shake_hands()
            case Decide(what, answer, code, enhanced, text):
                self.owner.decisions[what].append((answer, Reply(code, enhanced, text)))
            case Closed():
                assert self.said == []
                assert self.owner.is_closed
            case Messages(count):
                assert len(self.owner.messages) == count
            case Content(octets):
                assert self.owner.messages[-1] == octets

    def finish(self) -> None:
        assert self.said == [], "the server said more than the dialog"
        assert not any(self.owner.decisions.values()), "a decision was never asked for"

    def _expect(self, expected: Expect) -> None:
        assert self.said, f"the server said nothing where {expected.text!r} was expected"
        line = self.said.pop(0)
        assert expected.matches(line), f"{line!r} where {expected.text!r} was expected"
        while expected.is_many and self.said and expected.matches(self.said[0]):
            self.said.pop(0)

    def _hear(self, output: bytes) -> None:
        assert output == b"" or output.endswith(b"\r\n")
        self.said += output.decode().split("\r\n")[:-1]


def play(dialog: Dialog) -> None:
    conversation = Play(dialog)
    ends = any(isinstance(step, Closed) for step in dialog.steps)
    for step in dialog.steps:
        conversation.play(step)
    conversation.finish()
    assert conversation.owner.is_closed == ends, "the dialog and the session disagree whether it has closed"


@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda dialog: dialog.name)
def test_the_session_says_what_the_dialog_says(dialog: Dialog) -> None:
    play(dialog)


WRONG = {
    "another reply": "start: authenticated\nc: NOOP\ns: 250 2.0.0 Fine",
    "a reply too many": "start: authenticated\nc: NOOP\nc: NOOP\ns: 250 2.0.0 Ok",
    "a reply too few": "start: authenticated\nc: NOOP\ns: 250 2.0.0 Ok\ns: 250 2.0.0 Ok",
    "a reply not heard before the next command": "start: authenticated\nc: NOOP\nmessages: 0\nc: NOOP\ns: 250 …",
    "closed where it is open": "start: authenticated\nclosed",
    "open where it is closed": "start: authenticated\nc: QUIT\ns: 221 …",
    "a message that was not accepted": "start: authenticated\nmessages: 1",
    "a decision nobody asked for": "start: authenticated\ndecide: MAIL refuse 550 5.7.1 No",
    "a handshake nobody asked for": "s: 220 …\nc: EHLO a\ns: 250-…\ns: 250 STARTTLS\ntls:",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_dialog_that_is_wrong_fails(text: str) -> None:
    with pytest.raises(AssertionError):
        play(parse_dialog(text, name="wrong"))


@pytest.mark.parametrize(
    "line", ["x: NOOP", "NOOP", "start: somewhere", "decide: FOO accept 250 2.0.0 Ok", "messages: x"]
)
def test_a_line_that_is_none_of_a_dialog_is_reported_with_its_number(line: str) -> None:
    with pytest.raises(DialogError, match="mine, line 2"):
        parse_dialog(f"# a comment\n{line}", name="mine")


def test_client_lines_that_follow_each_other_are_one_piece() -> None:
    dialog = parse_dialog("c: A\nc< B\\x00\\\\\\r\\n\ns: 250 …\nc: {2*C}", name="mine")

    assert dialog.steps == (Send(b"A\r\nB\0\\\r\n"), Expect("250 …"), Send(b"CC\r\n"))
