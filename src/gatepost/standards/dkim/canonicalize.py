"""The two canonical forms, *simple* and *relaxed*, of header fields and of the body (RFC 6376 §3.4).

Everything here works on whole buffers: a loop over lines costs more than the rest of the message's life. Detectors use
``rfind`` because CPython searches ordinary text backwards four times as quickly as forwards (``find``, ``in``). Runs of
spaces go through a regular expression that begins with two literal spaces, which is quicker than repeated
``bytes.replace`` even where there are many. A bare CR or LF is an ordinary octet: neither white space nor a line end.
"""

import re
from enum import Enum

_RUN_OF_SPACES = re.compile(rb"  +")
_WSP = b" \t"
_CRLF = b"\r\n"


class Canonicalization(Enum):
    """One half of the ``c=`` tag."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


def canonicalize_field(octets: bytes, form: Canonicalization) -> bytes:
    """Return one header field, its last CRLF included, in the form asked for (RFC 6376 §3.4.1, §3.4.2)."""
    return relaxed_field(octets) if form is Canonicalization.RELAXED else octets


def canonicalize_body(body: bytes, form: Canonicalization) -> bytes:
    """Return the body in the form asked for (RFC 6376 §3.4.3, §3.4.4)."""
    return relaxed_body(body) if form is Canonicalization.RELAXED else simple_body(body)


def relaxed_field(octets: bytes) -> bytes:
    """Return a header field as ``name:value`` CRLF: name in lower case, unfolded, white space reduced (§3.4.2)."""
    name, _, value = octets.partition(b":")
    value = value.replace(_CRLF, b"")
    if b"\t" in value:
        value = value.replace(b"\t", b" ")
    if b"  " in value:
        value = _RUN_OF_SPACES.sub(b" ", value)
    return b"%b:%b\r\n" % (name.rstrip(_WSP).lower(), value.strip(b" "))


def relaxed_body(body: bytes) -> bytes:
    """Return the body with white space reduced and without empty lines at its end; it may become empty (§3.4.4)."""
    lines = reduce_white_space(_with_last_line_ended(body))
    end = end_of_content(lines)
    if not end:
        return b""
    return lines if end + 2 == len(lines) else lines[: end + 2]


def simple_body(body: bytes) -> bytes:
    """Return the body without empty lines at its end; it becomes a CRLF at the least (§3.4.3)."""
    lines = _with_last_line_ended(body)
    return lines[: end_of_content(lines)] + _CRLF


def reduce_white_space(lines: bytes) -> bytes:
    """Reduce every run of spaces and tabs to one space, and to none before a CRLF."""
    if b"\t" in lines:
        lines = lines.replace(b"\t", b" ")
    if lines.rfind(b"  ") >= 0:
        lines = _RUN_OF_SPACES.sub(b" ", lines)
    if lines.rfind(b" \r\n") >= 0:
        lines = lines.replace(b" \r\n", _CRLF)
    return lines


def end_of_content(lines: bytes) -> int:
    """Return the offset at which the CRLFs that end ``lines`` begin; what follows is nothing but CRLF, repeated."""
    if lines[-2:] != _CRLF:
        return len(lines)
    if lines[-3:-2] != b"\n":
        return len(lines) - 2
    bare = len(lines.rstrip(_CRLF))
    # The tail holds CR and LF only. Where two equal octets meet, one of them is bare and belongs to the content.
    broken = max(lines.rfind(b"\r\r", bare), lines.rfind(b"\n\n", bare))
    start = bare if broken < 0 else broken + 1
    return start + (len(lines) - start) % 2


def _with_last_line_ended(body: bytes) -> bytes:
    return body if not body or body[-2:] == _CRLF else body + _CRLF
