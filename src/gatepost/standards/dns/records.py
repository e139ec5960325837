"""Resource records as values (RFC 1035 §3.3, RFC 3596, RFC 6698)."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Address:
    """An A or AAAA record: the address in its canonical text form."""

    address: str


@dataclass(frozen=True, slots=True)
class MX:
    """A mail exchanger; ``exchange`` is "" for the null MX of RFC 7505."""

    preference: int
    exchange: str


@dataclass(frozen=True, slots=True)
class TXT:
    """A text record: its character-strings joined without separator (RFC 7208 §3.3)."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Name:
    """A CNAME, PTR or NS record: the name it points to."""

    target: str


@dataclass(frozen=True, slots=True)
class TLSA:
    """A TLSA record (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching_type: int
    data: bytes


Record: TypeAlias = Address | MX | TXT | Name | TLSA
