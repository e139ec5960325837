from ipaddress import ip_address, ip_network

import pytest

from gatepost.tenancy.access import ip_allowlist


@pytest.mark.parametrize(
    ("networks", "peer", "expected"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["10.0.0.1"], "10.0.0.1", True),
        (["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.1", True),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["0.0.0.0/0"], "::1", False),
        (["::/0"], "10.0.0.1", False),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["::/0"], "::ffff:10.0.0.1", False),
        ([], "10.0.0.1", False),
    ],
)
def test_an_address_is_in_a_list_or_not(networks: list[str], peer: str, expected: bool) -> None:
    assert ip_allowlist.permits([ip_network(text) for text in networks], ip_address(peer)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.1/32"),
        (" 2001:db8::/32 ", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
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
        ("::ffff:10.0.0.0/104", "write it as IPv4"),
        ("::ffff:10.0.0.1", "write it as IPv4"),
    ],
)
def test_what_is_no_network_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ip_allowlist.parse_network(text)
