"""SMTP conversations as text: read a ``.dialog`` file into steps that a bare session or a real socket can go through.

A file has comments (``#``), and lines of these kinds, each obeyed in turn:

    start: clear|tls|authenticated   how the conversation begins; "clear" unless told. "authenticated" stands for
                                     TLS, greeting, EHLO and AUTH done already
    settings: NAME=VALUE …           fields of SessionSettings, in front of everything else
    decide: WHAT accept|refuse|refuse-close [REPLY]
                                     what the owner says the next time it is asked for WHAT: AUTH, MAIL, RCPT, DATA,
                                     MESSAGE; otherwise it accepts all but a wrong password
    c: TEXT                          the client sends TEXT and CRLF
    c< TEXT                          the client sends TEXT with escapes (\\r \\n \\x00 \\\\) and no CRLF of its own
    s: TEXT                          the server answers TEXT; "…" at the end matches any rest; "250-…" matches any
                                     number of such lines
    tls:                             the TLS handshake
    closed                           the server has closed
    messages: N                      how many messages have been accepted so far
    content: TEXT                    what the last of them held, with escapes

Client lines that follow each other are sent in one piece. ``{plain}``, ``{username}`` and ``{password}`` stand for a
good credential in base64, ``{N*TEXT}`` for TEXT N times over. Before each client line, and at the end, the server must
have said exactly what the file says.
"""

import re
from dataclasses import dataclass
from pathlib import Path

REPEATED = re.compile(r"\{(\d+)\*([^{}]*)\}")
ESCAPED = re.compile(rb"\\(?:r|n|\\|x([0-9a-f]{2}))")


class DialogError(Exception):
    """The file is not a dialog; says where."""


@dataclass(frozen=True, slots=True)
class Send:
    """The client sends this in one piece; placeholders are still in it."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """The server answers with this line, without CRLF."""

    text: str

    @property
    def is_many(self) -> bool:
        """Whether any number of continuation lines is meant."""
        return re.fullmatch(r"\d{3}-…", self.text) is not None

    def matches(self, line: str) -> bool:
        """Tell whether the line is what is expected."""
        return line.startswith(self.text[:-1]) if self.text.endswith("…") else line == self.text


@dataclass(frozen=True, slots=True)
class Handshake:
    """Both sides begin TLS."""


@dataclass(frozen=True, slots=True)
class Decide:
    """What the owner says the next time it is asked."""

    what: str
    answer: str
    code: int
    enhanced: str
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The server has closed."""


@dataclass(frozen=True, slots=True)
class Messages:
    """How many messages the owner has accepted."""

    count: int


@dataclass(frozen=True, slots=True)
class Content:
    """What the last accepted message holds."""

    octets: bytes


Step = Send | Expect | Handshake | Decide | Closed | Messages | Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One conversation."""

    name: str
    start: str
    settings: dict[str, int | bool]
    steps: tuple[Step, ...]

    @property
    def needs_scripted_owner(self) -> bool:
        """Whether it asks for decisions or settings that a running relay would not come to by itself."""
        return bool(self.settings) or any(isinstance(step, (Decide, Content)) for step in self.steps)


def read_dialog(path: Path) -> Dialog:
    """Read a file."""
    return parse_dialog(path.read_text(encoding="utf-8"), name=path.stem)


def parse_dialog(text: str, *, name: str) -> Dialog:
    """Read the text of a file; DialogError tells the line that is none of ours."""
    start = "clear"
    settings: dict[str, int | bool] = {}
    steps: list[Step] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#") or not line.strip():
            continue
        try:
            if line.startswith("start:"):
                start = _choice(line[6:].strip(), ("clear", "tls", "authenticated"))
            elif line.startswith("settings:"):
                settings.update(_setting(word) for word in line[9:].split())
            else:
                _add(steps, _step(line))
        except ValueError as error:
            raise DialogError(f"{name}, line {number}: {error}") from error
    return Dialog(name=name, start=start, settings=settings, steps=tuple(steps))


def fill(octets: bytes, credential: dict[str, str]) -> bytes:
    """Put a credential where its placeholders are."""
    for placeholder, value in credential.items():
        octets = octets.replace(b"{" + placeholder.encode() + b"}", value.encode())
    return octets


def _step(line: str) -> Step:
    mark, text = line[:2], line[3:]
    if line in ("tls:", "closed"):
        return Handshake() if line == "tls:" else Closed()
    if mark == "c:":
        return Send(_repeat(text).encode() + b"\r\n")
    if mark == "c<":
        return Send(_unescape(_repeat(text)))
    if mark == "s:":
        return Expect(text)
    key, _, value = line.partition(":")
    if key == "messages":
        return Messages(int(value))
    if key == "content":
        return Content(_unescape(_repeat(value.removeprefix(" "))))
    if key == "decide":
        return _decide(value)
    raise ValueError(f"not a line of a dialog: {line!r}")


def _decide(text: str) -> Decide:
    words = text.split(maxsplit=4)
    what = _choice(words[0], ("AUTH", "MAIL", "RCPT", "DATA", "MESSAGE"))
    answer = _choice(words[1], ("accept", "refuse", "refuse-close"))
    code, enhanced, reply = words[2:]
    return Decide(what, answer, int(code), enhanced, reply)


def _add(steps: list[Step], step: Step) -> None:
    if isinstance(step, Send) and steps and isinstance(steps[-1], Send):
        step = Send(steps.pop().octets + step.octets)  # type: ignore[union-attr]  # it is a Send
    steps.append(step)


def _setting(word: str) -> tuple[str, int | bool]:
    name, _, value = word.partition("=")
    return name, value == "true" if value in ("true", "false") else int(value)


def _choice(value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(choices)}")
    return value


def _repeat(text: str) -> str:
    return REPEATED.sub(lambda found: int(found[1]) * found[2], text)


def _unescape(text: str) -> bytes:
    named = {b"\\r": b"\r", b"\\n": b"\n", b"\\\\": b"\\"}
    return ESCAPED.sub(lambda found: named.get(found[0]) or bytes.fromhex(found[1].decode()), text.encode())
