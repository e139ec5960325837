"""Mailboxes and domains of the envelope: RFC 5321 §4.1.2, RFC 6531, RFC 5891.

The grammar is narrower than the RFC's: whatever a second parser could take for another address is refused (source
routes, ``%`` and ``!`` routes, comments, white space, encoded words, quoted local parts that could hold any of those,
characters that compatibility mapping turns into others). The domain of a parsed address is always what stands after
its last ``@``.
"""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from gatepost.standards.dns.names import MAX_LABEL_OCTETS, HostNameError, parse_host_name

MAX_LOCAL_PART_OCTETS = 64
#: A path has 256 octets with its angle brackets (RFC 5321 §4.5.3.1.3).
MAX_MAILBOX_OCTETS = 254

# RFC 5322 atext without "%" and "!": both were routes once, and some hosts still follow them.
_ATEXT = r"A-Za-z0-9#$&'*+/=?^_`{|}~-"
#: By far the most addresses: an ASCII dot-atom, a domain of several labels whose last one is letters.
_PLAIN = re.compile(rf"([{_ATEXT}]++(?:\.[{_ATEXT}]++)*)@((?:[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*\.)+[A-Za-z]{{2,63}})")
_ASCII_ATOM_CHARACTERS = re.compile(rf"[{_ATEXT}]*+")
#: A quoted local part is taken only where dots alone are what needs the quotes; such mailboxes exist in Japan.
_DOTTED = re.compile(rf"[.{_ATEXT}]++")
_LETTERS_MARKS_DIGITS = frozenset({"Ll", "Lu", "Lo", "Lm", "Mn", "Mc", "Nd"})

_HINTS = {
    "%": "holds a % (a route that some hosts follow)",
    "!": "holds a ! (a route that some hosts follow)",
    "@": "holds a second @",
    "(": "holds a comment",
    ")": "holds a comment",
    "<": "holds an angle bracket",
    ">": "holds an angle bracket",
    '"': "holds a quotation mark",
    "\\": "holds a backslash",
}


class AddressError(ValueError):
    """The text is not an address we take; the message says why, in words a client may read."""


class NeedsSMTPUTF8(AddressError):
    """The address is good, but holds characters beyond ASCII where the client has not asked for SMTPUTF8."""


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

    @property
    def needs_smtputf8(self) -> bool:
        """Whether a peer must offer SMTPUTF8 to take it: its local part is not ASCII (the domain always is)."""
        return not self.local_part.isascii()

    @property
    def is_address_literal(self) -> bool:
        """Whether the domain is an IP address in brackets."""
        return self.domain.startswith("[")

    @property
    def octets(self) -> bytes:
        """The address as it goes between the angle brackets of a path."""
        return str(self).encode("utf-8")

    def __str__(self) -> str:
        if _is_dot_string(self.local_part):
            return f"{self.local_part}@{self.domain}"
        return f'"{self.local_part}"@{self.domain}'


def parse_mailbox(text: bytes, *, allow_utf8: bool) -> Mailbox:
    """Read one address, without angle brackets.

    Args:
        text: The octets between ``<`` and ``>`` of a path, or an addr-spec of a header field.
        allow_utf8: Whether SMTPUTF8 was offered and asked for.

    Raises:
        NeedsSMTPUTF8: It is an address, but not an ASCII one, and ``allow_utf8`` is false.
        AddressError: It is no address, or one that two readers could take differently.

    Source: RFC 5321 §4.1.2 and §4.5.3.1, RFC 6531 §3.3. Deviation: source routes (RFC 5321 §4.1.1.3) and most
    quoted local parts are refused instead of read, because readers disagree about them.
    """
    try:
        address = text.decode("utf-8")
    except UnicodeDecodeError:
        raise AddressError("the address is not valid UTF-8") from None
    plain = _PLAIN.fullmatch(address)
    if plain:
        local_part, domain = plain.groups()
        # A domain that fits into one label needs no look at the length of each.
        if len(local_part) <= MAX_LOCAL_PART_OCTETS and len(domain) <= MAX_LABEL_OCTETS:
            domain = domain.lower()
            if "xn--" not in domain and "=?" not in local_part:
                return Mailbox(local_part=local_part, domain=domain)
    return _parse_with_care(address, allow_utf8=allow_utf8)


def parse_domain(text: str | bytes, *, allow_utf8: bool = True) -> str:
    """Read a domain name (no address literal) and return it as a ``Mailbox`` holds it: lower-case A-labels.

    Raises:
        NeedsSMTPUTF8: It is a name, but not an ASCII one, and ``allow_utf8`` is false.
        AddressError: It is no name that a mailbox could have.
    """
    try:
        name = text if isinstance(text, str) else text.decode("utf-8")
    except UnicodeDecodeError:
        raise AddressError("the domain is not valid UTF-8") from None
    try:
        domain = parse_host_name(name)
    except HostNameError as error:
        raise AddressError(str(error)) from error
    if not allow_utf8 and not name.isascii():
        raise NeedsSMTPUTF8("the domain holds characters beyond ASCII, which needs SMTPUTF8 or its xn-- form")
    return domain


def _parse_with_care(address: str, *, allow_utf8: bool) -> Mailbox:
    if not address.isprintable() or " " in address:
        raise AddressError("the address holds white space, a control character or an invisible one")
    if len(address.encode("utf-8")) > MAX_MAILBOX_OCTETS:
        raise AddressError(f"the address is longer than {MAX_MAILBOX_OCTETS} octets")
    if address.startswith("@"):
        raise AddressError("the address begins with @: a source route, or no local part")
    local_part, at, domain = address.rpartition("@")
    if not at:
        raise AddressError("the address has no @" if address else "the address is empty")
    mailbox = Mailbox(
        local_part=_parse_local_part(local_part),
        domain=_parse_address_literal(domain) if domain.startswith("[") else parse_domain(domain),
    )
    if len(mailbox.octets) > MAX_MAILBOX_OCTETS:
        raise AddressError(f"the address with its domain in A-labels is longer than {MAX_MAILBOX_OCTETS} octets")
    if not allow_utf8 and not address.isascii():
        raise NeedsSMTPUTF8("the address holds characters beyond ASCII, and SMTPUTF8 was not asked for")
    return mailbox


def _parse_local_part(text: str) -> str:
    if len(text.encode("utf-8")) > MAX_LOCAL_PART_OCTETS:
        raise AddressError(f"the part before the @ is longer than {MAX_LOCAL_PART_OCTETS} octets")
    if len(text) > 2 and text[0] == text[-1] == '"':
        return _parse_quoted(text[1:-1])
    if "=?" in text:
        raise AddressError("the part before the @ holds =?, the mark of an encoded word")
    for atom in text.split("."):
        _check_atom(atom)
    # Stable under NFKC, therefore NFC as well: no full-width "@", no ligature that another reader would take apart.
    if not text.isascii() and unicodedata.normalize("NFKC", text) != text:
        raise AddressError("the part before the @ is not in normal form (NFC without compatibility characters)")
    return text


def _parse_quoted(content: str) -> str:
    if _is_dot_string(content) or not _DOTTED.fullmatch(content) or "=?" in content:
        raise AddressError(
            "the part before the @ is quoted; quotes are taken only around letters with dots at an end or in a row"
        )
    return content


def _check_atom(atom: str) -> None:
    """Check what stands between two dots of a local part.

    Beyond ASCII the letters, marks and digits of RFC 8264 §4.2 (the IdentifierClass of PRECIS) are taken.
    """
    if not atom:
        raise AddressError("the part before the @ has a dot at its start or end, or two in a row")
    if _ASCII_ATOM_CHARACTERS.fullmatch(atom):
        return
    if unicodedata.category(atom[0])[0] == "M":
        raise AddressError("the part before the @ has a combining mark where a character should be")
    for character in atom:
        if character.isascii():
            if not _ASCII_ATOM_CHARACTERS.fullmatch(character):
                raise AddressError(f"the part before the @ {_HINTS.get(character, 'holds ' + character)}")
        elif unicodedata.category(character) not in _LETTERS_MARKS_DIGITS:
            raise AddressError(f"the part before the @ holds U+{ord(character):04X}, which is no letter, mark or digit")


def _parse_address_literal(text: str) -> str:
    inner = text[1:-1]
    if not text.endswith("]"):
        raise AddressError("the address literal does not end in ]")
    try:
        if inner[:5].lower() == "ipv6:":
            # A zone index ("%eth0") means something on one host only.
            if "%" in inner:
                raise AddressError("the address literal has a zone index")
            return f"[IPv6:{IPv6Address(inner[5:])}]"
        return f"[{IPv4Address(inner)}]"
    except ValueError:
        raise AddressError("the address literal is neither IPv4 nor IPv6") from None


def _is_dot_string(local_part: str) -> bool:
    return not (local_part.startswith(".") or local_part.endswith(".") or ".." in local_part)
