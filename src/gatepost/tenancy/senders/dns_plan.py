"""The DNS records a customer must publish, or should, before a domain can send (pure)."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from gatepost.standards.dkim.record import KeyRecord, serialize_key_record
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.standards.spf.record import Mechanism, MechanismName, Qualifier, SPFRecord
from gatepost.tenancy.senders.domain import AuthenticatedDomain

_TTL_SECONDS = 3600
_MAX_STRING_OCTETS = 255
_KEY_TYPES = {SigningAlgorithm.RSA_SHA256: "rsa", SigningAlgorithm.ED25519_SHA256: "ed25519"}


class RecordPurpose(Enum):
    """What a planned record is for."""

    DKIM = "DKIM"
    SPF = "SPF"
    DMARC = "DMARC"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRecord:
    """One TXT record to publish.

    Attributes:
        name: The whole name, without a trailing dot.
        value: As a DNS panel takes it: one text, no quotes.
        is_required: The domain is not verified without it.
        advice: What the customer should know beside the value; "" if nothing.
    """

    purpose: RecordPurpose
    name: str
    value: str
    is_required: bool
    advice: str = ""

    @property
    def zone_line(self) -> str:
        """The record as a zone file has it: strings of at most 255 octets, quoted (RFC 1035 §3.3, §5.1)."""
        strings = [
            self.value[start : start + _MAX_STRING_OCTETS] for start in range(0, len(self.value), _MAX_STRING_OCTETS)
        ]
        quoted = ['"' + string.replace("\\", "\\\\").replace('"', '\\"') + '"' for string in strings]
        return f"{self.name}. {_TTL_SECONDS} IN TXT {' '.join(quoted)}"


def plan_records(
    domain: AuthenticatedDomain, *, sending_networks: Sequence[IPv4Network | IPv6Network], host_name: str
) -> tuple[PlannedRecord, ...]:
    """Return the records for a domain: DKIM, one for each key, then SPF, then DMARC.

    Args:
        domain: With its keys.
        sending_networks: The addresses this relay delivers from; empty if the operator has not said. SPF is required
            only if there are any: without them nothing could be checked.
        host_name: This relay's name; SPF points to it when there are no networks to name.
    """
    return (*_dkim_records(domain), _spf_record(domain, sending_networks, host_name), _dmarc_record(domain))


def _dkim_records(domain: AuthenticatedDomain) -> list[PlannedRecord]:
    return [
        PlannedRecord(
            purpose=RecordPurpose.DKIM,
            name=f"{key.selector}._domainkey.{domain.name}",
            value=serialize_key_record(
                KeyRecord(key_type=_KEY_TYPES[key.algorithm], public_key=b64decode(key.public_key))
            ),
            is_required=True,
        )
        for key in domain.dkim_keys
    ]


def _spf_record(
    domain: AuthenticatedDomain, networks: Sequence[IPv4Network | IPv6Network], host_name: str
) -> PlannedRecord:
    mechanisms = [
        Mechanism(name=MechanismName.IP4 if network.version == 4 else MechanismName.IP6, network=network)
        for network in networks
    ] or [Mechanism(name=MechanismName.A, domain_spec=host_name)]
    terms = " ".join(map(str, mechanisms))
    rest = Mechanism(name=MechanismName.ALL, qualifier=Qualifier.SOFTFAIL)
    return PlannedRecord(
        purpose=RecordPurpose.SPF,
        name=domain.name,
        value=str(SPFRecord(mechanisms=(*mechanisms, rest))),
        is_required=bool(networks),
        advice=(
            "A domain may have only one SPF record. If there is one already, do not add another: "
            f'write "{terms}" into it, in front of its "all".'
        ),
    )


def _dmarc_record(domain: AuthenticatedDomain) -> PlannedRecord:
    return PlannedRecord(
        purpose=RecordPurpose.DMARC,
        name=f"_dmarc.{domain.name}",
        value=f"v=DMARC1; p=none; rua=mailto:postmaster@{domain.name}",
        is_required=False,
        advice=(
            "For a domain that has no DMARC record: it only asks for reports, to the address in rua=. "
            "An existing record stays as it is."
        ),
    )
