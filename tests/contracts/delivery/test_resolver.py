"""The Resolver port against a real nameserver on loopback, and its faults (D6)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from gatepost.mailflow.delivery.route import Route, RoutePolicy, RouteResult, Undecided, Unroutable
from gatepost.mailflow.delivery.router import Router
from gatepost.network.resolver import CachingResolver, Nameserver
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import MX, TLSA, TXT, Address, Name, Record
from gatepost.system.entropy import SystemEntropy

OpenNameserver = Callable[..., Awaitable[Any]]
RespondFrom = Callable[..., Any]


def resolver_for(*servers: Any, timeout: float = 2.0, clock: Callable[[], float] = time.monotonic) -> CachingResolver:
    return CachingResolver(
        [Nameserver("127.0.0.1", server.port) for server in servers],
        monotonic=clock,
        try_timeout_seconds=0.15,
        timeout_seconds=timeout,
    )


def found(*records: Record) -> Answer:
    return Answer(status=AnswerStatus.FOUND, records=records)


# ---- answers


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        pytest.param("A", ["192.0.2.1", "192.0.2.2"], found(Address("192.0.2.1"), Address("192.0.2.2")), id="A"),
        pytest.param("AAAA", ["2001:db8:0::1"], found(Address("2001:db8::1")), id="AAAA"),
        pytest.param("MX", ["10 MX1.Example.COM."], found(MX(10, "mx1.example.com")), id="MX"),
        pytest.param("MX", ["0 ."], found(MX(0, "")), id="null MX"),
        pytest.param("TXT", ['"v=DKIM1; " "p=x"'], found(TXT(b"v=DKIM1; p=x")), id="TXT in two strings"),
        pytest.param("CNAME", ["other.test."], found(Name("other.test")), id="CNAME itself"),
        pytest.param("NS", ["ns.other.test."], found(Name("ns.other.test")), id="NS"),
        pytest.param("PTR", ["host.test."], found(Name("host.test")), id="PTR"),
        pytest.param("TLSA", ["3 1 1 " + "0f" * 32], found(TLSA(3, 1, 1, b"\x0f" * 32)), id="TLSA"),
    ],
)
async def test_records_are_read(
    open_nameserver: OpenNameserver, respond_from: RespondFrom, kind: str, data: list[str], expected: Answer
) -> None:
    server = await open_nameserver(respond_from({f"x.test {kind}": data}))

    answer = await resolver_for(server).resolve(Question("x.test", RecordType(kind)))

    # dnspython's server side shuffles records.
    assert (answer.status, set(answer.records)) == (expected.status, set(expected.records))


async def test_no_such_name_and_no_such_type_are_told_apart(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    resolver = resolver_for(await open_nameserver(respond_from({"x.test A": ["192.0.2.1"]})))

    assert (await resolver.resolve(Question("x.test", RecordType.MX))).status is AnswerStatus.NO_DATA
    assert (await resolver.resolve(Question("y.test", RecordType.MX))).status is AnswerStatus.NO_NAME


async def test_aliases_are_followed(open_nameserver: OpenNameserver, respond_from: RespondFrom) -> None:
    zone = {"a.test CNAME": ["b.test."], "b.test CNAME": ["c.test."], "c.test A": ["192.0.2.1"]}
    server = await open_nameserver(respond_from(zone))

    assert await resolver_for(server).resolve(Question("a.test", RecordType.A)) == found(Address("192.0.2.1"))


async def test_an_alias_to_nowhere_is_no_name(open_nameserver: OpenNameserver, respond_from: RespondFrom) -> None:
    resolver = resolver_for(await open_nameserver(respond_from({"a.test CNAME": ["gone.test."]})))

    assert (await resolver.resolve(Question("a.test", RecordType.A))).status is AnswerStatus.NO_NAME


async def test_a_truncated_answer_is_asked_again_over_tcp(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    server = await open_nameserver(respond_from({"x.test TXT": ['"long"']}, flags=dns.flags.TC))

    assert await resolver_for(server).resolve(Question("x.test", RecordType.TXT)) == found(TXT(b"long"))
    assert server.tcp_queries == 1


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "x..test", ""], ids=["long label", "empty label", "root"])
async def test_what_is_no_name_is_not_found(
    open_nameserver: OpenNameserver, respond_from: RespondFrom, name: str
) -> None:
    resolver = resolver_for(await open_nameserver(respond_from({})))

    assert (await resolver.resolve(Question(name, RecordType.A))).status in {AnswerStatus.NO_NAME, AnswerStatus.NO_DATA}


async def test_the_ad_bit_is_believed_from_loopback(open_nameserver: OpenNameserver, respond_from: RespondFrom) -> None:
    zone = {"x.test A": ["192.0.2.1"]}
    signed = await open_nameserver(respond_from(zone, flags=dns.flags.AD))
    unsigned = await open_nameserver(respond_from(zone))

    assert (await resolver_for(signed).resolve(Question("x.test", RecordType.A))).authenticated
    assert not (await resolver_for(unsigned).resolve(Question("x.test", RecordType.A))).authenticated


@pytest.mark.parametrize(("address", "is_local"), [("127.0.0.53", True), ("::1", True), ("192.0.2.1", False)])
def test_only_a_loopback_nameserver_is_on_this_machine(address: str, is_local: bool) -> None:
    assert Nameserver(address).is_local is is_local


# ---- faults


def _loop_answer(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    name = query.question[0].name
    other = dns.name.from_text("b.test." if name.to_text() == "a.test." else "a.test.")
    response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", other.to_text()))
    return response.to_wire()


def _loop_within_answer(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text("a.test.", 60, "IN", "CNAME", "b.test."))
    response.answer.append(dns.rrset.from_text("b.test.", 60, "IN", "CNAME", "a.test."))
    return response.to_wire()


def _short_mx(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "MX", "10 mx.test."))
    wire = bytearray(response.to_wire())
    at = wire.rindex(b"\x00\x0a\x02mx")
    wire[at - 1] = 1  # the length says one octet
    return bytes(wire[: at + 1])


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda query: None, id="silence"),
        pytest.param(lambda query: query.to_wire()[:2] + b"\x81\x80", id="cut off in the header"),
        pytest.param(lambda query: query.to_wire()[:2] + b"\xff" * 40, id="garbage with our id"),
        pytest.param(_loop_answer, id="aliases in a circle"),
        pytest.param(_loop_within_answer, id="aliases in a circle within one answer"),
        pytest.param(_short_mx, id="MX too short"),
        pytest.param(lambda query: query.to_wire(), id="the query itself"),
    ],
)
async def test_a_fault_is_a_failed_answer(open_nameserver: OpenNameserver, respond: Any) -> None:
    resolver = resolver_for(await open_nameserver(respond), timeout=1.0)

    answer = await resolver.resolve(Question("a.test", RecordType.MX))

    assert answer.status is AnswerStatus.FAILED
    assert answer.detail


@pytest.mark.parametrize(
    ("rcode", "detail"),
    [(dns.rcode.SERVFAIL, "SERVFAIL"), (dns.rcode.REFUSED, "REFUSED"), (dns.rcode.FORMERR, "FORMERR")],
)
async def test_a_refusal_is_a_failed_answer_that_names_it(
    open_nameserver: OpenNameserver, respond_from: RespondFrom, rcode: dns.rcode.Rcode, detail: str
) -> None:
    resolver = resolver_for(await open_nameserver(respond_from({}, rcode=rcode)))

    assert await resolver.resolve(Question("x.test", RecordType.MX)) == Answer(
        status=AnswerStatus.FAILED, detail=detail
    )


async def test_the_next_nameserver_is_asked_where_one_is_broken(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    broken = await open_nameserver(respond_from({}, rcode=dns.rcode.SERVFAIL))
    silent = await open_nameserver(lambda query: None)
    good = await open_nameserver(respond_from({"x.test A": ["192.0.2.1"]}))

    assert await resolver_for(broken, silent, good).resolve(Question("x.test", RecordType.A)) == found(
        Address("192.0.2.1")
    )


async def test_one_question_takes_no_longer_than_its_time_in_all(open_nameserver: OpenNameserver) -> None:
    silent = [await open_nameserver(lambda query: None) for _ in range(5)]
    began = time.monotonic()

    answer = await resolver_for(*silent, timeout=0.3).resolve(Question("x.test", RecordType.A))

    assert answer == Answer(status=AnswerStatus.FAILED, detail="timed out")
    assert time.monotonic() - began < 0.8


# ---- the cache


class Ticks:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_an_answer_is_kept_as_long_as_its_ttl_says(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    ticks = Ticks()
    server = await open_nameserver(respond_from({"x.test A": ["192.0.2.1"]}, ttl=30))
    resolver = resolver_for(server, clock=ticks)
    asked = []

    for now in (0, 29, 30):
        ticks.now = now
        await resolver.resolve(Question("x.test", RecordType.A))
        asked.append(len(server.queries))

    assert asked == [1, 1, 2]


@pytest.mark.parametrize(("name", "kept"), [("gone.test", 1), ("x.test", 1)], ids=["no name", "no data"])
async def test_a_negative_answer_is_kept_too(
    open_nameserver: OpenNameserver, respond_from: RespondFrom, name: str, kept: int
) -> None:
    server = await open_nameserver(respond_from({"x.test A": ["192.0.2.1"]}))
    resolver = resolver_for(server)

    for _ in range(3):
        await resolver.resolve(Question(name, RecordType.MX))

    assert len(server.queries) == kept


async def test_a_failure_is_not_kept(open_nameserver: OpenNameserver, respond_from: RespondFrom) -> None:
    server = await open_nameserver(respond_from({}, rcode=dns.rcode.SERVFAIL))
    resolver = resolver_for(server)
    await resolver.resolve(Question("x.test", RecordType.A))
    server.respond = respond_from({"x.test A": ["192.0.2.1"]})

    assert (await resolver.resolve(Question("x.test", RecordType.A))).status is AnswerStatus.FOUND


async def test_equal_questions_at_one_time_are_asked_once(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    server = await open_nameserver(respond_from({"x.test A": ["192.0.2.1"]}))
    resolver = resolver_for(server)

    answers = await asyncio.gather(*[resolver.resolve(Question("x.test", RecordType.A)) for _ in range(50)])

    assert {answer.status for answer in answers} == {AnswerStatus.FOUND}
    assert len(server.queries) == 1


async def test_a_cancelled_asker_leaves_the_question_to_the_others(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    server = await open_nameserver(lambda query: None)
    resolver = resolver_for(server)
    first = asyncio.create_task(resolver.resolve(Question("x.test", RecordType.A)))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(resolver.resolve(Question("x.test", RecordType.A)))
    await asyncio.sleep(0.02)
    server.respond = respond_from({"x.test A": ["192.0.2.1"]})

    first.cancel()

    assert (await second).status is AnswerStatus.FOUND


async def test_the_cache_is_bounded(open_nameserver: OpenNameserver, respond_from: RespondFrom) -> None:
    server = await open_nameserver(respond_from({}))
    resolver = CachingResolver([Nameserver("127.0.0.1", server.port)], monotonic=time.monotonic, max_cached=10)

    for number in range(30):
        await resolver.resolve(Question(f"n{number}.test", RecordType.A))

    assert len(resolver._cache) == 10


# ---- routing over it


async def route(server: Any, domain: str) -> RouteResult:
    router = Router(
        policy=RoutePolicy(allow_private_destinations=True),
        resolver=resolver_for(server, timeout=0.5),
        entropy=SystemEntropy(),
        monotonic=time.monotonic,
    )
    return await router.find(domain)


async def test_a_route_is_found_over_the_wire(open_nameserver: OpenNameserver, respond_from: RespondFrom) -> None:
    zone = {
        "x.test CNAME": ["y.test."],
        "y.test MX": ["20 b.test.", "10 a.test."],
        "a.test A": ["127.0.0.2"],
        "b.test AAAA": ["::1"],
    }

    result = await route(await open_nameserver(respond_from(zone)), "x.test")

    assert isinstance(result, Route)
    assert [(hop.host, hop.address) for hop in result.hops] == [("a.test", "127.0.0.2"), ("b.test", "::1")]


async def test_a_route_is_remembered_for_a_moment_and_a_failure_is_not(
    open_nameserver: OpenNameserver, respond_from: RespondFrom
) -> None:
    server = await open_nameserver(respond_from({}, rcode=dns.rcode.SERVFAIL))
    ticks = Ticks()
    router = Router(
        policy=RoutePolicy(allow_private_destinations=True),
        resolver=resolver_for(server, timeout=0.5, clock=time.monotonic),
        entropy=SystemEntropy(),
        monotonic=ticks,
    )
    assert isinstance(await router.find("x.test"), Undecided)
    server.respond = respond_from({"x.test A": ["127.0.0.2"]}, ttl=0)

    first = await router.find("x.test")
    asked = len(server.queries)

    assert isinstance(first, Route)
    assert await router.find("x.test") is first
    assert len(server.queries) == asked
    ticks.now = 30
    assert isinstance(await router.find("x.test"), Route)
    assert len(server.queries) > asked


@pytest.mark.parametrize(
    ("zone", "rcode", "expected"),
    [
        pytest.param({"x.test MX": ["0 ."]}, None, Unroutable, id="null MX"),
        pytest.param({}, None, Unroutable, id="NXDOMAIN"),
        pytest.param({}, dns.rcode.SERVFAIL, Undecided, id="SERVFAIL"),
        pytest.param({"x.test CNAME": ["x.test."]}, None, Undecided, id="alias of itself"),
        pytest.param({"x.test MX": [f"{n} m{n}.test." for n in range(100)]}, None, Unroutable, id="100 MX to nowhere"),
    ],
)
async def test_faults_end_as_they_should(
    open_nameserver: OpenNameserver,
    respond_from: RespondFrom,
    zone: dict[str, list[str]],
    rcode: int | None,
    expected: type[RouteResult],
) -> None:
    result = await route(await open_nameserver(respond_from(zone, rcode=rcode)), "x.test")

    assert isinstance(result, expected), result
