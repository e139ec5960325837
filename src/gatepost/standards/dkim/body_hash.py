"""The body hash under the relaxed form, of a body in memory or one that comes in pieces (RFC 6376 §3.4.4, §3.7)."""

from hashlib import sha256

from gatepost.standards.dkim.canonicalize import end_of_content, reduce_white_space, relaxed_body

_CRLF = b"\r\n"
_WSP = b" \t"
_WHOLE_OCTETS = 1 << 20
"""Longer bodies are hashed in slices: reducing white space may need several times the octets it is given."""


def relaxed_body_hash(body: bytes) -> bytes:
    """Return the SHA-256 (32 octets) of the body in relaxed form; the quick way for a body in memory."""
    if len(body) > _WHOLE_OCTETS:
        hasher = BodyHasher()
        for start in range(0, len(body), _WHOLE_OCTETS):
            hasher.update(body[start : start + _WHOLE_OCTETS])
        return hasher.digest()
    return sha256(relaxed_body(body)).digest()


class BodyHasher:
    """Hashes a body in relaxed form as it comes, in pieces of any size and split anywhere.

    What it holds between pieces does not grow: the hash, the number of line ends not yet followed by content, and at
    most two octets of an unfinished line.
    """

    __slots__ = ("_has_content", "_hash", "_line_ends", "_rest")

    def __init__(self) -> None:
        self._hash = sha256()
        self._has_content = False
        self._line_ends = 0
        """CRLFs seen since the last content; dropped if no content follows."""
        self._rest = b""
        """White space (as one space) and a CR that end what came: the next octets decide what they are."""

    def update(self, octets: bytes) -> None:
        """Take the next octets of the body."""
        if not octets:
            return
        data = self._rest + octets
        text = data[:-1] if data[-1:] == b"\r" else data
        settled = text.rstrip(_WSP)
        self._rest = (b" " if len(settled) < len(text) else b"") + data[len(text) :]
        lines = reduce_white_space(settled)
        end = end_of_content(lines)
        if end:
            self._take_content(lines[:end])
        self._line_ends += (len(lines) - end) // 2

    def digest(self) -> bytes:
        """Return the SHA-256 (32 octets) of the body that ended here. The hasher is then used up."""
        if self._rest[-1:] == b"\r":
            self._take_content(self._rest)
        if self._has_content:
            self._hash.update(_CRLF)
        return self._hash.digest()

    def _take_content(self, lines: bytes) -> None:
        blocks, remainder = divmod(self._line_ends, _WHOLE_OCTETS)
        for _ in range(blocks):
            self._hash.update(_CRLF * _WHOLE_OCTETS)
        self._hash.update(_CRLF * remainder + lines if remainder else lines)
        self._line_ends = 0
        self._has_content = True
