"""The header section of what leaves: trace field in front, what is missing added, what is for us alone removed.

Everything else stays octet for octet. All is derived from the message, so every attempt makes the same fields and a
receiver that gets a second copy can recognise it.
"""

import re
from datetime import datetime

from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.standards.message.header import HeaderField, HeaderSection

REMOVED_FIELDS = frozenset({b"bcc", b"resent-bcc", b"x-smtpapi"})
"""Bcc tells recipients of each other (RFC 5322 §3.6.3); X-SMTPAPI is addressed to us."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GREETING = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")
_TLS_WORDS = re.compile(r"[A-Za-z0-9._ -]{1,100}\Z")


def amend_header(section: HeaderSection, message: QueuedMessage, *, host_name: str) -> HeaderSection:
    """Return the section as it is to be signed and sent; ``host_name`` is ours."""
    fields = [received_field(message, host_name=host_name)]
    fields += [field for field in section.fields if field.name not in REMOVED_FIELDS]
    present = {field.name for field in fields}
    if b"date" not in present:
        fields.append(_field(b"Date", format_date(message.accepted_at)))
    if b"message-id" not in present:
        fields.append(_field(b"Message-ID", f"<{message.id}@{message.author.domain}>"))
    return HeaderSection(tuple(fields))


def received_field(message: QueuedMessage, *, host_name: str) -> HeaderField:
    """Build our trace field (RFC 5321 §4.4); what the client said of itself goes in only if it is a plain name."""
    origin = message.origin
    greeting = origin.greeting if _GREETING.match(origin.greeting) else "unknown"
    literal = f"IPv6:{origin.peer_address}" if ":" in origin.peer_address else origin.peer_address
    tls = f"\r\n\t(using {origin.tls})" if _TLS_WORDS.match(origin.tls) else ""
    return _field(
        b"Received",
        f"from {greeting} ([{literal}]){tls}\r\n\tby {host_name} with {origin.protocol} id {message.id};"
        f"\r\n\t{format_date(message.accepted_at)}",
    )


def format_date(at: datetime) -> str:
    """Write an aware UTC instant as RFC 5322 §3.3 has it."""
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day} {month} {at.year} {at:%H:%M:%S} +0000"


def _field(name: bytes, body: str) -> HeaderField:
    return HeaderField(name.lower(), name + b": " + body.encode("ascii") + b"\r\n")
