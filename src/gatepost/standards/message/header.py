"""The header section: find, count and add fields; every octet we do not change stays (RFC 5322 §2.2)."""

from dataclasses import dataclass


class HeaderError(ValueError):
    """The octets are no header section we take; the message says which rule and where, for the sender to read."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field.

    Attributes:
        name: Lower case, as octets: ``b"reply-to"``.
        octets: The whole field as it stands, folding and the last CRLF included.
    """

    name: bytes
    octets: bytes

    @property
    def body(self) -> bytes:
        """What follows the colon, unfolded (RFC 5322 §2.2.3), outer white space removed."""
        return self.octets.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")


@dataclass(frozen=True, slots=True)
class HeaderSection:
    """The fields of one message, in order."""

    fields: tuple[HeaderField, ...]

    @property
    def octets(self) -> bytes:
        """The section as it stands, without the empty line that ends it."""
        return b"".join([field.octets for field in self.fields])

    def find_all(self, name: bytes) -> list[HeaderField]:
        """Return the fields of that (lower-case) name, top to bottom."""
        return [field for field in self.fields if field.name == name]
