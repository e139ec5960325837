"""What would let an account use an address that the author rule refuses it: for the operator who asks why."""

from dataclasses import dataclass
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.standards.address import Mailbox
from gatepost.standards.dns.names import ancestors
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.ports import AccountStore
from gatepost.tenancy.senders.alignment import AlignmentDenial, VerifiedDomains
from gatepost.tenancy.senders.domain import AuthenticatedDomain
from gatepost.tenancy.senders.ports import DomainStore, ReviewStore, SingleSenderStore
from gatepost.tenancy.senders.review import ReviewState
from gatepost.tenancy.senders.single_sender import MAX_SENDERS, SenderId

_MAX_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderAdvice:
    """Looks at what the account has begun and not finished, and at who else has the name. It tells of other accounts:
    never show it to one of them."""

    accounts: AccountStore
    domains: DomainStore
    senders: SingleSenderStore
    reviews: ReviewStore
    verified: VerifiedDomains

    def advise(self, principal: Principal, mailbox: Mailbox, denial: Deny) -> str:
        """Say what to do about a refusal, as a sentence without its full stop; "" for one that is not the rule's."""
        if mailbox.is_address_literal:
            return "write an address in a domain: an address literal is nobody's"
        # The key's restriction is judged last: where it answers, the account may use the address.
        if principal.allowed_authors and self._is_restricted(denial):
            shown = ", ".join(principal.allowed_authors[:_MAX_SHOWN])
            more = " and others" if len(principal.allowed_authors) > _MAX_SHOWN else ""
            return f"this key is limited to {shown}{more}: write one of those, or use another key"
        holder = self.accounts.find(principal.account_id)
        if holder is None:
            return ""
        deciding = self.verified.find_deciding(mailbox.domain)
        if deciding is not None:
            return self._advise_on_anothers(holder, deciding)
        return self._advise_on_nobodys(holder, mailbox)

    def _is_restricted(self, denial: Deny) -> bool:
        return denial.reason.name == AlignmentDenial.AUTHOR_NOT_ALLOWED.name

    def _advise_on_anothers(self, holder: Account, deciding: AuthenticatedDomain) -> str:
        owner = self.accounts.find(deciding.account_id)
        name = owner.name if owner is not None else deciding.account_id
        if holder.parent_id == deciding.account_id:
            return (
                f"its parent {name} has verified {deciding.name} and not lent it: POST "
                f'/v3/whitelabel/domains/{deciding.id}/subuser {{"username": "{holder.name}"}} as {name}'
            )
        return (
            f"account {name} has verified {deciding.name}: write another From, or have {name} remove it there first. A "
            "single sender does not help against a verified domain"
        )

    def _advise_on_nobodys(self, holder: Account, mailbox: Mailbox) -> str:
        for name in (mailbox.domain, *ancestors(mailbox.domain)):
            claim = self.domains.find(holder.id, name)
            if claim is not None:
                return self._advise_on_pending(holder, claim)
        senders = self.senders.list_after(holder.id, SenderId(0), MAX_SENDERS)
        if any(each.email == str(mailbox) for each in senders):
            return (
                f"{mailbox} is a single sender that is not proved: give the token of its letter back (GET "
                "/v3/verified_senders/verify/TOKEN), or ask for another (POST /v3/verified_senders/resend/ID)"
            )
        return (
            f"`gatepost domain add --account {holder.name} {mailbox.domain}`, publish the records, then `gatepost "
            "domain verify`; or prove that one address: POST /v3/verified_senders"
        )

    def _advise_on_pending(self, holder: Account, claim: AuthenticatedDomain) -> str:
        named = f"--account {holder.name} {claim.name}"
        review = self.reviews.find(claim.account_id, claim.name)
        if review is not None and review.state is ReviewState.HELD:
            return (
                f"{claim.name} is held, as it looks like {review.looks_like}: look at it, then `gatepost domain "
                f"approve {named}` and `gatepost domain verify {named}`, or `gatepost domain reject {named}`"
            )
        if review is not None and review.state is ReviewState.REJECTED:
            return (
                f"{claim.name} was rejected, as it looks like {review.looks_like}: `gatepost domain approve {named}` "
                "takes that back"
            )
        if claim.failing_since is not None:
            since = claim.failing_since.strftime("%Y-%m-%d %H:%M UTC")
            return (
                f"{claim.name} was withdrawn, as its DNS records have been gone since {since}: publish what `gatepost "
                f"domain show {named}` prints, then `gatepost domain verify {named}`, or wait for the next look"
            )
        return (
            f"{claim.name} is claimed and not verified: publish what `gatepost domain show {named}` prints, then "
            f"`gatepost domain verify {named}`"
        )
