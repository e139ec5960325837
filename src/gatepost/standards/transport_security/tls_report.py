"""TLS reporting: where senders are to report trouble with TLS (RFC 8460)."""

from typing import Final
from urllib.parse import urlsplit

from gatepost.standards.transport_security.tags import read_tags

VERSION: Final = "v=TLSRPTv1"


class TLSReportError(ValueError):
    """The record cannot be used; the text says why."""


def parse_record(text: str) -> tuple[str, ...]:
    """Return where reports go, ``mailto:`` or ``https:`` (RFC 8460 §3).

    Raises:
        TLSReportError: Nowhere that senders could use.
    """
    try:
        wanted = read_tags(text, VERSION).get("rua")
    except ValueError as error:
        raise TLSReportError(str(error)) from error
    if not wanted:
        raise TLSReportError("it has no rua=")
    places = tuple([place.strip() for place in wanted.split(",")])
    for place in places:
        if not _is_place(place):
            raise TLSReportError(f"{place[:60]!r} is no place for reports: write mailto: and an address, or https://…")
    return places


def _is_place(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "mailto" and 0 < parts.path.find("@") < len(parts.path) - 1
