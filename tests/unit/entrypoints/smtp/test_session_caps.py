"""Sessions are counted in all and by client."""

from ipaddress import ip_address

import pytest

from gatepost.entrypoints.smtp.session_caps import SessionCaps


def test_sessions_beyond_the_total_are_told_so_until_one_ends() -> None:
    caps = SessionCaps(max_sessions=2, max_sessions_per_address=9)

    assert [caps.enter(), caps.enter(), caps.enter()] == [True, True, False]
    caps.leave()
    caps.leave()
    assert caps.enter()
    assert caps.open_sessions == 2


@pytest.mark.parametrize(
    ("first", "second", "is_same_client"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("0.0.0.1", "::1:0:0:0:0", False),
    ],
)
def test_an_ipv4_address_and_an_ipv6_net_of_64_count_as_one_client(
    first: str, second: str, is_same_client: bool
) -> None:
    caps = SessionCaps(max_sessions=9, max_sessions_per_address=1)

    assert caps.enter_from(ip_address(first))

    assert caps.enter_from(ip_address(second)) is not is_same_client


def test_a_client_that_left_is_forgotten() -> None:
    caps = SessionCaps(max_sessions=9, max_sessions_per_address=1)
    address = ip_address("192.0.2.1")

    for _ in range(3):
        assert caps.enter_from(address)
        assert not caps.enter_from(address)
        caps.leave_from(address)
        caps.leave_from(address)

    assert caps._by_address == {}


def test_changed_caps_hold_from_the_next_session_on():
    caps = SessionCaps(max_sessions=1, max_sessions_per_address=1)
    assert caps.enter()
    assert caps.enter_from(ip_address("192.0.2.1"))

    caps.change(max_sessions=2, max_sessions_per_address=2)

    assert (caps.enter(), caps.enter_from(ip_address("192.0.2.1"))) == (True, True)
    assert (caps.enter(), caps.enter_from(ip_address("192.0.2.1"))) == (False, False)
