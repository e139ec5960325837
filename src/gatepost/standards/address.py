"""Mailboxes and domains of the envelope: RFC 5321 §4.1.2, RFC 6531, RFC 5891."""

from dataclasses import dataclass


class AddressError(ValueError):
    """The text is not an address we take; the message says why, in words a client may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """An addr-spec, parsed once; used as it is and never parsed again.

    Attributes:
        local_part: As written, unquoted; NFC. Compared exactly: only the receiving host may fold its case.
        domain: Lower-case A-labels (``xn--…`` for an internationalised name), no trailing dot; or an address
            literal in brackets, exactly as RFC 5321 §4.1.3 writes it.
    """

    local_part: str
    domain: str


def parse_mailbox(text: bytes, *, allow_utf8: bool) -> Mailbox:
    """Read a Mailbox of RFC 5321 §4.1.2, without angle brackets.

    Raises:
        AddressError: It is malformed, or needs SMTPUTF8 and ``allow_utf8`` is false.
    """
    try:
        local_part, separator, domain = text.decode("utf-8" if allow_utf8 else "ascii").rpartition("@")
    except UnicodeDecodeError:
        raise AddressError("the address is not in the character set agreed on") from None
    if not separator or not local_part or not domain or not (local_part + domain).isprintable() or " " in text.decode():
        raise AddressError("an address is written local-part@domain")
    return Mailbox(local_part=local_part, domain=domain.lower())
