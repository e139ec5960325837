"""The DKIM keys of the domain that covers an author, as they are now, or as they were when that could last be read."""

from collections.abc import Sequence
from typing import Final

from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningKey
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.dkim_key import SigningKeys

MAX_REMEMBERED: Final = 10_000


class CurrentKeys:
    """Finds the keys to sign with.

    While the control plane does not answer, mail that was accepted before goes on being signed with the keys that were
    current then: who may send was decided at the door, and a signature gives nobody a right.
    """

    def __init__(self, domains: VerifiedDomains, keys: SigningKeys) -> None:
        self._domains: Final = domains
        self._keys: Final = keys
        self._last: dict[tuple[AccountId, str], Sequence[SigningKey]] = {}

    def find_signing_keys(self, account_id: AccountId, author_domain: str) -> Sequence[SigningKey]:
        """Return the keys; empty where the account has no such domain.

        Raises:
            Transient: The control plane does not answer, and nothing is remembered.
        """
        which = (account_id, author_domain)
        try:
            domain = self._domains.find_deciding(author_domain)
        except Transient:
            if (last := self._last.get(which)) is None:
                raise
            return last
        if domain is None or not domain.may_be_used_by(account_id):
            self._last.pop(which, None)
            return ()
        keys = self._keys.keys_for(domain)
        if len(self._last) >= MAX_REMEMBERED and which not in self._last:
            self._last.clear()
        self._last[which] = keys
        return keys
