"""The header section: find, count and add fields; every octet we do not change stays (RFC 5322 §2.2).

The reader is strict where readers are known to differ: white space before the colon, continuation lines of white
space only, control characters, line ends other than CRLF, octets that are not UTF-8.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MAX_FIELDS = 1000
MAX_SECTION_OCTETS = 1 << 18

#: Fields that a message has once at most (RFC 5322 §3.6, RFC 2045 §3, RFC 5321 §4.4). Which of two a reader shows is
#: anybody's guess, so two are refused.
SINGLE_FIELDS = frozenset(
    {
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"bcc",
        b"message-id",
        b"in-reply-to",
        b"references",
        b"subject",
        b"date",
        b"mime-version",
        b"content-type",
        b"content-transfer-encoding",
        b"return-path",
    }
)

# A name of printable ASCII, the colon at once; then lines of text, where each continuation has more than white space.
# The look back keeps a search from trying every octet of a line that is no field, which would take the square of time.
_FIELD = re.compile(
    rb"(?<![^\n])(([!-9;-~]++):[\t\x20-\x7e\x80-\xff]*+(?:\r\n[\x20\t]++[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*+)*\r\n)"
)
#: Line ends to some readers, to none in mail: C1 controls (NEXT LINE among them), LINE and PARAGRAPH SEPARATOR.
_UNICODE_CONTROL = re.compile("[\x80-\x9f\u2028\u2029]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")


class HeaderError(ValueError):
    """The octets are no header section we take; the message says which rule and where, for the sender to read."""


class HeaderTooLong(HeaderError):
    """The section does not end within the limit, or has too many fields."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field.

    Attributes:
        name: Lower case, as octets: ``b"reply-to"``.
        octets: The whole field as it stands, folding and the last CRLF included.
    """

    name: bytes
    octets: bytes

    @property
    def body(self) -> bytes:
        """What follows the colon, unfolded (RFC 5322 §2.2.3), outer white space removed."""
        return self.octets.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")


@dataclass(frozen=True, slots=True)
class HeaderSection:
    """The fields of one message, in order."""

    fields: tuple[HeaderField, ...]

    @property
    def octets(self) -> bytes:
        """The section as it stands, without the empty line that ends it."""
        return b"".join([field.octets for field in self.fields])

    @property
    def has_utf8(self) -> bool:
        """Whether any field holds octets above 127, which needs SMTPUTF8 (RFC 6532)."""
        return not self.octets.isascii()

    def find_all(self, name: bytes) -> list[HeaderField]:
        """Return the fields of that (lower-case) name, top to bottom."""
        return [field for field in self.fields if field.name == name]

    def find_repeated(self, names: Iterable[bytes] = SINGLE_FIELDS) -> bytes | None:
        """Return the first of these (lower-case) names, in the order of the fields, that stands there twice."""
        present = [field.name for field in self.fields]
        if len(set(present)) == len(present):
            return None
        watched = frozenset(names)
        return next((name for name, count in Counter(present).items() if count > 1 and name in watched), None)


def parse_header_section(octets: bytes) -> tuple[HeaderSection, int]:
    """Read the header section at the start of a message.

    Args:
        octets: A message, or its beginning with at least the empty line that ends the section. A message without
            an empty line is all header.

    Returns:
        The fields, and where the body begins: after the empty line, or at the end of ``octets``.

    Raises:
        HeaderTooLong: More than ``MAX_SECTION_OCTETS`` or ``MAX_FIELDS``.
        HeaderError: No field at all, or octets that are no field.
    """
    end = octets.find(b"\r\n\r\n", 0, MAX_SECTION_OCTETS)
    if end < 0 and len(octets) > MAX_SECTION_OCTETS:
        raise HeaderTooLong(f"the header section is longer than {MAX_SECTION_OCTETS} octets")
    head, body_at = (octets, len(octets)) if end < 0 else (octets[: end + 2], end + 4)
    found: list[tuple[bytes, bytes]] = _FIELD.findall(head)
    if not head or sum([len(field) for field, _ in found]) != len(head):
        raise _explain(head)
    if len(found) > MAX_FIELDS:
        raise HeaderTooLong(f"the header section has more than {MAX_FIELDS} fields")
    if not head.isascii():
        _check_utf8(head)
    return HeaderSection(tuple([HeaderField(name.lower(), field) for field, name in found])), body_at


def _check_utf8(head: bytes) -> None:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        raise HeaderError(f"{_locate(head, error.start)} holds octets that are not UTF-8") from None
    control = _UNICODE_CONTROL.search(text)
    if control:
        raise HeaderError(f"a header field holds the control character U+{ord(control[0]):04X}")


def _explain(head: bytes) -> HeaderError:
    """Say what is wrong at the first octet that belongs to no field."""
    control = _CONTROL.search(head)
    if control:
        where = _locate(head, control.start())
        return HeaderError(f"{where} holds a control character, or a CR or LF that is not part of CRLF")
    at = 0
    while field := _FIELD.match(head, at):
        at = field.end()
    line, _, _ = head[at:].partition(b"\r\n")
    name, colon, _ = line.partition(b":")
    where = _locate(head, at)
    if at == 0 and not line:
        return HeaderError("there is no header section: the message is empty or begins with an empty line")
    if line[:1] in {b" ", b"\t"}:
        return HeaderError(f"{where} begins with white space, but continues no field or holds nothing else")
    if not colon:
        return HeaderError(f"{where} has no colon, so it is no header field")
    if not _FIELD.match(name + b":\r\n"):
        return HeaderError(f"{where} has a field name that is empty, or holds white space or octets above 127")
    return HeaderError(f"{where} does not end in CRLF")


def _locate(head: bytes, at: int) -> str:
    line = head.count(b"\n", 0, at) + 1
    return f"line {line} of the header section"
