"""Header fields made from text: folding, encoded words, address lists, parameters.

Text goes in, octets come out, and nothing in the text can end a field or begin another: control characters are
refused, what is not plain ASCII is encoded. RFC 5322 §2.2.3 (folding, 78 and 998), RFC 2047 (encoded words),
RFC 2231 (parameters), RFC 6532 only for addresses whose local part is beyond ASCII.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from gatepost.standards.address import Mailbox

LINE_CHARACTERS: Final = 78
MAX_LINE_OCTETS: Final = 998

_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN: Final = re.compile(r"[\t -~]*")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_WORD: Final = re.compile(r"[\t ]*[^\t ]+")
_QUOTABLE: Final = re.compile(r"([\"\\])")
# What a Q word may hold as it is wherever it stands (RFC 2047 §5 rule 3).
_Q_LITERAL: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
#: RFC 2047 §2: a word has 75 characters at most, a line that holds one 76.
_WORD_CHARACTERS: Final = 75
_MARKS: Final = len("=?utf-8?q??=")
_PARAMETER_CHARACTERS: Final = 60


class BuildError(ValueError):
    """The text cannot stand in a header field; the message says why, in words for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class NamedMailbox:
    """An address with the name that is shown for it; "" for none."""

    mailbox: Mailbox
    name: str = ""


def build_text_field(name: str, text: str) -> bytes:
    """Build an unstructured field, Subject for one; readers see exactly ``text``.

    Raises:
        BuildError: The name is none, the text holds a control character, or a word longer than a line may be.
    """
    check_text(text)
    is_plain = _PLAIN.fullmatch(text) and "=?" not in text and text == text.strip("\t ")
    if is_plain and all(len(word) < MAX_LINE_OCTETS - len(name) - 2 for word in text.split()):
        return _fold(name, _WORD.findall(text))
    return _fold(name, [" " + word for word in _encode_words(text, first=_room(name))])


def build_raw_field(name: str, text: str) -> bytes:
    """Build a field from a body that its author wrote in the field's own syntax: ASCII stays as it is.

    Raises:
        BuildError: As ``build_text_field``.
    """
    check_text(text)
    text = text.strip("\t ")
    if not text.isascii():
        return build_text_field(name, text)
    return _fold(name, _WORD.findall(text))


def build_address_field(name: str, mailboxes: Sequence[NamedMailbox]) -> bytes:
    """Build a field that lists mailboxes.

    Raises:
        BuildError: A display name holds a control character.
    """
    words: list[str] = []
    for place, each in enumerate(mailboxes):
        check_text(each.name)
        phrase = _build_phrase(each.name, first=_room(name) if place == 0 else _WORD_CHARACTERS)
        address = f"<{each.mailbox}>" if phrase else str(each.mailbox)
        comma = "," if place < len(mailboxes) - 1 else ""
        words += [" " + word for word in (*phrase, address + comma)]
    return _fold(name, words)


def build_parameter_field(name: str, value: str, parameters: Sequence[tuple[str, str]]) -> bytes:
    """Build a field like Content-Type: a value and its parameters, encoded where they must be (RFC 2231).

    Raises:
        BuildError: A parameter holds a control character.
    """
    words = [" " + value]
    for attribute, text in parameters:
        check_text(text)
        for word in _build_parameter(attribute, text):
            words[-1] += ";"
            words.append(" " + word)
    return _fold(name, words)


def check_text(text: str) -> None:
    """Raise ``BuildError`` if the text holds what no header field may: controls, line ends of any kind."""
    control = _CONTROL.search(text)
    if control:
        raise BuildError(f"it holds the control character U+{ord(control[0]):04X}")


def _fold(name: str, words: Sequence[str]) -> bytes:
    """Join words, each with the white space in front of it, into lines."""
    if not _NAME.fullmatch(name):
        raise BuildError("the name of a header field is 1 to 76 printable ASCII characters without colon and space")
    line = f"{name}:" + ("" if words and words[0][0] in "\t " else " ")
    lines: list[str] = []
    for word in words:
        # A name alone on its line is legal, and some readers do not like it: the first word stays where it can.
        if len(line) + len(word) > LINE_CHARACTERS and (lines or len(line) > len(name) + 2 or _must_move(line, word)):
            lines.append(line)
            line = word if word[0] in "\t " else " " + word
        else:
            line += word
    lines.append(line)
    if any(len(line.encode("utf-8")) > MAX_LINE_OCTETS for line in lines):
        raise BuildError(f"it holds a word too long for a line of {MAX_LINE_OCTETS} octets")
    return "\r\n".join([*lines, ""]).encode("utf-8")


def _must_move(line: str, word: str) -> bool:
    return word.startswith(" =?") or len(line) + len(word) > MAX_LINE_OCTETS


def _room(name: str) -> int:
    """How long the first encoded word may be so that it fits behind the field's name."""
    room = 76 - len(name) - 2
    return room if room >= 2 * _MARKS else _WORD_CHARACTERS


def _build_phrase(name: str, *, first: int) -> list[str]:
    """Return the words of a display name."""
    if not name.strip():
        return []
    if "=?" not in name and len(name) <= MAX_LINE_OCTETS // 2:
        if _ATOMS.fullmatch(name):
            return name.split(" ")
        if _PLAIN.fullmatch(name) and "\t" not in name:
            return ['"' + _QUOTABLE.sub(r"\\\1", name) + '"']
    return _encode_words(name, first=first)


def _encode_words(text: str, *, first: int) -> list[str]:
    """Return encoded words of at most 75 characters, the first of at most ``first``; whichever form is shorter."""
    octets = text.encode("utf-8")
    q_characters = sum([1 if octet in _Q_LITERAL or octet == 0x20 else 3 for octet in octets])
    uses_q = q_characters <= (len(octets) + 2) // 3 * 4
    room = first - _MARKS
    words: list[str] = []
    for piece in _cut(text, uses_q=uses_q, first=room):
        encoded = _to_q(piece) if uses_q else b64encode(piece).decode("ascii")
        words.append(f"=?utf-8?{'q' if uses_q else 'b'}?{encoded}?=")
    return words or ["=?utf-8?q??="]


def _cut(text: str, *, uses_q: bool, first: int) -> Iterator[bytes]:
    """Cut text between characters, so that each piece fits into a word once encoded."""
    room = first if uses_q else first // 4 * 3
    full = _WORD_CHARACTERS - _MARKS if uses_q else (_WORD_CHARACTERS - _MARKS) // 4 * 3
    piece, size = bytearray(), 0
    for character in text:
        octets = character.encode("utf-8")
        cost = sum([1 if octet in _Q_LITERAL or octet == 0x20 else 3 for octet in octets]) if uses_q else len(octets)
        if size + cost > room and piece:
            yield bytes(piece)
            piece, size, room = bytearray(), 0, full
        piece += octets
        size += cost
    if piece:
        yield bytes(piece)


def _to_q(octets: bytes) -> str:
    return "".join(["_" if o == 0x20 else chr(o) if o in _Q_LITERAL else f"={o:02X}" for o in octets])


def _build_parameter(attribute: str, text: str) -> list[str]:
    if text.isascii() and len(text) <= _PARAMETER_CHARACTERS and "\t" not in text and "=?" not in text:
        return [f'{attribute}="' + _QUOTABLE.sub(r"\\\1", text) + '"']
    encoded = quote(text, safe="!#$&+-.^_`|~")
    if len(encoded) <= _PARAMETER_CHARACTERS:
        return [f"{attribute}*=utf-8''{encoded}"]
    pieces = re.findall(rf"(?:%..|[^%]){{1,{_PARAMETER_CHARACTERS // 3}}}", encoded)
    return [f"{attribute}*{place}*={'' if place else _CHARSET}{piece}" for place, piece in enumerate(pieces)]


_CHARSET: Final = "utf-8''"
