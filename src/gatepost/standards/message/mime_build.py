"""MIME entities made from text and octets: RFC 2045, RFC 2046, RFC 2183, RFC 2387.

What is built is 7-bit throughout with lines of at most 998 octets and CRLF ends, so that it passes every server
unaltered. Whole-buffer functions of the standard library do the encoding; ``email.message`` costs forty times as much.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.standards.message.header_build import MAX_LINE_OCTETS, BuildError, build_parameter_field

_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_CONTENT_ID: Final = re.compile(r"[!-;=?-~]{1,900}")
#: What a text may hold and still go as it is: printable ASCII, tabs and line ends.
_PLAIN: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
_BASE64_CHARACTERS: Final = 76


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity: its Content-… fields, each with its CRLF, and its encoded body.

    The body of a text ends as the text does; who puts it at the end of a message sees to the last CRLF.
    """

    fields: bytes
    body: bytes


def is_media_type(text: str) -> bool:
    """Say whether this is a type and a subtype (RFC 6838 §4.2), without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_content_id(text: str) -> bool:
    """Say whether this can stand between the angle brackets of a Content-ID field."""
    return _CONTENT_ID.fullmatch(text) is not None


def build_text(media_type: str, text: str) -> Entity:
    """Build an entity of text in UTF-8; line ends of any kind become CRLF.

    Raises:
        BuildError: The media type is none, or the text is no Unicode text.
    """
    lines = _to_octets(text).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    encoding, body = encode_text(lines)
    fields = _content_type(media_type, [("charset", "utf-8")]) + b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    return Entity(fields, body)


def build_attachment(
    media_type: str, encoded: bytes, *, filename: str, is_inline: bool = False, content_id: str = ""
) -> Entity:
    """Build an attachment of what is in base64 already.

    Args:
        media_type: Not ``multipart/…`` nor ``message/…``, which may not be in base64 (RFC 2046 §5).
        encoded: Base64 as ``decode_base64`` takes it; white space in it is dropped.
        filename: As shown.
        is_inline: Whether it is part of what is shown (RFC 2183 §2.1).
        content_id: By which HTML refers to it, without brackets; "" for none.

    Raises:
        BuildError: Media type, file name or content id cannot be written.
    """
    if media_type.lower().startswith(("multipart/", "message/")):
        raise BuildError("multipart and message types cannot be attached in base64: use application/octet-stream")
    fields = _content_type(media_type, [])
    fields += build_parameter_field(
        "Content-Disposition", "inline" if is_inline else "attachment", [("filename", filename)]
    )
    if content_id:
        if not is_content_id(content_id):
            raise BuildError("the content id holds white space, an angle bracket or a character beyond ASCII")
        fields += b"Content-ID: <" + content_id.encode("ascii") + b">\r\n"
    return Entity(fields + b"Content-Transfer-Encoding: base64\r\n", _wrap(b"".join(encoded.split())))


def build_multipart(subtype: str, parts: Sequence[Entity], boundary: str) -> Entity:
    """Put entities into one.

    Args:
        subtype: "mixed", "alternative" or "related".
        parts: At least one.
        boundary: Up to 70 letters, digits and dashes that no author of a part could have foreseen: else he could
            end the part that he wrote and begin another.
    """
    mark = b"--" + boundary.encode("ascii")
    pieces = [mark + b"\r\n" + part.fields + b"\r\n" + part.body + b"\r\n" for part in parts]
    fields = build_parameter_field("Content-Type", f"multipart/{subtype}", [("boundary", boundary)])
    return Entity(fields, b"".join([*pieces, mark, b"--\r\n"]))


def decode_base64(text: str) -> bytes | None:
    """Return what base64 text stands for, line ends in it dropped; None if it is not base64 (RFC 4648 §4)."""
    if not text.isascii():
        return None
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def _content_type(media_type: str, parameters: Sequence[tuple[str, str]]) -> bytes:
    if not is_media_type(media_type):
        raise BuildError("the media type is not of the form type/subtype")
    return build_parameter_field("Content-Type", media_type, parameters)


def encode_text(lines: bytes) -> tuple[bytes, bytes]:
    """Return the transfer encoding and the body of text whose lines end in LF; it is 7-bit, with short lines."""
    # Not by a pattern, which would look at each line again from each octet of it.
    if not lines.translate(None, _PLAIN) and max(map(len, lines.split(b"\n"))) <= MAX_LINE_OCTETS - 2:
        return b"7bit", lines.replace(b"\n", b"\r\n")
    quoted = binascii.b2a_qp(lines, istext=True)
    if len(quoted) <= len(lines) * 3 // 2:
        return b"quoted-printable", quoted.replace(b"\n", b"\r\n")
    return b"base64", _wrap(binascii.b2a_base64(lines.replace(b"\n", b"\r\n"), newline=False))


def _wrap(encoded: bytes) -> bytes:
    size = _BASE64_CHARACTERS
    return b"\r\n".join([encoded[start : start + size] for start in range(0, len(encoded), size)])


def _to_octets(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise BuildError("it holds half of a surrogate pair, which is no character") from None
