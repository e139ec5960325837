"""A zone of our own, in memory: what the responder answers from, an operator exports and a name server is sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from gatepost.primitives.errors import Misconfigured

NEGATIVE_TTL: Final = 60
"""Seconds an absent name may be remembered: short, so that a newly published key is seen soon."""


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
            self.soa: Final = _rrset(self.origin, "SOA", [soa], NEGATIVE_TTL)
            self._sets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
            self._add(self.soa)
            self._add(_rrset(self.origin, "NS", servers, ttl))
            for (name, kind), values in records.items():
                self._add(_rrset(dns.name.from_text(name), kind, values, ttl))
        except dns.exception.DNSException as error:
            raise Misconfigured(f"the zone {origin} cannot be served: {error}") from error
        self._check()
        self._names = {ancestor for name, _ in self._sets for ancestor in _up_to(name, self.origin)}

    def _add(self, rrset: dns.rrset.RRset) -> None:
        self._sets[rrset.name, rrset.rdtype] = rrset

    def _check(self) -> None:
        for name, kind in self._sets:
            if not name.is_subdomain(self.origin):
                raise Misconfigured(f"the zone {self.origin} cannot be served: {name} lies outside it")
            if kind != dns.rdatatype.CNAME and (name, dns.rdatatype.CNAME) in self._sets:
                raise Misconfigured(f"the zone {self.origin} cannot be served: {name} has a CNAME and other records")

    def find(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """Return the records of that name and type."""
        return self._sets.get((name, kind))

    def find_any(self, name: dns.name.Name) -> dns.rrset.RRset | None:
        """Return some records of that name (RFC 8482 §4.1)."""
        return next((rrset for (owner, _), rrset in self._sets.items() if owner == name), None)

    def has(self, name: dns.name.Name) -> bool:
        """Whether the name exists, be it only as the parent of one that does (RFC 8020)."""
        return name in self._names

    def __iter__(self) -> Iterator[dns.rrset.RRset]:
        """Every set of records, the SOA first."""
        return iter(self._sets.values())

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
