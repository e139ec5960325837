from dataclasses import replace

import pytest

from gatepost.mailflow.delivery.route import (
    MAX_EXCHANGES,
    MAX_HOPS,
    NextHop,
    Route,
    RoutePolicy,
    RouteResult,
    Undecided,
    Unroutable,
    find_route,
)
from gatepost.mailflow.delivery.static_route import StaticRoute
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import MX, Address, Record

FAILED = Answer(status=AnswerStatus.FAILED, detail="SERVFAIL")
NO_NAME = Answer(status=AnswerStatus.NO_NAME)
NO_DATA = Answer(status=AnswerStatus.NO_DATA)
POLICY = RoutePolicy(own_names=frozenset({"relay.test"}), own_addresses=frozenset({"198.51.0.9"}))

Zone = dict[str, Answer]


def found(*records: Record) -> Answer:
    return Answer(status=AnswerStatus.FOUND, records=records)


def mx(*pairs: tuple[int, str]) -> Answer:
    return found(*[MX(preference, exchange) for preference, exchange in pairs])


def find(domain: str, zone: Zone, policy: RoutePolicy = POLICY, seed: bytes = b"s") -> RouteResult:
    """Answer out of a zone by "name TYPE"; what it lacks is NO_DATA."""
    steps = find_route(domain, policy, seed=seed)
    asked: list[Question] = []
    try:
        questions = next(steps)
        while True:
            asked += questions
            questions = steps.send([zone.get(f"{q.name} {q.type.value}", NO_DATA) for q in questions])
    except StopIteration as end:
        result: RouteResult = end.value
        return result


def hosts(result: RouteResult) -> list[str]:
    assert isinstance(result, Route), result
    return [hop.host for hop in result.hops]


def test_exchangers_are_tried_by_preference() -> None:
    zone = {
        "x.test MX": mx((20, "b.test"), (10, "a.test")),
        "a.test A": found(Address("8.8.8.1")),
        "b.test A": found(Address("8.8.8.2")),
    }

    assert find("x.test", zone) == Route(
        hops=(
            NextHop(host="a.test", address="8.8.8.1", port=25),
            NextHop(host="b.test", address="8.8.8.2", port=25),
        )
    )


def test_equal_preferences_are_shuffled_by_the_seed() -> None:
    names = [f"m{number}.test" for number in range(5)]
    zone = {"x.test MX": mx(*[(10, name) for name in names])}
    zone |= {f"{name} A": found(Address("8.8.8.1")) for name in names}

    orders = {tuple(hosts(find("x.test", zone, seed=bytes([seed])))) for seed in range(20)}

    assert len(orders) > 5
    assert all(sorted(order) == names for order in orders)


def test_ipv4_goes_before_ipv6_of_the_same_host() -> None:
    zone = {
        "x.test MX": mx((10, "a.test")),
        "a.test A": found(Address("8.8.8.1")),
        "a.test AAAA": found(Address("2a00::1")),
    }

    result = find("x.test", zone)

    assert isinstance(result, Route)
    assert [hop.address for hop in result.hops] == ["8.8.8.1", "2a00::1"]


def test_a_domain_without_mx_is_its_own_exchanger() -> None:
    assert hosts(find("x.test", {"x.test A": found(Address("8.8.8.1"))})) == ["x.test"]


def test_a_hundred_exchangers_cost_no_more_than_ten() -> None:
    zone = {"x.test MX": mx(*[(number, f"m{number}.test") for number in range(100)])}
    zone |= {f"m{number}.test A": found(Address("8.8.8.1"), Address("8.8.8.2")) for number in range(100)}

    result = find("x.test", zone)

    assert isinstance(result, Route)
    assert len(result.hops) == MAX_HOPS
    assert MAX_EXCHANGES == 10
    assert result.hops[0].host == "m0.test"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param({"x.test MX": NO_NAME}, ("5.1.2", "does not exist"), id="NXDOMAIN"),
        pytest.param({"x.test MX": mx((0, ""))}, ("5.1.10", "null MX"), id="null MX"),
        pytest.param({}, ("5.4.4", "no mail exchanger"), id="neither MX nor address"),
        pytest.param(
            {"x.test MX": mx((10, "a.test")), "a.test A": NO_NAME},
            ("5.4.4", "no mail exchanger"),
            id="MX without address",
        ),
        pytest.param({"x.test MX": mx((10, "relay.test"))}, ("5.4.6", "loops"), id="we are its only exchanger"),
        pytest.param(
            {"x.test MX": mx((10, "relay.test"), (10, "b.test")), "b.test A": found(Address("8.8.8.1"))},
            ("5.4.6", "loops"),
            id="we are one of equals",
        ),
        pytest.param(
            {"x.test MX": mx((10, "a.test")), "a.test A": found(Address("127.0.0.1"), Address("10.0.0.1"))},
            ("5.4.4", "private or ours"),
            id="private addresses",
        ),
        pytest.param(
            {"x.test MX": mx((10, "a.test")), "a.test A": found(Address("198.51.0.9"))},
            ("5.4.4", "private or ours"),
            id="our own address under another name",
        ),
    ],
)
def test_what_cannot_be_routed_bounces(zone: Zone, expected: tuple[str, str]) -> None:
    result = find("x.test", zone)

    assert isinstance(result, Unroutable)
    assert result.status == expected[0]
    assert expected[1] in result.reason


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param({"x.test MX": FAILED}, id="MX lookup"),
        pytest.param({"x.test MX": mx((10, "a.test")), "a.test A": FAILED}, id="address lookup"),
        pytest.param({"x.test A": FAILED}, id="address lookup without MX"),
        pytest.param(
            {"x.test MX": mx((10, "a.test"), (20, "b.test")), "a.test A": NO_NAME, "b.test AAAA": FAILED},
            id="one lookup failed and no address is known",
        ),
        pytest.param(
            {
                "x.test MX": mx((10, "a.test"), (20, "b.test")),
                "a.test A": found(Address("10.0.0.1")),
                "b.test A": FAILED,
            },
            id="one failed, the other is private",
        ),
    ],
)
def test_a_failed_lookup_never_bounces(zone: Zone) -> None:
    result = find("x.test", zone)

    assert isinstance(result, Undecided)
    assert "SERVFAIL" in result.reason


def test_a_failed_lookup_of_one_host_leaves_the_others() -> None:
    zone = {
        "x.test MX": mx((10, "a.test"), (20, "b.test")),
        "a.test A": FAILED,
        "b.test A": found(Address("8.8.8.2")),
    }

    assert hosts(find("x.test", zone)) == ["b.test"]


def test_only_exchangers_better_than_us_are_used() -> None:
    zone = {
        "x.test MX": mx((10, "a.test"), (20, "relay.test"), (30, "c.test")),
        "a.test A": found(Address("8.8.8.1")),
        "c.test A": found(Address("8.8.8.3")),
    }

    assert hosts(find("x.test", zone)) == ["a.test"]


def test_a_null_mx_beside_others_is_ignored() -> None:
    zone = {"x.test MX": mx((0, ""), (10, "a.test")), "a.test A": found(Address("8.8.8.1"))}

    assert hosts(find("x.test", zone)) == ["a.test"]


def test_private_destinations_can_be_allowed_but_our_own_address_never() -> None:
    zone = {
        "x.test MX": mx((10, "a.test")),
        "a.test A": found(Address("10.0.0.1"), Address("198.51.0.9")),
    }
    policy = replace(POLICY, allow_private_destinations=True, port=2525, tls=TLSRequirement.ENCRYPTED)

    assert find("x.test", zone, policy) == Route(
        hops=(NextHop(host="a.test", address="10.0.0.1", port=2525, tls=TLSRequirement.ENCRYPTED),)
    )


def test_an_address_literal_is_not_delivered_to() -> None:
    assert isinstance(find("[127.0.0.1]", {}), Unroutable)


@pytest.mark.parametrize("domain", ["x.test", "other.test"], ids=["its own route", "the smarthost"])
def test_a_static_route_asks_no_mx_and_allows_any_address(domain: str) -> None:
    route = StaticRoute(host="127.0.0.1", port=2526)
    policy = RoutePolicy(static_routes={"x.test": route, "*": route})

    assert find(domain, {}, policy) == Route(hops=(NextHop(host="127.0.0.1", address="127.0.0.1", port=2526),))


def test_a_static_route_by_name_is_looked_up() -> None:
    policy = RoutePolicy(static_routes={"*": StaticRoute(host="smart.test", tls=TLSRequirement.VERIFIED)})
    zone = {"smart.test A": found(Address("10.0.0.5"))}

    assert find("x.test", zone, policy) == Route(
        hops=(NextHop(host="smart.test", address="10.0.0.5", port=25, tls=TLSRequirement.VERIFIED),)
    )


@pytest.mark.parametrize("answer", [NO_NAME, NO_DATA, FAILED])
def test_a_static_route_without_an_address_waits_for_a_person(answer: Answer) -> None:
    policy = RoutePolicy(static_routes={"*": StaticRoute(host="smart.test")})

    result = find("x.test", {"smart.test A": answer}, policy)

    assert isinstance(result, Undecided)
    assert "smart.test:25" in result.reason


def test_addresses_of_all_hosts_are_asked_side_by_side() -> None:
    steps = find_route("x.test", POLICY, seed=b"s")
    next(steps)

    questions = steps.send([mx((10, "a.test"), (20, "b.test"))])

    assert questions == (
        Question("a.test", RecordType.A),
        Question("a.test", RecordType.AAAA),
        Question("b.test", RecordType.A),
        Question("b.test", RecordType.AAAA),
    )
