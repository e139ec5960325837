"""The author rule: in whose name an account may send.

An address belongs to whoever has verified the nearest name at or above its domain. The walk goes up from the domain
itself and ends at the organisational domain; the *first* name that anybody has verified decides:

- ``news.example.com`` may be used by the account that verified ``example.com``,
- unless another account has verified ``news.example.com``: then only that one may, and the owner of the parent not,
- a subuser may use its own domains and those that its parent has assigned to it, nothing else of the parent's,
- and nothing is inherited from a public suffix, so whoever should ever verify ``co.uk`` owns no domain below it.

Where no name decides, an account may use the addresses that it has proved one by one (``single_sender``), each exactly
as it was proved. Where a name decides, its holder alone does: an address in it that another account can read mail of
is not that account's to write as.

The rule holds for the author, the Sender and Resent fields, and the reverse-path. A key may be restricted further.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gatepost.primitives.decision import Allow, Deny
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox
from gatepost.standards.dns.names import ancestors
from gatepost.tenancy.senders.domain import AuthenticatedDomain
from gatepost.tenancy.senders.ports import SingleSenderSource, VerifiedDomainSource
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

MAX_WALK: Final = 10
"""A name further than this below its organisational domain is nobody's but its own: each step asks the store, and
a client chooses the name."""


class AlignmentDenial(Enum):
    """Why an address may not be used. Peers are not told whether a domain is another's or nobody's."""

    #: An address literal is nobody's.
    ADDRESS_LITERAL = "address literal"
    #: No name at or above its domain is verified by anybody, and the account has not proved that address.
    DOMAIN_NOT_VERIFIED = "domain not verified"
    #: The nearest verified name is another account's, and not assigned to this one.
    DOMAIN_OF_ANOTHER = "domain of another account"
    #: The account could use it, the key is restricted to others.
    AUTHOR_NOT_ALLOWED = "author not allowed"


class AlignmentRule(Enum):
    """What lets an account use an address."""

    VERIFIED_DOMAIN = "verified domain"
    PARENT_DOMAIN = "verified domain above it"
    #: By the account's parent.
    ASSIGNED_DOMAIN = "assigned domain"
    SINGLE_SENDER = "verified single sender"
    NULL_REVERSE_PATH = "null reverse-path"


@dataclass(frozen=True, slots=True)
class AllowedBy(Allow):
    """Yes, and why.

    Attributes:
        rule: What lets the account use it.
        name: The verified domain or address that does; "" if none is needed.
    """

    rule: AlignmentRule
    name: str = ""


class NoSingleSenders:
    """Implements SingleSenderSource where nobody has proved an address."""

    def is_verified(self, account_id: AccountId, address: str) -> bool:  # noqa: ARG002 - the port's
        """Say no."""
        return False


class VerifiedDomains:
    """Says which verified domain speaks for a name, and which single addresses an account has proved."""

    def __init__(
        self,
        source: VerifiedDomainSource,
        suffixes: PublicSuffixes,
        single_senders: SingleSenderSource | None = None,
    ) -> None:
        self._source = source
        self._suffixes = suffixes
        self._single_senders: Final = single_senders or NoSingleSenders()

    def has_proved(self, account_id: AccountId, mailbox: Mailbox) -> bool:
        """Say whether the account has proved exactly that address."""
        return self._single_senders.is_verified(account_id, str(mailbox))

    def find_deciding(self, name: str) -> AuthenticatedDomain | None:
        """Return the first verified claim at or above a normalised name, whoever holds it.

        Mail of such an author is signed under it (``find_signer``).
        """
        exact = self._source.find_verified(name)
        if exact is not None:
            return exact
        for ancestor in self._plan_walk(name):
            claim = self._source.find_verified(ancestor)
            if claim is not None:
                return claim
        return None

    def find_signer(self, account_id: AccountId, name: str, own_domain: str | None) -> AuthenticatedDomain | None:
        """Return the verified claim whose keys sign mail of that account with an author in that domain.

        The claim that lets the account use the author signs. Where no domain decides, the author is a single sender:
        then the account's default domain signs, else its parent's if that is assigned to it, else the operator's own
        if he has named one; none of them makes DMARC pass. Where another account's decides, nobody signs.
        """
        claim = self.find_deciding(name)
        if claim is not None:
            return claim if claim.may_be_used_by(account_id) else None
        default = self._source.find_default(account_id)
        if default is not None:
            return default
        return None if own_domain is None else self.find_deciding(own_domain)

    def _plan_walk(self, name: str) -> list[str]:
        """Return the names above that may speak for this one, nearest first: none above the organisational domain."""
        organizational = self._suffixes.find_organizational_domain(name)
        if organizational is None:
            return []
        walk = [ancestor for ancestor in ancestors(name) if len(ancestor) >= len(organizational)]
        return walk if len(walk) <= MAX_WALK else []


def judge(
    account_id: AccountId, mailbox: Mailbox, *, claim: AuthenticatedDomain | None, has_proved: bool
) -> AllowedBy | Deny:
    """Decide whether an account may use an address. Pure; the whole rule but for a key's restriction.

    Args:
        account_id: Who wants to.
        mailbox: The address.
        claim: The verified one that decides for the address's domain (``VerifiedDomains.find_deciding``).
        has_proved: Whether the account has proved exactly that address; it counts only where no claim decides.
    """
    if mailbox.is_address_literal:
        return Deny(AlignmentDenial.ADDRESS_LITERAL, str(mailbox))
    if claim is None:
        if has_proved:
            return AllowedBy(AlignmentRule.SINGLE_SENDER, str(mailbox))
        return Deny(AlignmentDenial.DOMAIN_NOT_VERIFIED, str(mailbox))
    if not claim.may_be_used_by(account_id):
        return Deny(AlignmentDenial.DOMAIN_OF_ANOTHER, str(mailbox))
    if claim.account_id != account_id:
        return AllowedBy(AlignmentRule.ASSIGNED_DOMAIN, claim.name)
    is_exact = claim.name == mailbox.domain
    return AllowedBy(AlignmentRule.VERIFIED_DOMAIN if is_exact else AlignmentRule.PARENT_DOMAIN, claim.name)


def decide_author(
    account_id: AccountId, mailbox: Mailbox, *, allowed_authors: Collection[str], domains: VerifiedDomains
) -> AllowedBy | Deny:
    """Decide whether an account, by a key with these restrictions, may show this author, Sender or Resent address.

    Args:
        account_id: Who sends.
        mailbox: The address of the field.
        allowed_authors: The key's restriction (``Principal.allowed_authors``). An entry with ``@`` means exactly
            that address, its local part to the letter; one without means exactly that domain, nothing below it.
            Empty means no restriction.
        domains: What is verified.
    """
    decision = _look_up_and_judge(account_id, mailbox, domains)
    if decision and allowed_authors and not any(_covers(entry, mailbox) for entry in allowed_authors):
        return Deny(AlignmentDenial.AUTHOR_NOT_ALLOWED, str(mailbox))
    return decision


def decide_reverse_path(
    account_id: AccountId, reverse_path: Mailbox | None, *, domains: VerifiedDomains
) -> AllowedBy | Deny:
    """Decide whether an account may have bounces go to this address.

    The null reverse-path (None) has no owner and is allowed: an on-premises MTA that relays through us sends its
    delivery status notifications with it (RFC 5321 §4.5.5), and the author rule holds for those as for all mail.
    A single sender's address may be the reverse-path too: its bounces go to whoever has proved to read it.
    A key's restriction to authors is not asked: readers do not see a reverse-path, and one that encodes the
    recipient is another address for each message.
    """
    if reverse_path is None:
        return AllowedBy(AlignmentRule.NULL_REVERSE_PATH)
    return _look_up_and_judge(account_id, reverse_path, domains)


def _look_up_and_judge(account_id: AccountId, mailbox: Mailbox, domains: VerifiedDomains) -> AllowedBy | Deny:
    is_name = not mailbox.is_address_literal
    claim = domains.find_deciding(mailbox.domain) if is_name else None
    has_proved = is_name and claim is None and domains.has_proved(account_id, mailbox)
    return judge(account_id, mailbox, claim=claim, has_proved=has_proved)


def _covers(entry: str, mailbox: Mailbox) -> bool:
    local_part, at, domain = entry.rpartition("@")
    return domain.lower() == mailbox.domain and (not at or local_part == mailbox.local_part)
