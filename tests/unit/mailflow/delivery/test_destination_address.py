import pytest

from gatepost.mailflow.delivery.destination_address import is_public


@pytest.mark.parametrize("address", ["192.0.3.1", "8.8.8.8", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1"])
def test_a_public_address_is_connected_to(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.9.9.9", id="all of 127/8"),
        pytest.param("10.1.2.3", id="private 10"),
        pytest.param("172.16.0.1", id="private 172"),
        pytest.param("192.168.1.1", id="private 192"),
        pytest.param("169.254.169.254", id="link-local, where clouds keep credentials"),
        pytest.param("100.64.0.1", id="carrier NAT"),
        pytest.param("0.0.0.0", id="this host"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("::", id="IPv6 unspecified"),
        pytest.param("::1", id="IPv6 loopback"),
        pytest.param("fe80::1", id="IPv6 link-local"),
        pytest.param("fe80::1%eth0", id="IPv6 scoped"),
        pytest.param("fc00::1", id="IPv6 unique local"),
        pytest.param("ff02::1", id="IPv6 multicast"),
        pytest.param("::ffff:127.0.0.1", id="IPv4-mapped loopback"),
        pytest.param("::ffff:10.0.0.1", id="IPv4-mapped private"),
        pytest.param("::127.0.0.1", id="IPv4-compatible loopback"),
        pytest.param("2002:7f00:1::1", id="6to4 loopback"),
        pytest.param("64:ff9b::7f00:1", id="NAT64 loopback"),
        pytest.param("64:ff9b:1::a00:1", id="NAT64 local use"),
        pytest.param("2001:0:4136:e378:8000:63bf:80ff:fffe", id="Teredo loopback"),
        pytest.param("localhost", id="a name"),
        pytest.param("", id="nothing"),
        pytest.param("2130706433", id="loopback as a number"),
        pytest.param("127.1", id="loopback, short"),
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_public(address)
