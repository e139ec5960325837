"""Read replies from the octets of a peer we connected to (RFC 5321 §4.2), whatever way they are cut into pieces.

The peer is not trusted: lines and replies are bounded, and the text of a reply comes out printable, so that it can go
into a log, an event or a terminal as it is.
"""

import re
from collections.abc import Iterator

from gatepost.standards.smtp.replies import Reply

MAX_REPLY_LINE_OCTETS = 4096
"""The RFC says 512 (§4.5.3.1.5); longer ones are common in refusals, and harmless within this."""

MAX_REPLY_OCTETS = 65536
"""All lines of one reply together."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.[0-9]{1,3}\.[0-9]{1,3}(?= |\Z)")


class ReplyViolation(ValueError):
    """What the peer sent is no reply; the message says why, and quotes nothing of it."""


class ReplyReader:
    """Collects octets and yields replies.

    Line ends may be CRLF or a bare LF, and the text may be missing: both are seen in the field, and neither can be
    taken for something else. A code that changes between the lines of a reply is refused.
    """

    __slots__ = ("_buffer", "_code", "_lines", "_size", "_start")

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0
        self._code = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def holds_octets(self) -> bool:
        """Whether something has arrived that no reply yielded so far has used up."""
        return self._start < len(self._buffer) or bool(self._lines)

    def feed(self, octets: bytes) -> Iterator[Reply]:
        """Yield each reply that these octets complete.

        Raises:
            ReplyViolation: The next line is no reply line, or too long; replies before it have been yielded. The
                reader is of no further use.
        """
        self._buffer = self._buffer[self._start :] + octets
        self._start = 0
        while (end := self._buffer.find(b"\n", self._start)) >= 0:
            line = self._buffer[self._start : end]
            self._start = end + 1
            reply = self._take_line(line.removesuffix(b"\r"))
            if reply is not None:
                yield reply
        if len(self._buffer) - self._start > MAX_REPLY_LINE_OCTETS:
            raise ReplyViolation("reply line too long")

    def _take_line(self, line: bytes) -> Reply | None:
        if len(line) > MAX_REPLY_LINE_OCTETS:
            raise ReplyViolation("reply line too long")
        match = _LINE.match(line)
        if match is None:
            raise ReplyViolation("not an SMTP reply")
        code, separator, text = match.groups()
        if self._lines and code != self._code:
            raise ReplyViolation("reply code changed between lines")
        self._code = code
        self._size += len(line)
        if self._size > MAX_REPLY_OCTETS:
            raise ReplyViolation("reply too long")
        self._lines.append(_printable(text or b""))
        if separator == b"-":
            return None
        reply = _build_reply(int(code), self._lines)
        self._lines = []
        self._size = 0
        return reply


def _build_reply(code: int, lines: list[str]) -> Reply:
    """Take the enhanced status code (RFC 2034 §4) off each line that has it, if it is of the class of ``code``."""
    match = _ENHANCED.match(lines[0])
    if match is None or match[1] != str(code)[0]:
        return Reply(code, "", "\n".join(lines))
    enhanced = match[0]
    return Reply(code, enhanced, "\n".join([line.removeprefix(enhanced).lstrip(" ") for line in lines]))


def _printable(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join([character if character.isprintable() else "?" for character in text.replace("\t", " ")])
