from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.proxy_protocol import Endpoint, Preamble, parse_preamble
from gatepost.standards.smtp.errors import ProtocolViolation

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = Endpoint(address=IPv4Address("192.0.2.1"), port=56_324)
IPV4_HERE = Endpoint(address=IPv4Address("198.51.100.2"), port=25)
IPV6 = Endpoint(address=IPv6Address("2001:db8::1"), port=56_324)
IPV6_HERE = Endpoint(address=IPv6Address("2001:db8::2"), port=587)


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


def body(source: Endpoint, destination: Endpoint) -> bytes:
    ports = source.port.to_bytes(2, "big") + destination.port.to_bytes(2, "big")
    return source.address.packed + destination.address.packed + ports


TLVS = b"\x04\x00\x03\0\0\0" + b"\xe0\x00\x01x"
GOOD = {
    "v1 TCP4": (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n", IPV4, IPV4_HERE),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::1 2001:DB8::2 56324 587\r\n", IPV6, IPV6_HERE),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", None, None),
    "v1 unknown, longest": (
        b"PROXY UNKNOWN " + b" ".join([b":".join([b"ffff"] * 8)] * 2) + b" 65535 65535\r\n",
        None,
        None,
    ),
    "v2 TCP4": (v2(0x21, 0x11, body(IPV4, IPV4_HERE)), IPV4, IPV4_HERE),
    "v2 TCP4 with TLVs": (v2(0x21, 0x11, body(IPV4, IPV4_HERE) + TLVS), IPV4, IPV4_HERE),
    "v2 TCP6": (v2(0x21, 0x21, body(IPV6, IPV6_HERE)), IPV6, IPV6_HERE),
    "v2 TCP6 with TLVs": (v2(0x21, 0x21, body(IPV6, IPV6_HERE) + TLVS), IPV6, IPV6_HERE),
    "v2 local": (v2(0x20, 0x00, b""), None, None),
    "v2 local, addresses do not count": (v2(0x20, 0x11, body(IPV4, IPV4_HERE)), None, None),
    "v2 unspecified": (v2(0x21, 0x00, TLVS), None, None),
    "v2 longest": (v2(0x21, 0x11, body(IPV4, IPV4_HERE) + bytes(65_523)), IPV4, IPV4_HERE),
}
BAD = {
    "SMTP": b"EHLO a\r\n",
    "TLS": b"\x16\x03\x01\x02\x00",
    "almost v1": b"PROXX",
    "v1 lower case": b"proxy TCP4 ",
    "v1 another protocol": b"PROXY UDP4 192.0.2.1 198.51.100.2 56324 25\r\n",
    "v1 unknown run on": b"PROXY UNKNOWNX\r\n",
    "v1 families mixed": b"PROXY TCP4 2001:db8::1 198.51.100.2 56324 25\r\n",
    "v1 leading zero": b"PROXY TCP4 192.0.2.01 198.51.100.2 56324 25\r\n",
    "v1 port too large": b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n",
    "v1 port with zero": b"PROXY TCP4 192.0.2.1 198.51.100.2 056 25\r\n",
    "v1 two spaces": b"PROXY TCP4  192.0.2.1 198.51.100.2 56324 25\r\n",
    "v1 scope": b"PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 587\r\n",
    "v1 too few": b"PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
    "v1 bare LF": b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\nEHLO a\r\n",
    "v1 too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 endless": b"PROXY " + b"x" * 101,
    "v2 version 1": SIGNATURE + b"\x11\x11\x00\x0c",
    "v2 unknown command": SIGNATURE + b"\x22\x11\x00\x0c",
    "v2 UDP": v2(0x21, 0x12, body(IPV4, IPV4_HERE)),
    "v2 Unix": v2(0x21, 0x31, bytes(216)),
    "v2 too short for TCP4": v2(0x21, 0x11, bytes(11)),
    "v2 too short for TCP6": v2(0x21, 0x21, body(IPV4, IPV4_HERE)),
}


@pytest.mark.parametrize(("octets", "source", "destination"), GOOD.values(), ids=GOOD)
def test_a_preamble_is_read_and_what_follows_is_not(octets, source, destination) -> None:
    expected = Preamble(source=source, destination=destination, size_octets=len(octets))

    assert parse_preamble(octets) == expected
    assert parse_preamble(octets + b"EHLO a\r\n") == expected


@pytest.mark.parametrize("octets", [octets[:200] for octets, _, _ in GOOD.values()], ids=GOOD)
def test_a_part_of_a_preamble_asks_for_more(octets) -> None:
    assert {parse_preamble(octets[:size]) for size in range(len(octets))} == {None}


@pytest.mark.parametrize("octets", BAD.values(), ids=BAD)
def test_anything_else_closes(octets) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_preamble(octets)

    assert caught.value.closes
    assert caught.value.reply.is_permanent


@given(
    st.one_of(
        st.binary(), st.binary().map(lambda rest: b"PROXY TCP4 " + rest), st.binary().map(lambda rest: SIGNATURE + rest)
    )
)
def test_garbage_is_a_preamble_more_or_a_violation(octets) -> None:
    try:
        preamble = parse_preamble(octets)
    except ProtocolViolation:
        return
    assert preamble is None or preamble.size_octets <= len(octets)
