"""A received message, read for showing: whatever it holds comes out as printable text, and nothing raises.

Not for judging: what a message *means* is for ``standards.message``; this only shows it to a person.
"""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Final

from gatepost.standards.message.encoded_words import EncodedWordError, decode_all

MAX_READ_OCTETS: Final = 1 << 18
MAX_TEXT_CHARACTERS: Final = 100_000
MAX_FIELDS: Final = 200
_MAX_FIELD_CHARACTERS: Final = 4000

_UNFOLD: Final = re.compile(r"\r?\n[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMessage:
    """What can be shown.

    Attributes:
        fields: Name and value of each header field, unfolded, in their order.
        text: The first text part, or "" if there is none.
        note: What is not shown, and why; "" if nothing.
    """

    fields: tuple[tuple[str, str], ...]
    text: str
    note: str = ""


def read_message(octets: bytes) -> ReadMessage:
    """Read a whole message, or its first quarter of a megabyte."""
    text, note = _find_text(octets[:MAX_READ_OCTETS])
    if len(octets) > MAX_READ_OCTETS:
        note = f"{note} Only the first {MAX_READ_OCTETS // 1024} KiB are shown.".strip()
    return ReadMessage(fields=tuple(read_fields(octets)), text=make_printable(text)[:MAX_TEXT_CHARACTERS], note=note)


def read_fields(octets: bytes) -> list[tuple[str, str]]:
    """Return the header fields of a message, or of its first octets."""
    head = octets[:MAX_READ_OCTETS].partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    lines = re.split(r"\r\n(?![ \t])", head)[:MAX_FIELDS]
    found = []
    for line in lines:
        name, colon, value = line[:_MAX_FIELD_CHARACTERS].partition(":")
        if colon:
            found.append((make_printable(name.strip()), make_printable(_decode(_UNFOLD.sub(" ", value).strip()))))
    return found


def find_field(fields: list[tuple[str, str]], name: str) -> str:
    """Return the value of the first field of that name; "" if there is none."""
    return next((value for found, value in fields if found.lower() == name), "")


def make_printable(text: str) -> str:
    """Replace what would not show: control characters, and those that turn the direction of writing around."""
    text = text.replace("\r\n", "\n")
    return "".join([letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text])


def _decode(value: str) -> str:
    try:
        return decode_all(value)
    except EncodedWordError:
        return value


def _find_text(octets: bytes) -> tuple[str, str]:
    try:
        parts = [part for part in message_from_bytes(octets).walk() if not part.is_multipart()]
        for wanted in ("text/plain", "text/html"):
            part = next((part for part in parts if part.get_content_type() == wanted), None)
            if part is not None:
                note = (
                    "The message has no plain text; this is the source of its HTML." if wanted != "text/plain" else ""
                )
                return _to_text(part), note
    except Exception:  # noqa: BLE001 - a parser that trips over hostile mail must not take the page down
        return "", "The message cannot be taken apart; look at its source."
    return "", "The message has no text."


def _to_text(part: "Message[str, str]") -> str:
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return ""
    try:
        return octets.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")
