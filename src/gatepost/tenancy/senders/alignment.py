"""The author rule: in whose name an account may send.

An address belongs to whoever has verified the nearest name at or above its domain. The walk goes up from the domain
itself and ends at the organisational domain; the *first* name that anybody has verified decides:

- ``news.example.com`` may be used by the account that verified ``example.com``,
- unless another account has verified ``news.example.com``: then only that one may, and the owner of the parent not,
- a subuser may use its own domains and those that its parent has assigned to it, nothing else of the parent's,
- and nothing is inherited from a public suffix, so whoever should ever verify ``co.uk`` owns no domain below it.

The rule holds for the author, the Sender and Resent fields, and the reverse-path. A key may be restricted further.
"""

from collections.abc import Collection
from enum import Enum
from typing import Final

from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox
from gatepost.standards.dns.names import ancestors
from gatepost.tenancy.senders.domain import AuthenticatedDomain
from gatepost.tenancy.senders.ports import VerifiedDomainSource
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

MAX_WALK: Final = 10
"""A name further than this below its organisational domain is nobody's but its own: each step asks the store, and
a client chooses the name."""


class AlignmentDenial(Enum):
    """Why an address may not be used."""

    #: No name at or above its domain is verified, or the nearest one by another account.
    DOMAIN_NOT_VERIFIED = "domain not verified"
    #: The account could use it, the key is restricted to others.
    AUTHOR_NOT_ALLOWED = "author not allowed"


class VerifiedDomains:
    """Says which verified domain speaks for a name."""

    def __init__(self, source: VerifiedDomainSource, suffixes: PublicSuffixes) -> None:
        self._source = source
        self._suffixes = suffixes

    def find_deciding(self, name: str) -> AuthenticatedDomain | None:
        """Return the first verified claim at or above a normalised name, whoever holds it.

        It is also the domain under which mail of such an author is signed.
        """
        exact = self._source.find_verified(name)
        if exact is not None:
            return exact
        for ancestor in self._plan_walk(name):
            claim = self._source.find_verified(ancestor)
            if claim is not None:
                return claim
        return None

    def _plan_walk(self, name: str) -> list[str]:
        """Return the names above that may speak for this one, nearest first: none above the organisational domain."""
        organizational = self._suffixes.find_organizational_domain(name)
        if organizational is None:
            return []
        walk = [ancestor for ancestor in ancestors(name) if len(ancestor) >= len(organizational)]
        return walk if len(walk) <= MAX_WALK else []


def decide_author(
    account_id: AccountId, mailbox: Mailbox, *, allowed_authors: Collection[str], domains: VerifiedDomains
) -> Decision:
    """Decide whether an account, by a key with these restrictions, may show this author, Sender or Resent address.

    Args:
        account_id: Who sends.
        mailbox: The address of the field.
        allowed_authors: The key's restriction (``Principal.allowed_authors``). An entry with ``@`` means exactly
            that address, its local part to the letter; one without means exactly that domain, nothing below it.
            Empty means no restriction.
        domains: What is verified.
    """
    if not _is_owned(account_id, mailbox, domains):
        return Deny(AlignmentDenial.DOMAIN_NOT_VERIFIED, str(mailbox))
    if allowed_authors and not any(_covers(entry, mailbox) for entry in allowed_authors):
        return Deny(AlignmentDenial.AUTHOR_NOT_ALLOWED, str(mailbox))
    return ALLOW


def decide_reverse_path(account_id: AccountId, reverse_path: Mailbox | None, *, domains: VerifiedDomains) -> Decision:
    """Decide whether an account may have bounces go to this address.

    The null reverse-path (None) has no owner and is allowed: an on-premises MTA that relays through us sends its
    delivery status notifications with it (RFC 5321 §4.5.5), and the author rule holds for those as for all mail.
    A key's restriction to authors is not asked: readers do not see a reverse-path, and one that encodes the
    recipient is another address for each message.
    """
    if reverse_path is None or _is_owned(account_id, reverse_path, domains):
        return ALLOW
    return Deny(AlignmentDenial.DOMAIN_NOT_VERIFIED, str(reverse_path))


def _is_owned(account_id: AccountId, mailbox: Mailbox, domains: VerifiedDomains) -> bool:
    if mailbox.is_address_literal:
        return False
    claim = domains.find_deciding(mailbox.domain)
    return claim is not None and claim.may_be_used_by(account_id)


def _covers(entry: str, mailbox: Mailbox) -> bool:
    local_part, at, domain = entry.rpartition("@")
    return domain.lower() == mailbox.domain and (not at or local_part == mailbox.local_part)
