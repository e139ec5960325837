"""What ``/v3/whitelabel`` takes and gives: claims, links and reverse names as the dialect shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.v3.subuser_bodies import number_of
from gatepost.standards.dns.question import RecordType
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.advice import Advice
from gatepost.tenancy.senders.branding import BrandedLink, ReverseName, plan_link, plan_reverse_name
from gatepost.tenancy.senders.dns_check import Finding, FindingState
from gatepost.tenancy.senders.dns_plan import PlannedRecord, RecordPurpose, Relay, plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState

_MX_PREFERENCE = 10


class DomainToAuthenticate(Struct, frozen=True, kw_only=True):
    """A domain that an account is to send as."""

    domain: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET
    subdomain: Annotated[str | UnsetType, Meta(description="Where bounces go; left out: em and four digits.")] = UNSET
    username: Annotated[str | UnsetType, Meta(description="The subuser that it is to belong to.")] = UNSET
    ips: Annotated[tuple[str, ...] | UnsetType, Meta(description="Addresses for an SPF record of its own.")] = UNSET
    custom_spf: Annotated[bool | UnsetType, Meta(description="Whether SPF names those addresses alone.")] = UNSET
    default: Annotated[bool | UnsetType, Meta(description="Whether it signs where no other domain matches.")] = UNSET
    automatic_security: Annotated[
        bool | UnsetType,
        Meta(description="CNAMEs into this service's zone, where keys are rotated; left out: if it has one."),
    ] = UNSET
    custom_dkim_selector: Annotated[str | UnsetType, Meta(description="Three letters or digits.")] = UNSET
    region: Annotated[str | UnsetType, Meta(description='"global": there is no other.')] = UNSET


class DomainChange(Struct, frozen=True, kw_only=True):
    """What may be changed of a claim."""

    default: bool | UnsetType = UNSET
    custom_spf: bool | UnsetType = UNSET


class AddressToAdd(Struct, frozen=True, kw_only=True):
    """An address for the SPF record."""

    ip: str | UnsetType = UNSET


class SubuserNamed(Struct, frozen=True, kw_only=True):
    """A subuser, by its name."""

    username: str | UnsetType = UNSET


class LinkToBrand(Struct, frozen=True, kw_only=True):
    """A name for the links in mail."""

    domain: str | UnsetType = UNSET
    subdomain: str | UnsetType = UNSET
    default: bool | UnsetType = UNSET
    region: str | UnsetType = UNSET


class LinkChange(Struct, frozen=True, kw_only=True):
    """What may be changed of a link."""

    default: bool | UnsetType = UNSET


class ReverseNameToSet(Struct, frozen=True, kw_only=True):
    """A name that a sending address is to have."""

    ip: str | UnsetType = UNSET
    domain: str | UnsetType = UNSET
    subdomain: str | UnsetType = UNSET


class RecordShown(Struct, frozen=True, kw_only=True):
    """A record to publish."""

    valid: bool
    type: str
    host: str
    data: str


class SubuserOfDomain(Struct, frozen=True, kw_only=True):
    """A subuser that may send as the domain."""

    user_id: int
    username: str


class DomainShown(Struct, frozen=True, kw_only=True):
    """A claim to a domain, with the records to publish."""

    id: int
    user_id: int
    subdomain: str
    domain: str
    username: str
    ips: tuple[str, ...]
    custom_spf: bool
    default: bool
    legacy: bool
    automatic_security: bool
    valid: bool
    dns: dict[str, RecordShown]
    subusers: tuple[SubuserOfDomain, ...] | UnsetType = UNSET
    last_validation_attempt_at: int | UnsetType = UNSET


class RecordResult(Struct, frozen=True, kw_only=True):
    """What was found of a record; the reason says what to do."""

    valid: bool
    reason: str | None


class Validation(Struct, frozen=True, kw_only=True):
    """What was found of all records."""

    id: int
    valid: bool
    validation_results: dict[str, RecordResult]


class LinkShown(Struct, frozen=True, kw_only=True):
    """A name for links, with the records to publish."""

    id: int
    user_id: int
    domain: str
    subdomain: str
    username: str
    default: bool
    legacy: bool
    valid: bool
    dns: dict[str, RecordShown]


class ReverseNameShown(Struct, frozen=True, kw_only=True):
    """The name of a sending address, with the record to publish."""

    id: int
    ip: str
    rdns: str
    users: tuple[SubuserOfDomain, ...]
    subdomain: str
    domain: str
    valid: bool
    legacy: bool
    a_record: RecordShown
    last_validation_attempt_at: int | UnsetType = UNSET


class AdviceShown(Struct, frozen=True, kw_only=True):
    """One thing that is to be said of a domain's mail."""

    severity: str
    subject: str
    text: str
    mend: str


class Posture(Struct, frozen=True, kw_only=True):
    """What there is to say, worst first."""

    domain: str
    advice: tuple[AdviceShown, ...]


def show_domain(
    claim: AuthenticatedDomain, holder: Account, relay: Relay, subusers: Sequence[Account] = ()
) -> DomainShown:
    """Return a claim as the dialect shows it."""
    return DomainShown(
        id=claim.id,
        user_id=number_of(holder.id),
        subdomain=claim.return_path,
        domain=claim.name,
        username=holder.name,
        ips=claim.addresses,
        custom_spf=claim.custom_spf,
        default=claim.is_default,
        legacy=False,
        automatic_security=claim.is_automatic,
        valid=is_valid(claim),
        dns={
            record.key: _show_record(record, valid=_is_found(record, claim.records_found, otherwise=is_valid(claim)))
            for record in plan_records(claim, relay)
            if record.purpose is not RecordPurpose.DMARC
        },
        subusers=tuple(
            [
                SubuserOfDomain(user_id=number_of(each.id), username=each.name)
                for each in subusers
                if each.id in claim.assigned_to
            ]
        ),
        last_validation_attempt_at=_seconds(claim.checked_at),
    )


def is_valid(claim: AuthenticatedDomain) -> bool:
    """Say whether the account may send as the domain, and its records were there when last looked for."""
    return claim.state is DomainState.VERIFIED and claim.failing_since is None


def show_validation(number: int, findings: Sequence[Finding], *, valid: bool) -> Validation:
    """Return findings as the dialect shows them."""
    return Validation(
        id=number,
        valid=valid,
        validation_results={
            finding.record.key: RecordResult(valid=finding.state is FindingState.VALID, reason=_reason(finding))
            for finding in findings
            if finding.record.purpose is not RecordPurpose.DMARC
        },
    )


def show_link(link: BrandedLink, holder: Account, relay: Relay) -> LinkShown:
    """Return a link as the dialect shows it."""
    return LinkShown(
        id=link.id,
        user_id=number_of(holder.id),
        domain=link.domain,
        subdomain=link.subdomain,
        username=holder.name,
        default=link.is_default,
        legacy=False,
        valid=link.is_valid,
        dns={
            each.key: _show_record(each, valid=_is_found(each, link.records_found, otherwise=link.is_valid))
            for each in plan_link(link, number_of(holder.id), relay)
        },
    )


def show_reverse_name(name: ReverseName) -> ReverseNameShown:
    """Return the name of an address as the dialect shows it."""
    record = plan_reverse_name(name)
    return ReverseNameShown(
        id=name.id,
        ip=name.ip,
        rdns=record.name,
        users=(),
        subdomain=name.subdomain,
        domain=name.domain,
        valid=name.is_valid,
        legacy=False,
        a_record=_show_record(record, valid=name.is_valid),
        last_validation_attempt_at=_seconds(name.checked_at),
    )


def show_posture(name: str, advices: Sequence[Advice]) -> Posture:
    """Return the doctor's advice."""
    return Posture(
        domain=name,
        advice=tuple(
            [
                AdviceShown(severity=each.severity.name.lower(), subject=each.subject, text=each.text, mend=each.mend)
                for each in advices
            ]
        ),
    )


def _show_record(record: PlannedRecord, *, valid: bool) -> RecordShown:
    return RecordShown(valid=valid, type=record.type.value.lower(), host=record.name, data=record.value)


def _is_found(record: PlannedRecord, found: frozenset[str] | None, *, otherwise: bool) -> bool:
    """Whether the record was right when last looked for; as all of them were, where that was not noted for each."""
    return otherwise if found is None else record.key in found


def _reason(finding: Finding) -> str | None:
    """Say what was expected, in the dialect's words, and what is wrong, in ours."""
    if finding.state is FindingState.VALID:
        return None
    record = finding.record
    match record.type:
        case RecordType.CNAME:
            expected = f'Expected CNAME for "{record.name}" to match "{record.value}".'
        case RecordType.MX:
            expected = f'Expected your MX record to be "{record.value}".'
        case RecordType.TXT:
            expected = f'Expected TXT record at "{record.name}" to match "{record.value}".'
        case _:
            expected = f'Expected A record of "{record.name}" to be "{record.value}".'
    return f"{expected} {finding.problem[:1].upper()}{finding.problem[1:]}"


def _seconds(at: datetime | None) -> int | UnsetType:
    return UNSET if at is None else int(at.timestamp())
