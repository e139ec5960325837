"""MIME structure (RFC 2045, 2046): walk it by octets, and make 8-bit content fit for a peer without 8BITMIME.

Only what holds octets above 127 is rewritten: the bodies of such leaves, and the Content-Transfer-Encoding fields on
the way to them. Every other octet stays as it came.
"""

import binascii
import re
from dataclasses import dataclass

from gatepost.standards.message.header import HeaderError, HeaderField, HeaderSection, parse_header_section

MAX_DEPTH = 20
MAX_PARTS = 1000
MAX_OCTETS = 1 << 25

_MEDIA_TYPE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)/([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_PARAMETER = re.compile(
    rb"[ \t]*;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"()]+))"
)
_QUOTED_PAIR = re.compile(rb"\\(.)")
UNENCODED = frozenset({b"", b"7bit", b"8bit", b"binary"})
_HIGH_OCTETS = bytes(range(128, 256))
#: Base64 grows by a third, quoted-printable by two octets for each octet above 127.
_BASE64_FROM_SHARE = 1 / 6
_OCTETS_PER_BASE64_LINE = 57


class NotConvertible(ValueError):
    """The message cannot be sent to a peer without 8BITMIME; the message says why, for the sender to read."""


@dataclass(frozen=True, slots=True)
class ReadEntity:
    """A header section and where its body lies in the whole message: ``message[body_at:end]``.

    Attributes:
        media_type, media_subtype, encoding: In lower case; the encoding is ``b""`` where none is named.
        content_type: The field's body; ``b"text/plain"`` where there is none.
        boundary: Of a multipart.
    """

    section: HeaderSection
    body_at: int
    end: int
    media_type: bytes
    media_subtype: bytes
    boundary: bytes
    encoding: bytes
    content_type: bytes


def downgrade_to_7bit(message: bytes, *, max_octets: int = MAX_OCTETS) -> bytes:
    """Return the message with every octet above 127 in its body encoded (RFC 6152 §3, RFC 2045 §6).

    Text becomes quoted-printable unless much of it is beyond ASCII, all else base64. Signed and encrypted
    multiparts are not touched, because the signature or the cipher is over the octets as they are. A message within
    the message (``message/rfc822``) is converted inside, which ends a DKIM signature that it may carry.

    Args:
        message: Header section, empty line, body; CRLF line ends only.
        max_octets: Longer ones are refused: the work is done in memory.

    Raises:
        NotConvertible: It is too large, too deep or of too many parts; a header field holds octets above 127 (which
            needs SMTPUTF8, not 8BITMIME); its structure cannot be read; or it may not be changed.
    """
    if message.isascii():
        return message
    if len(message) > max_octets:
        raise NotConvertible(f"the message is longer than {max_octets} octets")
    return _Downgrade(message).run()


class _Downgrade:
    """One conversion: the message, the pieces written so far, and how many parts were met."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._pieces: list[bytes] = []
        self._parts = 0

    def run(self) -> bytes:
        self._convert(0, len(self._message), depth=0)
        return b"".join(self._pieces)

    def _convert(self, start: int, end: int, *, depth: int) -> None:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise NotConvertible(
                f"the message has more than {MAX_PARTS} parts, or more than {MAX_DEPTH} levels of them"
            )
        if self._message[start:end].isascii():
            self._keep(start, end)
            return
        entity = read_entity(self._message, start, end)
        if entity.media_type == b"multipart":
            self._convert_multipart(entity, depth=depth)
        elif (entity.media_type, entity.media_subtype) == (b"message", b"rfc822"):
            self._write_header(_as_7bit_composite(entity), depth=depth)
            self._convert(entity.body_at, end, depth=depth + 1)
        else:
            self._convert_leaf(entity, depth=depth)

    def _convert_multipart(self, entity: ReadEntity, *, depth: int) -> None:
        if entity.media_subtype in {b"signed", b"encrypted"}:
            raise NotConvertible(f"a multipart/{entity.media_subtype.decode('ascii')} part may not be changed")
        self._write_header(_as_7bit_composite(entity), depth=depth)
        at = entity.body_at
        for start, end in find_parts(self._message, entity):
            self._keep_ascii(at, start)
            self._convert(start, end, depth=depth + 1)
            at = end
        self._keep_ascii(at, entity.end)

    def _convert_leaf(self, entity: ReadEntity, *, depth: int) -> None:
        if entity.media_type == b"message":
            raise NotConvertible("a message part other than message/rfc822 holds octets above 127")
        if entity.encoding not in UNENCODED:
            raise NotConvertible("a part that claims to be encoded holds octets above 127")
        body = self._message[entity.body_at : entity.end]
        section = entity.section
        if not section.find_all(b"content-type"):
            section = set_field(section, b"Content-Type", b"text/plain; charset=" + _guess_charset(body))
        is_text = entity.media_type == b"text"
        high_octets = len(body) - len(body.translate(None, _HIGH_OCTETS))
        if is_text and high_octets < len(body) * _BASE64_FROM_SHARE:
            encoding, encoded = b"quoted-printable", _to_quoted_printable(body)
        else:
            encoding, encoded = b"base64", to_base64(body)
        self._write_header(set_field(section, b"Content-Transfer-Encoding", encoding), depth=depth)
        self._pieces.append(encoded)

    def _write_header(self, section: HeaderSection, *, depth: int) -> None:
        if depth == 0 and not section.find_all(b"mime-version"):
            section = set_field(section, b"MIME-Version", b"1.0")
        self._pieces += [section.octets, b"\r\n"]

    def _keep(self, start: int, end: int) -> None:
        self._pieces.append(self._message[start:end])

    def _keep_ascii(self, start: int, end: int) -> None:
        """Keep what stands between and around parts: delimiters, preamble, epilogue."""
        if not self._message[start:end].isascii():
            raise NotConvertible("octets above 127 stand outside all parts of a multipart")
        self._keep(start, end)


def read_entity(message: bytes, start: int, end: int, *, allow_utf8: bool = False) -> ReadEntity:
    """Read the header section of an entity, ``message[start:end]``.

    Raises:
        NotConvertible: It cannot be read, or not one way only.
    """
    if message.startswith(b"\r\n", start, end):
        section, body_at = HeaderSection(()), start + 2
    else:
        section, body_at = _read_header_section(message, start, end, allow_utf8=allow_utf8)
    content_type = _get_single(section, b"content-type") or b"text/plain"
    media = _MEDIA_TYPE.match(content_type)
    if media is None:
        raise NotConvertible("a Content-Type field cannot be read")
    boundary = next((value for name, value in list_parameters(content_type) if name == b"boundary"), b"")
    if media[1].lower() == b"multipart" and not boundary:
        raise NotConvertible("a multipart has no boundary that can be read")
    return ReadEntity(
        section=section,
        body_at=body_at,
        end=end,
        media_type=media[1].lower(),
        media_subtype=media[2].lower(),
        boundary=boundary,
        encoding=_get_single(section, b"content-transfer-encoding").lower(),
        content_type=content_type,
    )


def _read_header_section(message: bytes, start: int, end: int, *, allow_utf8: bool) -> tuple[HeaderSection, int]:
    # The reader needs the section only; a body of megabytes would be copied once more for each level.
    blank = message.find(b"\r\n\r\n", start, end)
    section_end = end if blank < 0 else blank + 4
    try:
        section, body_at = parse_header_section(message[start:section_end])
    except HeaderError as error:
        raise NotConvertible(f"the header section of a part cannot be read: {error}") from error
    if section.has_utf8 and not allow_utf8:
        raise NotConvertible("a header field holds octets above 127, which the next server does not take")
    return section, start + body_at


def _get_single(section: HeaderSection, name: bytes) -> bytes:
    fields = section.find_all(name)
    if len(fields) > 1:
        raise NotConvertible(f"a part has several {name.decode('ascii')} fields")
    return fields[0].body if fields else b""


def list_parameters(content_type: bytes) -> list[tuple[bytes, bytes]]:
    """Return the parameters of a Content-Type that can be read: names in lower case, values without their quotes."""
    media = _MEDIA_TYPE.match(content_type)
    at = media.end() if media else len(content_type)
    found: list[tuple[bytes, bytes]] = []
    while parameter := _PARAMETER.match(content_type, at):
        name, quoted, token = parameter.groups()
        found.append((name.lower(), token or _QUOTED_PAIR.sub(rb"\1", quoted)))
        at = parameter.end()
    return found


def find_parts(message: bytes, entity: ReadEntity) -> list[tuple[int, int]]:
    """Return where the parts of a multipart begin and end; the CRLF before a delimiter belongs to the delimiter."""
    mark = re.escape(b"--" + entity.boundary)
    # The mark comes first and what must precede it second: so the search is for a plain string. A body is always
    # preceded by CRLF, that of the empty line.
    delimiter = re.compile(mark + rb"(?<=\r\n" + mark + rb")(--)?[ \t]*+(?:\r\n|\Z)")
    parts: list[tuple[int, int]] = []
    start = -1
    for found in delimiter.finditer(message, entity.body_at, entity.end):
        if start >= 0:
            parts.append((start, max(start, found.start() - 2)))
        if found[1] or len(parts) > MAX_PARTS:
            return parts
        start = found.end()
    if start >= 0:
        parts.append((start, entity.end))
    return parts


def _as_7bit_composite(entity: ReadEntity) -> HeaderSection:
    """Return the section of a multipart or message whose content is 7-bit from now on (RFC 2045 §6.4)."""
    if entity.encoding not in UNENCODED:
        raise NotConvertible("a multipart or message part has an encoding, which it must not have")
    if entity.encoding in {b"", b"7bit"}:
        return entity.section
    return set_field(entity.section, b"Content-Transfer-Encoding", b"7bit")


def set_field(section: HeaderSection, name: bytes, body: bytes) -> HeaderSection:
    """Return the section with the field replaced where it stands, or added at the end."""
    new = HeaderField(name.lower(), name + b": " + body + b"\r\n")
    fields = [new if field.name == new.name else field for field in section.fields]
    return HeaderSection(tuple(fields if new in fields else [*fields, new]))


def _guess_charset(body: bytes) -> bytes:
    """Name the charset of text that came without a Content-Type (RFC 1428 §3 for the unknown)."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return b"unknown-8bit"
    return b"utf-8"


def _to_quoted_printable(body: bytes) -> bytes:
    encoded = binascii.b2a_qp(body, istext=True)
    # The codec takes its soft line breaks from the line ends it meets, and LF where it meets none.
    return encoded if b"\r\n" in body else encoded.replace(b"=\n", b"=\r\n")


def to_base64(body: bytes) -> bytes:
    """Return a body in base64, in lines of 76 characters."""
    lines = [
        binascii.b2a_base64(body[at : at + _OCTETS_PER_BASE64_LINE], newline=False)
        for at in range(0, len(body), _OCTETS_PER_BASE64_LINE)
    ]
    return b"\r\n".join([*lines, b""])
