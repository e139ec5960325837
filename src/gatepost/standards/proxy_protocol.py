"""The PROXY protocol, versions 1 and 2: a proxy's word on whose connection it hands on.

To be read only where the connection itself comes from a listed proxy: whoever may write a preamble may claim any
address, and addresses decide who gets in.

Source: HAProxy, "The PROXY protocol", proxy-protocol.txt §2.1, §2.2 (no RFC).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.status_codes import BAD_PREAMBLE

IPAddress: TypeAlias = IPv4Address | IPv6Address

MAX_V1_OCTETS: Final = 107
"""§2.1: the longest line of version 1, with CRLF."""

_V1_START: Final = b"PROXY "
_V1_LINE: Final = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5})")
_V2_START: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEADER_OCTETS: Final = 16
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_UNSPECIFIED: Final = 0x00
_TCP4: Final = 0x11
_TCP6: Final = 0x21


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a TCP connection."""

    address: IPAddress
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """What the proxy said.

    Attributes:
        source: Whose connection it is; None if the proxy speaks for itself (LOCAL, a health check) or cannot say
            (UNKNOWN): then the connection's own addresses count.
        destination: The address the client connected to; None along with ``source``.
        size_octets: How long the preamble is; what follows is the client's.
    """

    source: Endpoint | None
    destination: Endpoint | None
    size_octets: int


def parse_preamble(buffer: bytes) -> Preamble | None:
    """Read a preamble from the first octets of a connection.

    Returns:
        The preamble; None if more octets are needed, of which there are never more than 65,551 in all.

    Raises:
        ProtocolViolation: This is no preamble, or not one of a TCP connection; *closes*.
    """
    if buffer.startswith(_V1_START):
        return _parse_v1(buffer)
    if buffer.startswith(_V2_START):
        return _parse_v2(buffer)
    if _V1_START.startswith(buffer) or _V2_START.startswith(buffer):
        return None
    raise _refused()


def _parse_v1(buffer: bytes) -> Preamble | None:
    """``PROXY TCP4 192.0.2.1 192.0.2.2 56324 25`` and CRLF, or ``PROXY UNKNOWN`` with anything behind."""
    end = buffer.find(b"\r\n", 0, MAX_V1_OCTETS)
    if end < 0:
        if len(buffer) >= MAX_V1_OCTETS:
            raise _refused()
        return None
    line, size = buffer[:end], end + 2
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return Preamble(source=None, destination=None, size_octets=size)
    found = _V1_LINE.fullmatch(line)
    if found is None:
        raise _refused()
    protocol, source, destination, source_port, destination_port = (part.decode() for part in found.groups())
    return Preamble(
        source=_read_endpoint(protocol, source, source_port),
        destination=_read_endpoint(protocol, destination, destination_port),
        size_octets=size,
    )


def _read_endpoint(protocol: str, address: str, port: str) -> Endpoint:
    number = int(port)
    if number > 65_535 or str(number) != port:
        raise _refused()
    try:
        parsed = IPv4Address(address) if protocol == "TCP4" else IPv6Address(address)
    except ValueError:
        raise _refused() from None
    return Endpoint(address=parsed, port=number)


def _parse_v2(buffer: bytes) -> Preamble | None:
    """Twelve fixed octets, version and command, family, length, addresses, then TLVs, which are skipped."""
    if len(buffer) < _V2_HEADER_OCTETS:
        return None
    command, family = buffer[12], buffer[13]
    size = _V2_HEADER_OCTETS + int.from_bytes(buffer[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise _refused()
    if len(buffer) < size:
        return None
    if command == _LOCAL or family == _UNSPECIFIED:
        return Preamble(source=None, destination=None, size_octets=size)
    width = {_TCP4: 4, _TCP6: 16}.get(family)
    body = buffer[_V2_HEADER_OCTETS:size]
    if width is None or len(body) < 2 * width + 4:
        raise _refused()
    ports = body[2 * width :]
    return Preamble(
        source=Endpoint(address=_unpack(body[:width]), port=int.from_bytes(ports[:2], "big")),
        destination=Endpoint(address=_unpack(body[width : 2 * width]), port=int.from_bytes(ports[2:4], "big")),
        size_octets=size,
    )


def _unpack(octets: bytes) -> IPAddress:
    return IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)


def _refused() -> ProtocolViolation:
    return ProtocolViolation(BAD_PREAMBLE, closes=True)
