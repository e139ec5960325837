"""A message as a template of its texts: read once, written as often as there are recipients (RFC 2045, 2046, 2049).

A text is decoded from its transfer encoding and its charset before it is changed, and encoded anew, in UTF-8, only if
it was: every octet of what does not change stays as it came. Attachments are not looked into.
"""

import binascii
import codecs
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from gatepost.standards.message.encoded_words import CODECS
from gatepost.standards.message.header import HeaderSection
from gatepost.standards.message.mime import (
    MAX_DEPTH,
    MAX_PARTS,
    UNENCODED,
    NotConvertible,
    ReadEntity,
    find_parts,
    list_parameters,
    read_entity,
    set_field,
    to_base64,
)
from gatepost.standards.message.mime_build import encode_text

_MEDIA_TYPES: Final = {b"plain": "text/plain", b"html": "text/html"}


class NotRewritable(ValueError):
    """The texts of the message cannot be read, or may not be changed; the message says why, for the sender to read."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that may be changed.

    Attributes:
        section: Its header section; empty for that of the whole message, which is written by itself.
        octets: Its body as it came.
    """

    section: HeaderSection
    content_type: bytes
    media_type: str
    text: str
    octets: bytes

    def write(self, change: Callable[[str, str], str], delimiters: Collection[bytes]) -> tuple[HeaderSection, bytes]:
        """Return header section and body; whatever the text becomes, no ``delimiters`` stand in what was changed."""
        changed = change(self.media_type, self.text)
        if changed == self.text:
            return self.section, self.octets
        lines = changed.replace("\r\n", "\n").replace("\r", "\n")
        try:
            octets = lines.encode("utf-8")
        except UnicodeEncodeError:
            raise NotRewritable("a value holds half of a surrogate pair, which is no character") from None
        encoding, body = encode_text(octets)
        if any(delimiter in body for delimiter in delimiters):
            encoding, body = b"base64", to_base64(octets.replace(b"\n", b"\r\n"))
        section = set_field(self.section, b"Content-Type", _in_utf8(self.content_type, self.media_type))
        return set_field(section, b"Content-Transfer-Encoding", encoding), body


class TextTemplate:
    """The texts of one message, and everything around them."""

    def __init__(self, message: bytes, *, has_texts: bool = True) -> None:
        """Read a message.

        Args:
            message: Header section, empty line, body; CRLF line ends only.
            has_texts: Whether texts are to be changed; if not, the body need not be read.

        Raises:
            NotRewritable: A text has a charset or an encoding that is not read, the structure cannot be read, or a
                part is signed or encrypted.
        """
        self._message = message
        self._pieces: list[bytes | _Text] = []
        self._delimiters: list[bytes] = []
        self._parts = 0
        try:
            root = read_entity(message, 0, len(message), allow_utf8=True)
            if has_texts:
                self._read(root, 0)
            else:
                self._pieces.append(message[root.body_at :])
        except NotConvertible as error:
            raise NotRewritable(str(error)) from error
        self._section = root.section

    def write(
        self, change: Callable[[str, str], str], amend: Callable[[HeaderSection], HeaderSection] = lambda it: it
    ) -> bytes:
        """Return the message with its texts changed.

        Args:
            change: Gets the media type (``text/plain`` or ``text/html``) and the text, with the line ends that it has,
                and returns what it becomes.
            amend: Makes of the message's header section the one to be written.

        Raises:
            NotRewritable: What it becomes cannot be written.
        """
        section = self._section
        written: list[bytes] = []
        for piece in self._pieces:
            if isinstance(piece, bytes):
                written.append(piece)
                continue
            own, body = piece.write(change, self._delimiters)
            if piece.section is self._section:
                section = own
                written.append(body)
            else:
                written += [own.octets, b"\r\n", body]
        last = next((piece for piece in reversed(written) if piece), b"\r\n")
        end = b"" if last.endswith(b"\r\n") else b"\r\n"
        if section is not self._section and not section.find_all(b"mime-version"):
            section = set_field(section, b"MIME-Version", b"1.0")
        return b"".join([amend(section).octets, b"\r\n", *written, end])

    def _read(self, entity: ReadEntity, depth: int) -> None:
        """Take up the body of an entity; its header section was, unless it is a text's."""
        self._count_part(depth)
        if entity.media_type != b"multipart":
            self._pieces.append(_read_text(self._message, entity) or self._message[entity.body_at : entity.end])
            return
        if entity.media_subtype in {b"signed", b"encrypted"}:
            raise NotRewritable(f"a multipart/{entity.media_subtype.decode('ascii')} part may not be changed")
        self._delimiters.append(b"--" + entity.boundary)
        at = entity.body_at
        for start, end in find_parts(self._message, entity):
            part = read_entity(self._message, start, end, allow_utf8=True)
            text = None if part.media_type == b"multipart" else _read_text(self._message, part)
            self._pieces.append(self._message[at : start if text else part.body_at])
            if text:
                self._count_part(depth)
                self._pieces.append(text)
            else:
                self._read(part, depth + 1)
            at = end
        self._pieces.append(self._message[at : entity.end])

    def _count_part(self, depth: int) -> None:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise NotRewritable(f"the message has more than {MAX_PARTS} parts, or more than {MAX_DEPTH} levels of them")


def _read_text(message: bytes, entity: ReadEntity) -> _Text | None:
    """Return the text that an entity is; None if it is another thing, or hangs on the message as a file."""
    media_type = _MEDIA_TYPES.get(entity.media_subtype) if entity.media_type == b"text" else None
    if media_type is None or _is_attached(entity.section):
        return None
    octets = message[entity.body_at : entity.end]
    text = _decode(_undo_encoding(octets, entity.encoding), _find_charset(entity.content_type))
    return _Text(entity.section, entity.content_type, media_type, text, octets)


def _is_attached(section: HeaderSection) -> bool:
    return any(field.body.lower().startswith(b"attachment") for field in section.find_all(b"content-disposition"))


def _undo_encoding(octets: bytes, encoding: bytes) -> bytes:
    if encoding in UNENCODED:
        return octets
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(octets)
    if encoding != b"base64":
        raise NotRewritable("a text has a Content-Transfer-Encoding that is not read")
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        raise NotRewritable("a text claims to be base64, and is not") from None


def _find_charset(content_type: bytes) -> str:
    found = [value for name, value in list_parameters(content_type) if name == b"charset"]
    return found[0].decode("ascii", "replace").lower() if found else ""


def _decode(octets: bytes, charset: str) -> str:
    """Read a text; one without a charset is taken for UTF-8, of which US-ASCII is a part."""
    codec = CODECS.get(charset or "utf-8")
    if codec is None:
        raise NotRewritable("a text has a charset that is not read: use UTF-8")
    try:
        return codecs.decode(octets, codec)
    except UnicodeDecodeError:
        raise NotRewritable(f"a text holds octets that its charset ({charset or 'none named'}) does not have") from None


def _in_utf8(content_type: bytes, media_type: str) -> bytes:
    """Return a Content-Type whose charset is UTF-8; its other parameters stay."""
    kept = [(name, value) for name, value in list_parameters(content_type) if name != b"charset"]
    quoted = [b'%s="%s"' % (name, value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')) for name, value in kept]
    return b"; ".join([media_type.encode("ascii"), b"charset=utf-8", *quoted])
