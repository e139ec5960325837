"""Trace and origination fields that we add: Received (RFC 5321 §4.4, RFC 3848) and the date-time of RFC 5322 §3.3."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, ip_address

from gatepost.standards.address import AddressError, parse_domain

#: RFC 5322 §2.1.1 asks for lines of at most 78 characters; a single longer word stays whole.
LINE_CHARACTERS = 78

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: What may appear of words that others wrote: no white space, parenthesis, semicolon, backslash or control.
_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_MAX_FOREIGN_CHARACTERS = 64


def build_received(
    *,
    host_name: str,
    protocol: str,
    message_id: str,
    received_at: datetime,
    peer_address: str,
    greeting: str = "",
    tls: str = "",
) -> bytes:
    """Build the Received field for a message that came to us.

    Args:
        host_name: Ours.
        protocol: The ``with`` word: "ESMTPSA", "HTTPS".
        message_id: Our id of the message.
        received_at: When we took it; aware.
        peer_address: The client's IP address as text.
        greeting: What the client said at EHLO; it wrote that itself, so it is shown as its name only if it is a domain
            name, and otherwise in a comment, with everything replaced that could end the comment or the field.
        tls: Protocol and cipher, separated by a space; "" for none.

    Returns:
        The whole field, folded, with its last CRLF.
    """
    path = _describe_path(host_name, protocol, peer_address, greeting, tls)
    return _fold([*path, _escape(message_id) + ";", format_date(received_at).decode("ascii")])


def format_date(instant: datetime) -> bytes:
    """Write an aware instant as RFC 5322 §3.3 has it, in UTC: ``Mon, 23 Nov 2026 18:50:00 +0000``.

    Raises:
        ValueError: The instant is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("a naive datetime says no instant")
    return _format_second(instant.astimezone(UTC).replace(microsecond=0))


@lru_cache(maxsize=64)
def _format_second(at: datetime) -> bytes:
    text = f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} +0000"
    return text.encode("ascii")


@lru_cache(maxsize=1024)
def _describe_path(host_name: str, protocol: str, peer_address: str, greeting: str, tls: str) -> tuple[str, ...]:
    """Return the words from the field's name to ``id``: a session's messages have them in common."""
    literal = _to_address_literal(peer_address)
    words = ["Received:", "from", *_name_client(greeting, literal)]
    if tls:
        version, _, cipher = tls.partition(" ")
        words += ["(using", _escape(version), "with", "cipher", _escape(cipher or "unknown") + ")"]
    return (*words, "by", _escape(host_name), "with", _escape(protocol), "id")


def _name_client(greeting: str, literal: str) -> list[str]:
    """Return the words of the from-domain and its TCP-info."""
    if not greeting:
        return [literal]
    try:
        return [parse_domain(greeting), f"({literal})"]
    except AddressError:
        return [literal, "(greeting", _escape(greeting) + ")"]


def _to_address_literal(peer_address: str) -> str:
    try:
        address = ip_address(peer_address.partition("%")[0])
    except ValueError:
        return "unknown"
    return f"[{address}]" if isinstance(address, IPv4Address) else f"[IPv6:{address}]"


def _escape(word: str) -> str:
    return _UNSAFE.sub("?", word)[:_MAX_FOREIGN_CHARACTERS]


def _fold(words: list[str]) -> bytes:
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > LINE_CHARACTERS:
            lines.append("\t" + word)
        else:
            lines[-1] += " " + word
    return "\r\n".join([*lines, ""]).encode("ascii")
