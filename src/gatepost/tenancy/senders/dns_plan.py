"""The DNS records a customer must publish, or should, before a domain can send (pure)."""

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from gatepost.standards.dkim.record import KeyRecord, serialize_key_record
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.standards.dns.question import RecordType
from gatepost.standards.spf.record import Mechanism, MechanismName, Qualifier, SPFRecord
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, KeyState

MX_PREFERENCE: Final = 10
_TTL_SECONDS = 3600
_MAX_STRING_OCTETS = 255
_KEY_TYPES = {SigningAlgorithm.RSA_SHA256: "rsa", SigningAlgorithm.ED25519_SHA256: "ed25519"}


class RecordPurpose(Enum):
    """What a planned record is for."""

    DKIM = "DKIM"
    SPF = "SPF"
    DMARC = "DMARC"
    #: Where bounces go.
    RETURN_PATH = "return path"
    LINK = "link"
    #: The name of a sending address.
    REVERSE = "reverse DNS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """What customers' records lead to: this relay.

    Attributes:
        host_name: Its name; mail for return paths goes there.
        sending_networks: The addresses that it delivers from; empty if the operator has not said.
        zone: The zone of its own in which it answers for customers with automatic security; "" if it has none.
    """

    host_name: str
    sending_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRecord:
    """One record to publish.

    Attributes:
        key: What the dialect calls it: ``mail_cname``, ``dkim1`` …
        type: CNAME, MX or TXT.
        name: The whole name, without a trailing dot.
        value: As a DNS panel takes it: one text, no quotes; for MX the host alone; names without a trailing dot.
        is_required: The domain is not verified without it.
        advice: What the customer should know beside the value; "" if nothing.
    """

    purpose: RecordPurpose
    key: str
    name: str
    value: str
    is_required: bool
    type: RecordType = RecordType.TXT
    advice: str = ""

    @property
    def zone_line(self) -> str:
        """The record as a zone file has it (RFC 1035 §3.3, §5.1)."""
        return f"{self.name}. {_TTL_SECONDS} IN {self.type.value} {self.rdata}"

    @property
    def rdata(self) -> str:
        """The value as a zone file has it."""
        match self.type:
            case RecordType.CNAME:
                return f"{self.value}."
            case RecordType.MX:
                return f"{MX_PREFERENCE} {self.value}."
            case _:
                return quote_text(self.value)


def quote_text(text: str) -> str:
    """Write the text of a TXT record as a zone file has it: strings of at most 255 octets, quoted."""
    strings = [text[start : start + _MAX_STRING_OCTETS] for start in range(0, len(text), _MAX_STRING_OCTETS)]
    return " ".join('"' + string.replace("\\", "\\\\").replace('"', '\\"') + '"' for string in strings)


def plan_records(domain: AuthenticatedDomain, relay: Relay) -> tuple[PlannedRecord, ...]:
    """Return the records that a customer has to publish for a claim.

    With automatic security: three CNAMEs into our zone, for the return path and the two selectors. With manual
    security: DKIM, one for each key that is or will be in use; then, if the claim has a return path, its MX and its
    SPF; else SPF at the domain itself. In the end DMARC, which is only recommended.

    SPF is required only if the sending networks are known: without them nothing could be checked.
    """
    if domain.is_automatic:
        return (*_cnames(domain, relay), _dmarc_record(domain))
    if domain.return_path:
        name = f"{domain.return_path}.{domain.name}"
        exchanger = PlannedRecord(
            purpose=RecordPurpose.RETURN_PATH,
            key="mail_server",
            name=name,
            value=relay.host_name,
            is_required=True,
            type=RecordType.MX,
        )
        spf = _spf_record(name, "subdomain_spf", _spf_of(domain, relay), relay)
        return (exchanger, spf, *_dkim_records(domain), _dmarc_record(domain))
    return (
        *_dkim_records(domain),
        _spf_record(domain.name, "spf", _spf_of(domain, relay), relay),
        _dmarc_record(domain),
    )


def own_name(domain: AuthenticatedDomain, relay: Relay) -> str:
    """Return the name in our own zone under which an automatic claim's records stand."""
    return f"{domain.label}.{relay.zone}"


def own_key_name(domain: AuthenticatedDomain, selector: str, relay: Relay) -> str:
    """Return the name in our own zone of the key of a selector."""
    return f"{selector}.domainkey.{own_name(domain, relay)}"


def plan_own_zone(claims: Iterable[AuthenticatedDomain], relay: Relay) -> dict[tuple[str, str], list[str]]:
    """Return what our own zone holds for claims with automatic security, by name and type, in presentation format."""
    records: dict[tuple[str, str], list[str]] = {}
    for claim in claims:
        place = own_name(claim, relay)
        records[place, "MX"] = [f"{MX_PREFERENCE} {relay.host_name}."]
        records[place, "TXT"] = [quote_text(str(_spf_of(claim, relay, rest=Qualifier.FAIL)))]
        for key in claim.dkim_keys:
            records[own_key_name(claim, key.selector, relay), "TXT"] = [quote_text(_key_text(key))]
    return records


def _cnames(domain: AuthenticatedDomain, relay: Relay) -> list[PlannedRecord]:
    selectors = sorted(key.selector for key in domain.dkim_keys)
    return_path = PlannedRecord(
        purpose=RecordPurpose.RETURN_PATH,
        key="mail_cname",
        name=f"{domain.return_path}.{domain.name}",
        value=own_name(domain, relay),
        is_required=True,
        type=RecordType.CNAME,
    )
    return [
        return_path,
        *(
            PlannedRecord(
                purpose=RecordPurpose.DKIM,
                key=f"dkim{number}",
                name=f"{selector}._domainkey.{domain.name}",
                value=own_key_name(domain, selector, relay),
                is_required=True,
                type=RecordType.CNAME,
            )
            for number, selector in enumerate(selectors, start=1)
        ),
    ]


def _dkim_records(domain: AuthenticatedDomain) -> list[PlannedRecord]:
    shown = [key for key in domain.dkim_keys if key.state is not KeyState.EMPTIED]
    return [
        plan_key_record(domain, key, "dkim" if number == 1 else f"dkim{number}")
        for number, key in enumerate(shown, start=1)
    ]


def plan_key_record(domain: AuthenticatedDomain, key: DKIMKey, called: str = "dkim") -> PlannedRecord:
    """Return the record that has to be found for a key, there or behind an alias."""
    return PlannedRecord(
        purpose=RecordPurpose.DKIM,
        key=called,
        name=f"{key.selector}._domainkey.{domain.name}",
        value=_key_text(key),
        # A key that is not in use yet, or no more, does not decide about the domain.
        is_required=key.state is KeyState.ACTIVE,
    )


def _key_text(key: DKIMKey) -> str:
    return serialize_key_record(KeyRecord(key_type=_KEY_TYPES[key.algorithm], public_key=b64decode(key.public_key)))


def _spf_of(domain: AuthenticatedDomain, relay: Relay, *, rest: Qualifier = Qualifier.SOFTFAIL) -> SPFRecord:
    named = [ip_network(address) for address in domain.addresses] if domain.custom_spf else []
    mechanisms = [
        Mechanism(name=MechanismName.IP4 if network.version == 4 else MechanismName.IP6, network=network)
        for network in named or relay.sending_networks
    ] or [Mechanism(name=MechanismName.A, domain_spec=relay.host_name)]
    return SPFRecord(mechanisms=(*mechanisms, Mechanism(name=MechanismName.ALL, qualifier=rest)))


def _spf_record(name: str, key: str, record: SPFRecord, relay: Relay) -> PlannedRecord:
    terms = " ".join(map(str, record.mechanisms[:-1]))
    return PlannedRecord(
        purpose=RecordPurpose.SPF,
        key=key,
        name=name,
        value=str(record),
        is_required=bool(relay.sending_networks),
        advice=(
            "A domain may have only one SPF record. If there is one already, do not add another: "
            f'write "{terms}" into it, in front of its "all".'
        ),
    )


def _dmarc_record(domain: AuthenticatedDomain) -> PlannedRecord:
    return PlannedRecord(
        purpose=RecordPurpose.DMARC,
        key="dmarc",
        name=f"_dmarc.{domain.name}",
        value=f"v=DMARC1; p=none; rua=mailto:postmaster@{domain.name}",
        is_required=False,
        advice=(
            "For a domain that has no DMARC record: it only asks for reports, to the address in rua=. "
            "An existing record stays as it is."
        ),
    )
