"""Names that are not senders' own but stand beside them: for the links in mail, and of sending addresses (PTR)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Protocol

from gatepost.primitives.ids import AccountId
from gatepost.standards.dns.question import AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import Address, Name
from gatepost.tenancy.senders.dns_check import Finding, FindingState
from gatepost.tenancy.senders.dns_plan import PlannedRecord, RecordPurpose, Relay
from gatepost.tenancy.senders.ports import Resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandedLink:
    """A name of a customer's under which links in its mail may stand. Nothing is rewritten by it yet.

    Attributes:
        records_found: Which of its records were right when last looked for, by the plan's ``key``; None if that was
            not noted.
    """

    account_id: AccountId
    domain: str
    subdomain: str
    id: int = 0
    is_default: bool = False
    is_valid: bool = False
    records_found: frozenset[str] | None = None
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseName:
    """The name that a sending address is to have."""

    account_id: AccountId
    ip: str
    domain: str
    subdomain: str
    id: int = 0
    is_valid: bool = False
    checked_at: datetime | None = None


class BrandingStore(Protocol):
    """Links and names of addresses at rest; every call names its account. Durable on return."""

    def add_link(self, link: BrandedLink) -> BrandedLink | None:
        """Store a link; None if the account has it already. The default one is the only one of its account."""
        ...

    def list_links(self, account_id: AccountId) -> Sequence[BrandedLink]:
        """Return the account's links, oldest first."""
        ...

    def put_link(self, link: BrandedLink) -> None:
        """Replace a link by its number; nothing happens if the account has none of that."""
        ...

    def remove_link(self, account_id: AccountId, number: int) -> bool:
        """Forget a link, and that it was lent; return whether there was one."""
        ...

    def lend_link(self, account_id: AccountId, number: int, subuser_id: AccountId) -> bool:
        """Let a subuser use the account's link, in place of the one it had; return whether there are both."""
        ...

    def take_link_back(self, account_id: AccountId, subuser_id: AccountId) -> BrandedLink | None:
        """Take the account's link from the subuser; return which it was."""
        ...

    def find_lent_link(self, account_id: AccountId, subuser_id: AccountId) -> BrandedLink | None:
        """Return the link of the account that the subuser may use."""
        ...

    def add_name(self, name: ReverseName) -> ReverseName | None:
        """Store the name of an address; None if the account has one for it already."""
        ...

    def list_names(self, account_id: AccountId) -> Sequence[ReverseName]:
        """Return the account's names of addresses, oldest first."""
        ...

    def put_name(self, name: ReverseName) -> None:
        """Replace a name by its number; nothing happens if the account has none of that."""
        ...

    def remove_name(self, account_id: AccountId, number: int) -> bool:
        """Forget the name of an address; return whether there was one."""
        ...


def plan_link(link: BrandedLink, owner: int, relay: Relay) -> tuple[PlannedRecord, ...]:
    """Return the aliases to publish; the second proves whose the name is: ``owner`` is the account's number."""
    hosts = {"domain_cname": f"{link.subdomain}.{link.domain}", "owner_cname": f"{owner}.{link.domain}"}
    return tuple(
        [
            PlannedRecord(
                purpose=RecordPurpose.LINK,
                key=key,
                name=host,
                value=relay.host_name,
                is_required=True,
                type=RecordType.CNAME,
            )
            for key, host in hosts.items()
        ]
    )


def plan_reverse_name(name: ReverseName) -> PlannedRecord:
    """Return the address record; the PTR record of the address, which is its network's to publish, leads back to it."""
    is_old = ip_address(name.ip).version == 4
    return PlannedRecord(
        purpose=RecordPurpose.REVERSE,
        key="a_record",
        name=f"o1.{name.subdomain}.{name.domain}",
        value=name.ip,
        is_required=True,
        type=RecordType.A if is_old else RecordType.AAAA,
    )


async def check_reverse_name(name: ReverseName, resolver: Resolver) -> Finding:
    """Ask whether the name leads to the address, and the address to the name."""
    record = plan_reverse_name(name)
    answer = await resolver.resolve(Question(record.name, record.type))
    if answer.status is AnswerStatus.FAILED:
        text = f"the DNS could not be asked now ({answer.detail}); check again later"
        return Finding(record=record, state=FindingState.UNKNOWN, problem=text)
    addresses = [str(each.address) for each in answer.records if isinstance(each, Address)]
    if str(ip_address(name.ip)) not in addresses:
        found = f"it leads to {', '.join(addresses[:3])}" if addresses else "no such host"
        text = f"Failed to resolve A Record at {record.name}: {found}; publish {name.ip} there"
        return Finding(record=record, state=FindingState.WRONG if addresses else FindingState.MISSING, problem=text)
    pointer = await resolver.resolve(Question(ip_address(name.ip).reverse_pointer, RecordType.PTR))
    targets = [each.target for each in pointer.records if isinstance(each, Name)]
    if record.name not in targets:
        found = f"leads to {', '.join(targets[:3])}" if targets else "leads nowhere"
        text = f"the PTR record of {name.ip} {found}; have whoever gave you the address set it to {record.name}"
        return Finding(record=record, state=FindingState.WRONG, problem=text)
    return Finding(record=record, state=FindingState.VALID)
