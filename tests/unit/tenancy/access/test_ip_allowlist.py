from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.tenancy.access import ip_allowlist
from gatepost.tenancy.access.ip_allowlist import NetworkSet

MEMBERSHIP = [
    (["10.0.0.0/8"], "10.255.255.255", True),
    (["10.0.0.0/8"], "11.0.0.0", False),
    (["10.0.0.0/8"], "9.255.255.255", False),
    (["10.0.0.1"], "10.0.0.1", True),
    (["10.0.0.1"], "10.0.0.2", False),
    (["10.0.0.0/31"], "10.0.0.1", True),
    (["10.0.0.0/31"], "10.0.0.2", False),
    (["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.1", True),
    (["2001:db8::/32"], "2001:db8:ffff::1", True),
    (["2001:db8::/32"], "2001:db9::1", False),
    (["2001:db8::1"], "2001:db8::1", True),
    (["2001:db8::1"], "2001:db8::2", False),
    (["0.0.0.0/0"], "203.0.113.9", True),
    (["0.0.0.0/0"], "::1", False),
    (["::/0"], "10.0.0.1", False),
    (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
    (["::/0"], "::ffff:10.0.0.1", False),
    # 6to4 and NAT64 hold an IPv4 address, and are none.
    (["10.0.0.0/8"], "2002:a00:1::", False),
    (["10.0.0.0/8"], "64:ff9b::a00:1", False),
    ([], "10.0.0.1", False),
]


@pytest.mark.parametrize(("networks", "peer", "expected"), MEMBERSHIP)
def test_an_address_is_in_a_list_or_not(networks: list[str], peer: str, expected: bool) -> None:
    assert ip_allowlist.permits([ip_network(text) for text in networks], ip_address(peer)) is expected


@pytest.mark.parametrize(("networks", "peer", "expected"), MEMBERSHIP)
def test_a_compiled_set_says_the_same(networks: list[str], peer: str, expected: bool) -> None:
    assert (ip_address(peer) in NetworkSet(ip_network(text) for text in networks)) is expected


def test_a_set_of_nothing_is_false() -> None:
    assert not NetworkSet()
    assert NetworkSet([ip_network("::1")])
    assert NetworkSet([ip_network("0.0.0.0/0")])


def _mapped(address: IPv4Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{address}")


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), st.ip_addresses(v=4).map(_mapped))
networks = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda pair: ip_network(pair, strict=False))


@given(st.lists(networks, max_size=20), addresses, st.integers(0, 128))
def test_a_compiled_set_agrees_with_a_look_at_each(listed: list, peer: IPv4Address | IPv6Address, near: int) -> None:
    # Some networks around the address itself, or nearly every answer would be no.
    around = ip_network(
        (ip_allowlist.unmapped(peer), min(near, ip_allowlist.unmapped(peer).max_prefixlen)), strict=False
    )
    for those in (listed, [*listed, around]):
        assert (peer in NetworkSet(those)) is ip_allowlist.permits(those, peer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.1/32", "192.0.2.1/32"),
        (" 2001:db8::/32 ", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
        ("192.*.*.*", "192.0.0.0/8"),
        ("192.168.*.*", "192.168.0.0/16"),
        ("25.203.44.*", "25.203.44.0/24"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/96", "::/96"),
    ],
)
def test_a_network_is_read(text: str, expected: str) -> None:
    assert str(ip_allowlist.parse_network(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.7/8", "host bits"),
        ("10.0.0.0/33", "33"),
        ("example.com", "does not appear"),
        ("", "does not appear"),
        ("*.168.1.1", "asterisk"),
        ("192.*.1.*", "asterisk"),
        ("192.*", "asterisk"),
        ("192.168.1.*.*", "asterisk"),
        ("192.168.1.*/24", "asterisk"),
        ("*", "asterisk"),
        ("*.*.*.*", "asterisk"),
        ("192.168.1.1*", "asterisk"),
        ("2001:db8::*", "asterisk"),
        ("256.*.*.*", "256"),
        ("010.1.1.1", "010"),
        ("fe80::1%eth0", "interface"),
    ],
)
def test_what_is_no_network_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ip_allowlist.parse_network(text)
