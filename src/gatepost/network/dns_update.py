"""Pushes a zone of ours to a name server that the operator has: RFC 2136 updates, signed with TSIG (RFC 8945).

The server is asked for what it has (AXFR), and sent the difference: nothing is sent where nothing changed, and a push
that was cut short is finished by the next one.
"""

from base64 import b64decode
from dataclasses import dataclass
from typing import Final

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone
from dns.rdatatype import CDNSKEY, CDS, DNSKEY, NS, NSEC, NSEC3, NSEC3PARAM, RRSIG, SOA

from gatepost.network.resolver import Nameserver
from gatepost.network.zone import Zone
from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.secret import Secret

TIMEOUT_SECONDS: Final = 10.0
SETS_AT_A_TIME: Final = 200
"""Record sets in one update: some 100 KB, all or nothing at the server."""

_OF_APEX = frozenset({SOA, NS, DNSKEY, NSEC3PARAM})
_OF_DNSSEC = frozenset({RRSIG, NSEC, NSEC3, CDS, CDNSKEY})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateKey:
    """A TSIG key that the operator's server knows: its name, its algorithm (``hmac-sha256``), its secret in base64."""

    name: str
    algorithm: str
    secret: Secret[str]


async def push_zone(zone: Zone, server: Nameserver, update_key: UpdateKey) -> int:
    """Make the server's zone hold what ours holds; return how many record sets had to change.

    The SOA and the NS records at the apex stay the server's, and so does what it signs the zone with.

    Raises:
        Misconfigured: The key is no key, or the server refuses it or the zone; the text says what to do.
        Transient: The server did not answer.
    """
    key = _key(update_key)
    there = await _fetch(zone.origin, server, key)
    wanted = {
        (rrset.name, rrset.rdtype): rrset.to_rdataset()
        for rrset in zone
        if not _is_servers_own(zone.origin, rrset.name, rrset.rdtype)
    }
    changes = [place for place, rdataset in wanted.items() if there.get(place) != rdataset]
    changes += [place for place in there if place not in wanted and not _is_servers_own(zone.origin, *place)]
    for start in range(0, len(changes), SETS_AT_A_TIME):
        update = dns.update.UpdateMessage(zone.origin, keyring=key)
        # What goes, goes first: a CNAME cannot be added beside what is still there.
        for name, kind in changes[start : start + SETS_AT_A_TIME]:
            update.delete(name, kind)
        for place in changes[start : start + SETS_AT_A_TIME]:
            if place in wanted:
                update.add(place[0], wanted[place])
        await _send(update, server)
    return len(changes)


def _is_servers_own(origin: dns.name.Name, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> bool:
    return kind in _OF_DNSSEC or (name == origin and kind in _OF_APEX)


def _key(update_key: UpdateKey) -> dns.tsig.Key:
    try:
        secret = b64decode(update_key.secret.reveal(), validate=True)
        key = dns.tsig.Key(update_key.name, secret, update_key.algorithm)
        dns.tsig.get_context(key)  # type: ignore[no-untyped-call]  # knows which algorithms there are
    except (dns.exception.DNSException, ValueError, NotImplementedError):
        # Not "from": such an error may quote the secret.
        raise Misconfigured(
            f"the key {update_key.name} for DNS updates cannot be used: its secret has to be base64 and its algorithm "
            "one such as hmac-sha256"
        ) from None
    return key


async def _fetch(
    origin: dns.name.Name, server: Nameserver, key: dns.tsig.Key
) -> dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rdataset.Rdataset]:
    held = dns.zone.Zone(origin, relativize=False)
    query, _ = dns.xfr.make_query(held, serial=None, keyring=key)
    try:
        await dns.asyncquery.inbound_xfr(
            server.address, held, query, port=server.port, timeout=TIMEOUT_SECONDS, lifetime=TIMEOUT_SECONDS
        )
    except (dns.xfr.TransferError, dns.tsig.PeerError, dns.tsig.BadSignature) as error:
        raise Misconfigured(
            f"the name server {server.address} refuses to transfer {origin} for the key {_text(key)}: {error}; allow "
            "that key transfers and updates of that zone there"
        ) from error
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise Transient(f"the name server {server.address} did not send {origin}: {_reason(error)}") from error
    return {(name, rdataset.rdtype): rdataset for name, rdataset in held.iterate_rdatasets()}


async def _send(update: dns.update.UpdateMessage, server: Nameserver) -> None:
    try:
        response = await dns.asyncquery.tcp(update, server.address, TIMEOUT_SECONDS, server.port)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise Transient(f"the name server {server.address} did not answer an update: {_reason(error)}") from error
    if response.rcode() != dns.rcode.NOERROR:
        code = dns.rcode.to_text(response.rcode())
        raise Misconfigured(
            f"the name server {server.address} answered an update of {update.zone[0].name} with {code}: its log says "
            "why; the key must be allowed updates of that zone there"
        )


def _text(key: dns.tsig.Key) -> str:
    return key.name.to_text(omit_final_dot=True)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
