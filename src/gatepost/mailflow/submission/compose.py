"""Structured requests → message: what the HTTP API takes as fields leaves as the octets that SMTP would have brought.

The Date and Message-ID fields are not written here: delivery adds both to every message that lacks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope
from gatepost.standards.message.header_build import (
    NamedMailbox,
    build_address_field,
    build_raw_field,
    build_text_field,
)
from gatepost.standards.message.mime_build import Entity, build_multipart

BOUNDARY_OCTETS = 16
"""How much entropy a message's boundaries need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One message to be written.

    Attributes:
        bcc: In the envelope, and nowhere in the content.
        texts: At least one, the plainest first (RFC 2046 §5.1.4).
        inline: What the texts refer to.
        headers: Further fields, name and body; the names are none that the other attributes stand for.
    """

    author: NamedMailbox
    to: tuple[NamedMailbox, ...]
    cc: tuple[NamedMailbox, ...] = ()
    bcc: tuple[NamedMailbox, ...] = ()
    reply_to: tuple[NamedMailbox, ...] = ()
    subject: str
    texts: tuple[Entity, ...]
    inline: tuple[Entity, ...] = ()
    attachments: tuple[Entity, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def compose(draft: Draft, boundary: bytes) -> tuple[Envelope, MemoryContent]:
    """Write a message, and the envelope it is to travel in; the author takes the bounces.

    Args:
        draft: What to write.
        boundary: ``BOUNDARY_OCTETS`` of entropy, drawn for this message.

    Raises:
        BuildError: A text of the draft cannot stand in a header field; nothing of it has been written.
    """
    header = _write_header(draft)
    entity = _arrange(draft, boundary.hex())
    end = b"" if entity.body.endswith(b"\r\n") else b"\r\n"
    octets = b"".join([header, b"MIME-Version: 1.0\r\n", entity.fields, b"\r\n", entity.body, end])
    recipients = (*draft.to, *draft.cc, *draft.bcc)
    envelope = Envelope(
        reverse_path=draft.author.mailbox,
        forward_paths=tuple([each.mailbox for each in recipients]),
        needs_smtputf8=not header.isascii(),
    )
    return envelope, MemoryContent(octets)


def _write_header(draft: Draft) -> bytes:
    lists = (("To", draft.to), ("Cc", draft.cc), ("Reply-To", draft.reply_to))
    fields = [build_address_field("From", [draft.author])]
    fields += [build_address_field(name, mailboxes) for name, mailboxes in lists if mailboxes]
    fields.append(build_text_field("Subject", draft.subject))
    fields += [build_raw_field(name, body) for name, body in draft.headers]
    return b"".join(fields)


def _arrange(draft: Draft, boundary: str) -> Entity:
    """Nest the parts: mixed (related (alternative (texts), inline), attachments), as far as there is more than one."""
    alternative = _nest("alternative", draft.texts, boundary + "-a")
    related = _nest("related", (alternative, *draft.inline), boundary + "-r")
    return _nest("mixed", (related, *draft.attachments), boundary + "-m")


def _nest(subtype: str, parts: Sequence[Entity], boundary: str) -> Entity:
    return parts[0] if len(parts) == 1 else build_multipart(subtype, parts, boundary)
