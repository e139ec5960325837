"""Malformed and hostile answers over real UDP: they end in a reason, never in a crash, and never prove anything."""

import asyncio
import random
import struct
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from ipaddress import ip_network

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from gatepost.network.resolver import CachingResolver, Nameserver
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.senders.dns_check import answer_from, check_domain, is_proved
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.doctor import advise
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState
from gatepost.tenancy.senders.posture import examine

AT = datetime(2026, 11, 1, tzinfo=UTC)
RELAY = Relay(host_name="relay.test", sending_networks=(ip_network("192.0.2.0/24"),), zone="gp.relay.test")
Wire = Callable[[dns.message.Message], bytes]


def _claim(label: str | None) -> AuthenticatedDomain:
    keys = tuple(
        DKIMKey(
            selector=selector,
            algorithm=SigningAlgorithm.RSA_SHA256,
            sealed_private_key=b"sealed",
            public_key="cHVibGlj",
            created_at=AT,
        )
        for selector in ("s1", "s2")
    )
    return AuthenticatedDomain(
        name="example.com",
        account_id=AccountId("acc_1"),
        state=DomainState.PENDING,
        dkim_keys=keys,
        created_at=AT,
        return_path="em1",
        label=label,
    )


AUTOMATIC, MANUAL = _claim("label"), _claim(None)


def _response(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    return response


def _sets(*lines: tuple[str, str]) -> Wire:
    """Records of given types and values, all at the name that was asked for."""

    def answer(query: dns.message.Message) -> bytes:
        response = _response(query)
        for kind, value in lines:
            name = query.question[0].name
            found = response.find_rrset(response.answer, name, 1, dns.rdatatype.from_text(kind), create=True)
            found.update(dns.rrset.from_text(name, 1, "IN", kind, value))
        return response.to_wire(max_size=65_000)

    return answer


def _loop(query: dns.message.Message) -> bytes:
    response = _response(query)
    name = query.question[0].name
    other = dns.name.from_text("other.example.com")
    response.answer.append(dns.rrset.from_text(name, 1, "IN", "CNAME", other.to_text()))
    response.answer.append(dns.rrset.from_text(other, 1, "IN", "CNAME", name.to_text()))
    return response.to_wire()


def _endless(query: dns.message.Message) -> bytes:
    response = _response(query)
    name = query.question[0].name
    response.answer.append(dns.rrset.from_text(name, 1, "IN", "CNAME", f"x{random.randrange(10**9)}.example.com."))
    return response.to_wire()


def _cut(query: dns.message.Message) -> bytes:
    whole = _sets(("TXT", '"v=DKIM1; k=rsa; p=cHVibGlj"'))(query)
    return whole[: len(whole) // 2]


def _truncated(query: dns.message.Message) -> bytes:
    response = _response(query)
    response.flags |= dns.flags.TC
    return response.to_wire()


def _pointer_to_itself(query: dns.message.Message) -> bytes:
    header = struct.pack("!6H", query.id, 0x8180, 1, 1, 0, 0)
    question = query.question[0].name.to_wire() + struct.pack("!2H", query.question[0].rdtype, 1)
    return header + question + struct.pack("!H", 0xC000 | (len(header) + len(question))) + bytes(10)


def _lying_counts(query: dns.message.Message) -> bytes:
    return struct.pack("!6H", query.id, 0x8180, 1, 65535, 65535, 65535) + bytes(20)


def _huge_text(query: dns.message.Message) -> bytes:
    strings = " ".join('"' + "v=DKIM1; p=" + "A" * 240 + '"' for _ in range(4))
    return _sets(*[("TXT", strings + f' "{number}"') for number in range(40)])(query)[:1200]


ANSWERS: dict[str, Wire] = {
    "nothing of it": lambda _: b"\0",
    "random octets": lambda query: query.to_wire()[:2] + random.Random(7).randbytes(300),
    "cut in the middle": _cut,
    "truncated, and nobody answers TCP": _truncated,
    "a name that points to itself": _pointer_to_itself,
    "counts that lie": _lying_counts,
    "an alias in a circle": _loop,
    "aliases without end": _endless,
    "an oversize answer, cut": _huge_text,
    "100 TXT records": _sets(*[("TXT", f'"v=spf1 include:{number}.example.com ~all"') for number in range(60)]),
    "100 addresses": _sets(*[("A", f"192.0.2.{number}") for number in range(60)]),
    "text with NUL and eight bits": _sets(("TXT", r'"v=DKIM1\000\255\200; p=\000\000"')),
    "texts that are no records": _sets(("TXT", '"v=spf1 \\000 ip4:::: redirect=" "%{z}"'), ("TXT", '"v=DMARC1; p="')),
    "another type": _sets(("AAAA", "2001:db8::1"), ("HINFO", '"a" "b"')),
    "every type at once": _sets(
        ("CNAME", "elsewhere.example.com."), ("TXT", '"v=DKIM1; p="'), ("MX", "0 ."), ("A", "127.0.0.1")
    ),
    "an answer to another question": lambda query: dns.message.make_response(
        dns.message.make_query("other.example.", "TXT", id=query.id)
    ).to_wire(),
    "a query": lambda query: query.to_wire(),
    "refused": lambda query: _with_code(query, dns.rcode.REFUSED),
    "no such name": lambda query: _with_code(query, dns.rcode.NXDOMAIN),
}


def _with_code(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    response = _response(query)
    response.set_rcode(code)
    return response.to_wire()


class _Responder(asyncio.DatagramProtocol):
    def __init__(self, answer: Wire) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._answer(dns.message.from_wire(data)), addr)  # type: ignore[attr-defined]


@pytest.fixture(params=ANSWERS, ids=str)
async def resolver(request: pytest.FixtureRequest) -> AsyncIterator[CachingResolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Responder(ANSWERS[request.param]), local_addr=("127.0.0.1", 0)
    )
    yield CachingResolver(
        [Nameserver("127.0.0.1", transport.get_extra_info("sockname")[1])],
        monotonic=time.monotonic,
        try_timeout_seconds=0.02,
        timeout_seconds=0.1,
    )
    transport.close()


@pytest.mark.parametrize("claim", [AUTOMATIC, MANUAL], ids=["automatic", "manual"])
async def test_it_proves_nothing_and_has_a_reason(resolver: CachingResolver, claim: AuthenticatedDomain) -> None:
    findings = await check_domain(claim.name, plan_records(claim, RELAY), resolver, relay=RELAY, at=AT)

    assert not is_proved(findings)
    required = [each for each in findings if each.record.is_required]
    assert required
    assert all(each.problem for each in required)


async def test_the_doctor_has_something_to_say(resolver: CachingResolver) -> None:
    examination = examine("example.com", selectors=["s1"], sending_networks=(), host_name="relay.test", at=AT)

    advices = advise(await answer_from(resolver, examination))

    assert all(each.text.isprintable() for each in advices)
    assert advices


async def test_the_same_way_of_asking_proves_what_is_right() -> None:
    """The control: what refuses everything would pass all the tests above."""
    wanted = {(record.name, record.type.value): record.rdata for record in plan_records(AUTOMATIC, RELAY)}

    def answer(query: dns.message.Message) -> bytes:
        asked = query.question[0].name.to_text(omit_final_dot=True), dns.rdatatype.to_text(query.question[0].rdtype)
        return _sets((asked[1], wanted[asked]))(query) if asked in wanted else _with_code(query, dns.rcode.NXDOMAIN)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Responder(answer), local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    asking = CachingResolver([Nameserver("127.0.0.1", port)], monotonic=time.monotonic)

    findings = await check_domain("example.com", plan_records(AUTOMATIC, RELAY), asking, relay=RELAY, at=AT)

    transport.close()
    assert is_proved(findings)
