"""Serves zones of our own over UDP and TCP (RFC 1034 §4.3.2, RFC 1035, RFC 6891, RFC 7766).

Authoritative only: it never asks anybody and never answers for a name outside its zones (REFUSED). The wire format is
dnspython's; what to answer is ours, in ``ZoneSet.answer``, which is pure. Over UDP one network gets the same answer
only so often (``response_rate_limit``).
"""

import asyncio
import socket
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from gatepost.network.response_rate_limit import ResponseRateLimit, Verdict
from gatepost.network.zone import Zone

MAX_UDP_OCTETS: Final = 1232
"""The largest datagram we send: what passes every path unfragmented (DNS Flag Day 2020)."""

TCP_IDLE_TIMEOUT: Final = 10.0
"""Seconds a TCP connection may say nothing (RFC 7766 §6.2.3 leaves the figure to us)."""

TCP_CONNECTIONS: Final = 100
MAX_REMEMBERED: Final = 20_000
"""Answers kept as octets: a question like one before costs a look-up instead of a parse."""

MAX_REMEMBERED_OCTETS: Final = 512
"""A longer question is stuffed with something that nobody asks twice."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as octets; ``kind`` is what response rate limiting counts it by."""

    octets: bytes
    kind: Hashable


class ZoneSet:
    """The zones one server answers for; replaced as a whole when they change."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._zones = sorted(zones, key=lambda zone: -len(zone.origin))
        # By the question without its id, and the limit: the zones never change, so neither does the answer.
        self._remembered: dict[tuple[bytes, int], Response] = {}

    def answer(self, wire: bytes, *, max_octets: int) -> Response | None:
        """Answer one query; None where silence is right (a response, or octets that are no DNS message at all).

        Args:
            max_octets: What the transport carries: 65535 over TCP; over UDP the asker's EDNS buffer also counts.
        """
        question = wire[2:], max_octets
        response = self._remembered.get(question)
        if response is None:
            response = self._work_out(wire, max_octets)
            if response is None:
                return None
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            if len(wire) <= MAX_REMEMBERED_OCTETS:
                self._remembered[question] = response
        return Response(wire[:2] + response.octets[2:], response.kind)

    def _work_out(self, wire: bytes, max_octets: int) -> Response | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            octets = _format_error(wire)
            return None if octets is None else Response(octets, dns.rcode.FORMERR)
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, our_payload=MAX_UDP_OCTETS)
        origin = self._fill(query, response)
        # What does not exist is counted by its zone: names that do not exist can be made up without end.
        is_name = response.rcode() == dns.rcode.NOERROR and bool(query.question)
        kind = (response.rcode(), query.question[0].name if is_name else origin)
        limit = max_octets if max_octets > MAX_UDP_OCTETS else min(max_octets, max(512, query.payload or 512))
        try:
            return Response(response.to_wire(max_size=limit), kind)
        except dns.exception.TooBig:
            return Response(_truncated(query), kind)

    def _fill(self, query: dns.message.Message, response: dns.message.Message) -> dns.name.Name | None:
        """Put the answer into the response; return the origin of the zone that it comes from."""
        refusal = _refusal(query)
        zone = None if refusal else self._find_zone(query.question[0].name)
        if zone is None:
            response.set_rcode(refusal or dns.rcode.REFUSED)
            return None
        response.flags |= dns.flags.AA
        name, kind = query.question[0].name, query.question[0].rdtype
        for _ in range(8):  # CNAMEs inside our own zones are followed, within reason
            found = zone.find_any(name) if kind == dns.rdatatype.ANY else zone.find(name, kind)
            if found is not None:
                response.answer.append(_spelled(found, name))
                return zone.origin
            alias = zone.find(name, dns.rdatatype.CNAME)
            if alias is None:
                break
            response.answer.append(_spelled(alias, name))
            name = alias[0].target
            next_zone = self._find_zone(name)
            if next_zone is None:
                return zone.origin
            zone = next_zone
        if not zone.has(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(zone.soa)
        return zone.origin

    def _find_zone(self, name: dns.name.Name) -> Zone | None:
        return next((zone for zone in self._zones if name.is_subdomain(zone.origin)), None)


class AuthoritativeServer:
    """Listens on one address and port, UDP and TCP, and answers from a ZoneSet."""

    def __init__(self, zones: ZoneSet, *, rate_limit: ResponseRateLimit | None = None) -> None:
        self.zones = zones
        self.rate_limit = rate_limit or ResponseRateLimit(monotonic=time.monotonic)
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._more: list[asyncio.DatagramTransport | asyncio.Server] = []
        self._tcp_connections = 0

    async def start(self, address: str, port: int) -> None:
        """Listen; with port 0 the kernel chooses one, the same for both, found afterwards in ``port``."""
        self._tcp = await asyncio.start_server(self._serve_tcp, address, port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _UDPResponder(self), local_addr=(address, self.port))

    async def serve(self, sock: socket.socket) -> None:
        """Answer on a socket that is bound already, of UDP or of TCP; may be called for several."""
        if sock.type == socket.SOCK_DGRAM:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(lambda: _UDPResponder(self), sock=sock)
            self._more.append(transport)
        else:
            self._more.append(await asyncio.start_server(self._serve_tcp, sock=sock))

    async def stop(self) -> None:
        """Listen no more."""
        for each in (self._udp, self._tcp, *self._more):
            if each is not None:
                each.close()

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tcp_connections += 1
        try:
            while self._tcp_connections <= TCP_CONNECTIONS:
                async with asyncio.timeout(TCP_IDLE_TIMEOUT):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    answer = self.zones.answer(await reader.readexactly(size), max_octets=65535)
                    if answer is None:
                        break
                    writer.write(len(answer.octets).to_bytes(2, "big") + answer.octets)
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the asker left or fell silent: that is how these connections end
        finally:
            self._tcp_connections -= 1
            writer.close()


class _UDPResponder(asyncio.DatagramProtocol):
    """One datagram in, one datagram out."""

    def __init__(self, server: AuthoritativeServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Neither loop's datagram transport is an instance of the class that names their interface.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.zones.answer(data, max_octets=MAX_UDP_OCTETS)
        if answer is None or self._transport is None:
            return
        match self._server.rate_limit.judge(addr[0], answer.kind):
            case Verdict.SEND:
                self._transport.sendto(answer.octets, addr)
            case Verdict.TRUNCATE:
                self._transport.sendto(_emptied(answer.octets), addr)
            case Verdict.DROP:
                pass


def _spelled(rrset: dns.rrset.RRset, name: dns.name.Name) -> dns.rrset.RRset:
    """The same records under the name as the asker spelled it: resolvers that mix case (0x20) compare."""
    return dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))


def _refusal(query: dns.message.Message) -> dns.rcode.Rcode | None:
    """The code for a query that no zone could answer; None for one that a zone may."""
    if query.edns > 0:
        return dns.rcode.BADVERS
    if query.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(query.question) != 1:
        return dns.rcode.FORMERR  # RFC 9619
    question = query.question[0]
    is_transfer = question.rdtype in {dns.rdatatype.AXFR, dns.rdatatype.IXFR}
    return dns.rcode.REFUSED if is_transfer or question.rdclass != dns.rdataclass.IN else None


def _emptied(octets: bytes) -> bytes:
    """An answer's header and question, marked as truncated: no larger than what was asked."""
    if len(octets) <= 12:
        return octets
    end = 12
    while octets[end]:
        end += octets[end] + 1
    counts = bytes([0, 1, 0, 0, 0, 0, 0, 0])
    return octets[:2] + bytes([octets[2] | 0x02, octets[3]]) + counts + octets[12 : end + 5]


def _truncated(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query, our_payload=MAX_UDP_OCTETS)
    response.flags |= dns.flags.AA | dns.flags.TC
    return response.to_wire()


def _format_error(wire: bytes) -> bytes | None:
    """FORMERR for a query that has at least a header; silence for anything else."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | (wire[2] & 0x79), dns.rcode.FORMERR]) + bytes(8)
