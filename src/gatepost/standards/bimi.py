"""BIMI: which logo stands for a domain (draft-brand-indicators-for-message-identification §4.3)."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gatepost.standards.transport_security.tags import read_tags

VERSION: Final = "v=BIMI1"


class BIMIError(ValueError):
    """The record cannot be used; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """An assertion record.

    Attributes:
        location: Of the logo, an SVG over HTTPS; "" if the domain declines to have one.
        authority: Of the evidence (a mark certificate) for it; "" for none.
    """

    location: str
    authority: str


def parse_record(text: str) -> Indicator:
    """Read the record at ``default._bimi``.

    Raises:
        BIMIError: It is none that receivers can use.
    """
    try:
        tags = read_tags(text, VERSION)
    except ValueError as error:
        raise BIMIError(str(error)) from error
    if "l" not in tags:
        raise BIMIError("it has no l=, the place of the logo; an empty one declines to have any")
    for name in ("l", "a"):
        if tags.get(name) and not _is_https(tags[name]):
            raise BIMIError(f"{name}={tags[name][:60]} is no https:// URL")
    if tags["l"] and not urlsplit(tags["l"]).path.lower().endswith((".svg", ".svgz")):
        raise BIMIError(f"l={tags['l'][:60]} is no SVG: receivers show no other format")
    return Indicator(location=tags["l"], authority=tags.get("a", ""))


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)
