"""MTA-STS policies are fetched from a real HTTPS server, and only as RFC 8461 §3.3 has it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests.support.authority import make_certificate

from gatepost.network.policy_fetcher import HTTPSPolicyFetcher
from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import Address
from gatepost.tenancy.senders.posture import PolicyFile

POLICY = b"version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


class Hosts:
    """The port by which the DNS is asked for addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = addresses, set[str]()
        self.is_down = False

    async def resolve(self, question: Question) -> Answer:
        self.asked.add(question.name)
        found = tuple([Address(each) for each in self.addresses if (":" in each) == (question.type.value == "AAAA")])
        if self.is_down:
            return Answer(status=AnswerStatus.FAILED, detail="timed out")
        return Answer(status=AnswerStatus.FOUND if found else AnswerStatus.NO_DATA, records=found)


@dataclass
class Server:
    """Says what it is told to, then ends the connection."""

    port: int = 0
    octets: bytes = b""
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    then: Callable[[], Awaitable[object]] | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        try:
            writer.write(self.octets)
            await writer.drain()
            if self.then is not None:
                await self.then()
        except (ConnectionError, ssl.SSLError):
            pass  # whoever reads has had enough
        finally:
            writer.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    names = (x509.DNSName("mta-sts.example.com"),)
    return make_certificate(tmp_path_factory.mktemp("tls"), names, valid_until=datetime.now(UTC) + timedelta(days=1))


@pytest.fixture
async def server(certificates: tuple[Path, Path, Path]) -> AsyncIterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[1], certificates[2])
    server = Server()
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()


@pytest.fixture
def fetch(server: Server, certificates: tuple[Path, Path, Path]) -> Callable[..., Awaitable[PolicyFile]]:
    async def fetch(domain: str = "example.com", hosts: Hosts | None = None, **more: object) -> PolicyFile:
        options = {
            "allow_private": True,
            "port": server.port,
            "make_tls_context": lambda: ssl.create_default_context(cafile=str(certificates[0])),
            **more,
        }
        return await HTTPSPolicyFetcher(hosts or Hosts("127.0.0.1"), **options).fetch(domain)  # type: ignore[arg-type]

    return fetch


Fetch = Callable[..., Awaitable[PolicyFile]]
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(POLICY), POLICY)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(OK + b"Content-Length: %d\r\n\r\n" % len(POLICY) + POLICY, id="with its length"),
        pytest.param(CHUNKED, id="in chunks"),
        pytest.param(OK + b"\r\n" + POLICY, id="until the end of the connection"),
    ],
)
async def test_a_policy_is_fetched_from_its_one_place(server: Server, fetch: Fetch, octets: bytes) -> None:
    server.octets = octets
    hosts = Hosts("127.0.0.1")

    assert await fetch(hosts=hosts) == PolicyFile(octets=POLICY, media_type="text/plain")
    (request,) = server.requests
    assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.com\r\n")
    assert (server.names, hosts.asked) == (["mta-sts.example.com"], {"mta-sts.example.com"})


REFUSED = {
    "a redirect": (b"HTTP/1.1 301 Moved\r\nLocation: https://[::1]/\r\nContent-Length: 0\r\n\r\n", "a redirect (301)"),
    "another redirect": (b"HTTP/1.1 307 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "a redirect (307)"),
    "no such page": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!", "status 404"),
    "trouble": (b"HTTP/1.1 500 Oh\r\n\r\n", "status 500"),
    "no HTTP": (b"220 mail.example.com ESMTP\r\n", "no HTTP"),
    "nothing": (b"", "broke the connection off"),
    "half of it": (OK + b"Content-Length: 900\r\n\r\n" + POLICY, "broke the connection off"),
    "too much": (OK + b"\r\n" + b"x" * 100_000, "more than the 65536 octets"),
    "too many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000, "more than the 65536 octets"),
}  # fmt: skip


@pytest.mark.parametrize(("octets", "problem"), REFUSED.values(), ids=REFUSED)
async def test_what_senders_would_not_take_is_no_policy(
    server: Server, fetch: Fetch, octets: bytes, problem: str
) -> None:
    server.octets = octets

    fetched = await fetch()

    assert (fetched.octets, problem in fetched.problem) == (b"", True), fetched
    assert len(server.requests) == 1


PRIVATE = ("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0")


@pytest.mark.parametrize("address", PRIVATE)
async def test_nothing_inside_this_network_is_asked(server: Server, fetch: Fetch, address: str) -> None:
    server.octets = CHUNKED

    fetched = await fetch(hosts=Hosts(address), allow_private=False)

    assert "only private addresses" in fetched.problem
    assert server.requests == []


async def test_a_private_address_beside_a_public_one_is_left_out(fetch: Fetch) -> None:
    # 192.0.2.0/24 is no public network either, so the public one is a real one that is never asked: no time is left.
    fetched = await fetch(hosts=Hosts("127.0.0.1", "198.41.0.4"), allow_private=False, timeout_seconds=0.0)

    assert "did not answer within 0 seconds" in fetched.problem


async def test_a_certificate_for_another_name_is_refused(server: Server, fetch: Fetch) -> None:
    server.octets = CHUNKED

    fetched = await fetch("other.example.com")

    assert "the certificate of mta-sts.other.example.com is refused" in fetched.problem
    assert server.requests == []


async def test_a_certificate_of_nobody_known_is_refused(server: Server, fetch: Fetch) -> None:
    fetched = await fetch(make_tls_context=ssl.create_default_context)

    assert "is refused" in fetched.problem


async def test_who_is_slow_is_waited_for_only_so_long(server: Server, fetch: Fetch) -> None:
    server.octets, server.then = OK, asyncio.Event().wait

    fetched = await fetch(timeout_seconds=0.3)

    assert "did not answer within" in fetched.problem


async def test_where_one_address_is_dead_the_next_is_asked(server: Server, fetch: Fetch) -> None:
    server.octets = CHUNKED

    assert (await fetch(hosts=Hosts("127.0.0.1", "::1"))).octets == POLICY
    assert "cannot be connected to" in (await fetch(hosts=Hosts("::1"))).problem


@pytest.mark.parametrize(("is_down", "problem"), [(True, "the DNS did not answer"), (False, "has no address")])
async def test_without_an_address_there_is_no_policy(fetch: Fetch, is_down: bool, problem: str) -> None:
    hosts = Hosts()
    hosts.is_down = is_down

    assert problem in (await fetch(hosts=hosts)).problem
