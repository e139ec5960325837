import pytest

from gatepost.mailflow.delivery.static_route import StaticRoute, find_static_route, parse_static_route
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("127.0.0.1:2526", StaticRoute(host="127.0.0.1", port=2526), id="address and port"),
        pytest.param("MX.example.com:587", StaticRoute(host="mx.example.com", port=587), id="name and port"),
        pytest.param("mx.example.com", StaticRoute(host="mx.example.com", port=25), id="name alone"),
        pytest.param("[mx.example.com]:26", StaticRoute(host="mx.example.com", port=26), id="name in brackets"),
        pytest.param("[::1]:2525", StaticRoute(host="::1", port=2525), id="IPv6"),
        pytest.param("[2001:db8::1]", StaticRoute(host="2001:db8::1"), id="IPv6 without port"),
        pytest.param(
            "mx:25 require-tls", StaticRoute(host="mx", port=25, tls=TLSRequirement.ENCRYPTED), id="TLS required"
        ),
        pytest.param(
            "mx:25 verify-tls", StaticRoute(host="mx", port=25, tls=TLSRequirement.VERIFIED), id="TLS verified"
        ),
    ],
)
def test_a_route_is_read(text: str, expected: StaticRoute) -> None:
    assert parse_static_route(text) == expected


@pytest.mark.parametrize(
    "text", ["", "::1", "::1:25", "mx:0", "mx:65536", "mx:smtp", "mx:25 tls", "a b c", "[]:25", "mx:"]
)
def test_what_is_no_route_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_static_route(text)


def test_a_domain_of_its_own_wins_over_the_smarthost() -> None:
    own, smarthost = StaticRoute(host="own"), StaticRoute(host="smart")
    routes = {"a.test": own, "*": smarthost}

    assert find_static_route("a.test", routes) is own
    assert find_static_route("b.a.test", routes) is smarthost
    assert find_static_route("b.test", {"a.test": own}) is None
