"""The header section of what leaves: trace field in front, what is missing added, what is for us alone removed.

Everything else stays octet for octet. All is derived from the message, so every attempt makes the same fields and a
receiver that gets a second copy can recognise it.
"""

from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.standards.message.header import HeaderField, HeaderSection
from gatepost.standards.message.trace import build_received, format_date

REMOVED_FIELDS = frozenset({b"bcc", b"resent-bcc", b"x-smtpapi"})
"""Bcc tells recipients of each other (RFC 5322 §3.6.3); X-SMTPAPI is addressed to us."""


def amend_header(section: HeaderSection, message: QueuedMessage, *, host_name: str) -> HeaderSection:
    """Return the section as it is to be signed and sent; ``host_name`` is ours."""
    fields = [_received(message, host_name)]
    fields += [field for field in section.fields if field.name not in REMOVED_FIELDS]
    present = {field.name for field in fields}
    if b"date" not in present:
        fields.append(_field(b"Date", format_date(message.due_at)))
    if b"message-id" not in present:
        fields.append(_field(b"Message-ID", f"<{message.id}@{message.author.domain}>".encode()))
    return HeaderSection(tuple(fields))


def _received(message: QueuedMessage, host_name: str) -> HeaderField:
    origin = message.origin
    octets = build_received(
        host_name=host_name,
        protocol=origin.protocol,
        message_id=message.id,
        received_at=message.accepted_at,
        peer_address=origin.peer_address,
        greeting=origin.greeting,
        tls=origin.tls,
    )
    return HeaderField(b"received", octets)


def _field(name: bytes, body: bytes) -> HeaderField:
    return HeaderField(name.lower(), name + b": " + body + b"\r\n")
