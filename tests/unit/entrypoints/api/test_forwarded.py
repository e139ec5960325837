from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.entrypoints.api.forwarded import MAX_ADDRESSES, ForwardedHeader, ForwardedMalformed, Proxies
from gatepost.tenancy.access.ip_allowlist import NetworkSet

TRUSTED = NetworkSet([ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")])
PROXY, CLIENT = ip_address("10.0.0.1"), ip_address("203.0.113.7")
X = Proxies(TRUSTED, ForwardedHeader.X_FORWARDED_FOR)
RFC = Proxies(TRUSTED, ForwardedHeader.FORWARDED)


@pytest.mark.parametrize("proxies", [X, RFC, Proxies(NetworkSet(), ForwardedHeader.X_FORWARDED_FOR)])
@pytest.mark.parametrize("value", [[], ["192.0.2.1"], ["for=192.0.2.1"], ["garbage"], ["10.0.0.1"]])
def test_nobody_but_a_listed_proxy_is_believed(proxies, value):
    assert proxies.find_client(CLIENT, value) == CLIENT


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        ([" 203.0.113.7 "], "203.0.113.7"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        # The client made up what stands left; the proxy wrote what stands right.
        (["192.0.2.1, 203.0.113.7"], "203.0.113.7"),
        (["192.0.2.1", "203.0.113.7"], "203.0.113.7"),
        (["10.0.0.9, 203.0.113.7"], "203.0.113.7"),
        (["unknown, 203.0.113.7"], "203.0.113.7"),
        (['"><script>, 203.0.113.7'], "203.0.113.7"),
        ([", 203.0.113.7"], "203.0.113.7"),
        # A chain of listed proxies.
        (["192.0.2.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (["203.0.113.7, 2001:db8:ffff::1, 10.0.0.2"], "203.0.113.7"),
        # Who is inside the network of proxies himself.
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy_is_the_client(values, expected):
    assert X.find_client(PROXY, values) == ip_address(expected)


@pytest.mark.parametrize(
    "values",
    [
        [], [""], [" , "], ["203.0.113.7, "], ["unknown"], ["203.0.113.7, unknown"], ["203.0.113.7, unknown, 10.0.0.2"],
        ["203.0.113.007"], ["203.0.113.7.1"], ["[203.0.113.7"], ["203.0.113.7:"], ["203.0.113.7:123456"],
        ["fe80::1%eth0"], ["for=203.0.113.7"], ["192.0.2.1 203.0.113.7"], ["0x7f.1"], ["2130706433"],
    ],
)  # fmt: skip
def test_a_listed_proxy_that_does_not_say_who_it_is_is_refused(values):
    with pytest.raises(ForwardedMalformed):
        X.find_client(PROXY, values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["for=203.0.113.7"], "203.0.113.7"),
        (["For=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7"),
        (["proto=https ; for=203.0.113.7"], "203.0.113.7"),
        (['for="203.0.113.7:4711"'], "203.0.113.7"),
        (['for="[2001:db8::7]"'], "2001:db8::7"),
        (['for="[2001:db8::7]:4711";host="a,b;c"'], "2001:db8::7"),
        (['for="2\\03.0.113.7"'], "203.0.113.7"),
        (["for=192.0.2.1, for=203.0.113.7"], "203.0.113.7"),
        (["for=192.0.2.1", "for=203.0.113.7"], "203.0.113.7"),
        (["for=unknown, for=203.0.113.7, for=10.0.0.2"], "203.0.113.7"),
        (["for=_hidden;x=y,for=203.0.113.7"], "203.0.113.7"),
        (['x="for=192.0.2.1, for=10.0.0.9", for=203.0.113.7'], "203.0.113.7"),
    ],
)
def test_elements_of_rfc_7239_are_read(values, expected):
    assert RFC.find_client(PROXY, values) == ip_address(expected)


@pytest.mark.parametrize(
    "values",
    [
        [], [""], ["proto=https"], ["for=unknown"], ["for=_hidden"], ["203.0.113.7"], ["for=203.0.113.7,"],
        ["for=203.0.113.7, proto=https"], ["for=192.0.2.1;for=203.0.113.7"], ["for=203.0.113.7;"],
        ['for="203.0.113.7'], ["for=[2001:db8::7]"], ["for = 203.0.113.7"], ["for=203.0.113.7 for=192.0.2.1"],
        # A quote that the client opened must not hide what the proxy wrote.
        ['for=192.0.2.1;x="', "for=203.0.113.7"], ['for=192.0.2.1;x="', 'for="[2001:db8::7]"'],
        ['for=192.0.2.1;x="\\', 'for="203.0.113.7"'],
    ],
)  # fmt: skip
def test_what_is_not_well_formed_all_through_is_refused(values):
    with pytest.raises(ForwardedMalformed):
        RFC.find_client(PROXY, values)


@pytest.mark.parametrize("proxies", [X, RFC])
def test_a_chain_without_end_is_refused(proxies):
    hop = "10.0.0.2" if proxies is X else "for=10.0.0.2"

    with pytest.raises(ForwardedMalformed, match="too many"):
        proxies.find_client(PROXY, [hop] * (MAX_ADDRESSES + 1))


@given(st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60))
def test_whatever_a_client_sends_the_address_that_its_proxy_adds_is_found(made_up):
    assert X.find_client(PROXY, [made_up, str(CLIENT)]) == CLIENT
    try:
        found = RFC.find_client(PROXY, [made_up, f"for={CLIENT}"])
    except ForwardedMalformed:
        return
    assert found == CLIENT


def test_the_header_that_is_not_set_is_never_asked_for():
    assert (X.header, RFC.header) == ("x-forwarded-for", "forwarded")
    assert (X.is_trusted(PROXY), X.is_trusted(CLIENT)) == (True, False)
