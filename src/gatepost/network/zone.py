"""A zone of our own, in memory: what the responder answers from, an operator exports and a name server is sent."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Final

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import AAAA, CNAME, MX, NS, SOA, TXT, A

from gatepost.primitives.errors import Misconfigured

NEGATIVE_TTL: Final = 60
"""Seconds an absent name may be remembered: short, so that a newly published key is seen soon."""


_ANY = (SOA, CNAME, MX, TXT, A, AAAA, NS)


class _Records:
    """Sets of records by name and type, and how many of them stand at or below each name."""

    def __init__(self, origin: dns.name.Name) -> None:
        self._origin = origin
        self.sets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self.names: Counter[dns.name.Name] = Counter()

    def copy(self) -> "_Records":
        copied = copy(self)
        copied.sets, copied.names = dict(self.sets), self.names.copy()
        return copied

    def remove(self, places: Iterable[tuple[dns.name.Name, dns.rdatatype.RdataType]]) -> None:
        for place in places:
            if self.sets.pop(place, None) is not None:
                self.names.subtract(_up_to(place[0], self._origin))

    def put(self, rrsets: Sequence[dns.rrset.RRset]) -> None:
        for rrset in rrsets:
            if not rrset.name.is_subdomain(self._origin):
                raise Misconfigured(f"the zone {self._origin} cannot be served: {rrset.name} lies outside it")
            if (rrset.name, rrset.rdtype) not in self.sets:
                self.names.update(_up_to(rrset.name, self._origin))
            self.sets[rrset.name, rrset.rdtype] = rrset
        for rrset in rrsets:
            if rrset.rdtype != CNAME and (rrset.name, CNAME) in self.sets:
                raise Misconfigured(
                    f"the zone {self._origin} cannot be served: {rrset.name} has a CNAME and other records"
                )


class Zone:
    """One zone in memory.

    Args:
        origin: The apex, without a trailing dot.
        records: For each name (complete, without trailing dot) and record type mnemonic, the values in presentation
            format (RFC 1035 §5.1), such as ``{("example.test", "MX"): ["10 mx.example.test."]}``. A CNAME is alone at
            its name.
        name_servers: Their names, for NS; the first is the primary, for SOA.
        serial: Of the SOA: grows with each change, so that secondaries notice (RFC 1912 §2.2).
        ttl: Of every record, in seconds.
        contact: Whom to write about the zone; ``hostmaster`` at the primary unless said.

    Raises:
        Misconfigured: A name or a value cannot be written in the DNS, lies outside the zone, or stands beside a CNAME.
    """

    def __init__(
        self,
        origin: str,
        records: Mapping[tuple[str, str], Iterable[str]],
        *,
        name_servers: Sequence[str],
        serial: int = 1,
        ttl: int = 60,
        contact: str = "",
    ) -> None:
        try:
            self.origin: Final = dns.name.from_text(origin)
            servers = [dns.name.from_text(name).to_text() for name in name_servers]
            mailbox = _mailbox_name(contact) if contact else f"hostmaster.{servers[0]}"
            soa = f"{servers[0]} {mailbox} {serial} 3600 600 604800 {NEGATIVE_TTL}"
            self.records = _Records(self.origin)
            self.records.put([_rrset(self.origin, "SOA", [soa], NEGATIVE_TTL), _rrset(self.origin, "NS", servers, ttl)])
        except dns.exception.DNSException as error:
            raise Misconfigured(f"the zone {origin} cannot be served: {error}") from error
        self._ttl = ttl
        self.records.put(self._read(records))

    def changed(
        self, *, gone: Iterable[tuple[str, str]], records: Mapping[tuple[str, str], Iterable[str]], serial: int
    ) -> "Zone":
        """Return the zone with a new serial, without some sets of records and with others, in this order.

        Costs a copy of two dictionaries, however large the zone, and the reading of what is new.

        Raises:
            Misconfigured: As for a new zone.
        """
        zone = copy(self)
        zone.records = self.records.copy()
        zone.records.remove([(dns.name.from_text(name), dns.rdatatype.from_text(kind)) for name, kind in gone])
        soa = dns.rrset.from_rdata(self.origin, NEGATIVE_TTL, self.soa[0].replace(serial=serial))
        zone.records.put([soa, *self._read(records)])
        return zone

    def _read(self, records: Mapping[tuple[str, str], Iterable[str]]) -> list[dns.rrset.RRset]:
        try:
            return [
                _rrset(dns.name.from_text(name), kind, values, self._ttl) for (name, kind), values in records.items()
            ]
        except dns.exception.DNSException as error:
            raise Misconfigured(f"the zone {self.origin} cannot be served: {error}") from error

    @property
    def soa(self) -> dns.rrset.RRset:
        """The zone's own record."""
        return self.records.sets[self.origin, dns.rdatatype.SOA]

    @property
    def serial(self) -> int:
        """Of the SOA."""
        return int(self.soa[0].serial)

    def find(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """Return the records of that name and type."""
        return self.records.sets.get((name, kind))

    def find_any(self, name: dns.name.Name) -> dns.rrset.RRset | None:
        """Return some records of that name (RFC 8482 §4.1)."""
        return next(filter(None, (self.find(name, kind) for kind in _ANY)), None)

    def has(self, name: dns.name.Name) -> bool:
        """Whether the name exists, be it only as the parent of one that does (RFC 8020)."""
        return self.records.names[name] > 0

    def __iter__(self) -> Iterator[dns.rrset.RRset]:
        """Every set of records, the SOA first."""
        return iter(self.records.sets.values())

    def to_text(self) -> str:
        """Return the zone as a master file (RFC 1035 §5), as any name server loads it."""
        lines = [f"$ORIGIN {self.origin.to_text()}"]
        lines += [rrset.to_text(want_origin=True) for rrset in self]
        return "\n".join(lines) + "\n"


def _rrset(name: dns.name.Name, kind: str, values: Iterable[str], ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, ttl, dns.rdataclass.IN, dns.rdatatype.from_text(kind), list(values))


def _mailbox_name(address: str) -> str:
    r"""``host.master@example.com`` as the SOA spells it: ``host\.master.example.com.`` (RFC 1035 §8)."""
    local_part, _, domain = address.rpartition("@")
    escaped = local_part.replace("\\", "\\\\").replace(".", "\\.")
    return f"{escaped}.{domain}."


def _up_to(name: dns.name.Name, origin: dns.name.Name) -> Iterable[dns.name.Name]:
    while True:
        yield name
        if name == origin:
            return
        name = name.parent()
