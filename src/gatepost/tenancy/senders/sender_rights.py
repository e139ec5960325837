"""What an account has lost, or has back, when the right to a name has changed.

Mail that was accepted in a name rests on the right to it. The right that is gone is not what was removed but what is
left: another claim to the same name, a domain above it or below it, an address that was proved by itself may still
let the account send. So the author rule is asked anew, after the change, and what it still allows is left alone.
"""

from dataclasses import dataclass

from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox, parse_mailbox
from gatepost.tenancy.senders.alignment import VerifiedDomains, decide_author
from gatepost.tenancy.senders.ports import DomainStore, SingleSenderStore
from gatepost.tenancy.senders.sender_names import SenderNames
from gatepost.tenancy.senders.single_sender import MAX_SENDERS, SenderId, SenderState


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRights:
    """Asks what an account may send as, of what lies in and below a name, or of one address."""

    domains: DomainStore
    senders: SingleSenderStore
    verified: VerifiedDomains

    def find_lost(self, account_id: AccountId, name: str) -> SenderNames | None:
        """Return the names in and below a domain that the account may not use; None if it may use all of them."""
        deciding = self.verified.find_deciding(name)
        if deciding is not None and deciding.may_be_used_by(account_id):
            return None
        own = {each.name for each in self.domains.list_verified_below(name) if each.may_be_used_by(account_id)}
        return SenderNames(name=name, excluded=frozenset(own | self._list_proved(account_id)))

    def find_regained(self, account_id: AccountId, name: str) -> SenderNames | None:
        """Return the names in and below a domain that the account may use; None if it may not use the domain."""
        deciding = self.verified.find_deciding(name)
        if deciding is None or not deciding.may_be_used_by(account_id):
            return None
        others = {each.name for each in self.domains.list_verified_below(name) if not each.may_be_used_by(account_id)}
        return SenderNames(name=name, excluded=frozenset(others), all_of_them=True)

    def find_lost_address(self, account_id: AccountId, address: str) -> SenderNames | None:
        """Return that address, as ``str(Mailbox)`` writes it, if the account may not use it; None if it may."""
        return None if self._may_use(account_id, _mailbox(address)) else SenderNames(name=address)

    def _list_proved(self, account_id: AccountId) -> set[str]:
        senders = self.senders.list_after(account_id, SenderId(0), MAX_SENDERS)
        return {
            each.email
            for each in senders
            if each.state is SenderState.VERIFIED and self._may_use(account_id, each.mailbox)
        }

    def _may_use(self, account_id: AccountId, mailbox: Mailbox) -> bool:
        return bool(decide_author(account_id, mailbox, allowed_authors=(), domains=self.verified))


def _mailbox(address: str) -> Mailbox:
    return parse_mailbox(address.encode(), allow_utf8=True)
