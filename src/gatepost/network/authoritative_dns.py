"""Serves zones of our own over UDP and TCP (RFC 1034 §4.3.2, RFC 1035, RFC 6891, RFC 7766).

Authoritative only: it never asks anybody and never answers for a name outside its zones (REFUSED). The wire format is
dnspython's; what to answer is ours, in ``ZoneSet.answer``, which is pure.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

MAX_UDP_OCTETS: Final = 1232
"""The largest datagram we send: what passes every path unfragmented (DNS Flag Day 2020)."""

TCP_IDLE_TIMEOUT: Final = 10.0
"""Seconds a TCP connection may say nothing (RFC 7766 §6.2.3 leaves the figure to us)."""

TCP_CONNECTIONS: Final = 100
NEGATIVE_TTL: Final = 60
"""Seconds an absent name may be remembered: short, so that a newly published key is seen soon."""


class Zone:
    """One zone in memory.

    Args:
        origin: The apex, without a trailing dot.
        records: For each name (complete, without trailing dot) and record type mnemonic, the values in presentation
            format (RFC 1035 §5.1), such as ``{("example.test", "MX"): ["10 mx.example.test."]}``.
        ttl: Of every record, in seconds.
        host_name: The name server's own name, for SOA and NS.
    """

    def __init__(
        self,
        origin: str,
        records: Mapping[tuple[str, str], Iterable[str]],
        *,
        host_name: str,
        serial: int = 1,
        ttl: int = 60,
    ) -> None:
        self.origin: Final = dns.name.from_text(origin)
        server = dns.name.from_text(host_name).to_text()
        soa = f"{server} hostmaster.{server} {serial} 3600 600 604800 {NEGATIVE_TTL}"
        self.soa: Final = _rrset(self.origin, "SOA", [soa], NEGATIVE_TTL)
        self._sets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self._add(self.soa)
        self._add(_rrset(self.origin, "NS", [server], ttl))
        for (name, kind), values in records.items():
            self._add(_rrset(dns.name.from_text(name), kind, values, ttl))
        self._names = {ancestor for name, _ in self._sets for ancestor in _up_to(name, self.origin)}

    def _add(self, rrset: dns.rrset.RRset) -> None:
        self._sets[rrset.name, rrset.rdtype] = rrset

    def find(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """Return the records of that name and type."""
        return self._sets.get((name, kind))

    def has(self, name: dns.name.Name) -> bool:
        """Whether the name exists, be it only as the parent of one that does (RFC 8020)."""
        return name in self._names


class ZoneSet:
    """The zones one server answers for; replaced as a whole when they change."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._zones = sorted(zones, key=lambda zone: -len(zone.origin))

    def answer(self, wire: bytes, *, max_octets: int) -> bytes | None:
        """Answer one query; None where silence is right (a response, or octets that are no DNS message at all).

        Args:
            max_octets: What the transport carries: 65535 over TCP; over UDP the asker's EDNS buffer also counts.
        """
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return _format_error(wire)
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, our_payload=MAX_UDP_OCTETS)
        self._fill(query, response)
        limit = max_octets if max_octets > MAX_UDP_OCTETS else min(max_octets, max(512, query.payload or 512))
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            return _truncated(query)

    def _fill(self, query: dns.message.Message, response: dns.message.Message) -> None:
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return
        question = query.question[0]
        zone = self._find_zone(question.name)
        if zone is None or question.rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
            return
        response.flags |= dns.flags.AA
        name = question.name
        for _ in range(8):  # CNAMEs inside our own zones are followed, within reason
            found = zone.find(name, question.rdtype)
            if found is not None:
                response.answer.append(_spelled(found, name))
                return
            alias = zone.find(name, dns.rdatatype.CNAME)
            if alias is None:
                break
            response.answer.append(_spelled(alias, name))
            name = alias[0].target
            next_zone = self._find_zone(name)
            if next_zone is None:
                return
            zone = next_zone
        if not zone.has(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(zone.soa)

    def _find_zone(self, name: dns.name.Name) -> Zone | None:
        return next((zone for zone in self._zones if name.is_subdomain(zone.origin)), None)


class AuthoritativeServer:
    """Listens on one address and port, UDP and TCP, and answers from a ZoneSet."""

    def __init__(self, zones: ZoneSet) -> None:
        self.zones = zones
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tcp_connections = 0

    async def start(self, address: str, port: int) -> None:
        """Listen; with port 0 the kernel chooses one, the same for both, found afterwards in ``port``."""
        self._tcp = await asyncio.start_server(self._serve_tcp, address, port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _UDPResponder(self), local_addr=(address, self.port))

    async def stop(self) -> None:
        """Listen no more."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tcp_connections += 1
        try:
            while self._tcp_connections <= TCP_CONNECTIONS:
                async with asyncio.timeout(TCP_IDLE_TIMEOUT):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    answer = self.zones.answer(await reader.readexactly(size), max_octets=65535)
                    if answer is None:
                        break
                    writer.write(len(answer).to_bytes(2, "big") + answer)
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
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _rrset(name: dns.name.Name, kind: str, values: Iterable[str], ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, ttl, dns.rdataclass.IN, dns.rdatatype.from_text(kind), list(values))


def _spelled(rrset: dns.rrset.RRset, name: dns.name.Name) -> dns.rrset.RRset:
    """The same records under the name as the asker spelled it: resolvers that mix case (0x20) compare."""
    return dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))


def _up_to(name: dns.name.Name, origin: dns.name.Name) -> Iterable[dns.name.Name]:
    while name.is_subdomain(origin):
        yield name
        if name == origin:
            return
        name = name.parent()


def _truncated(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query, our_payload=MAX_UDP_OCTETS)
    response.flags |= dns.flags.AA | dns.flags.TC
    return response.to_wire()


def _format_error(wire: bytes) -> bytes | None:
    """FORMERR for a query that has at least a header; silence for anything else."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | (wire[2] & 0x79), dns.rcode.FORMERR]) + bytes(8)
