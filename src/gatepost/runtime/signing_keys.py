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

    def __init__(self, domains: VerifiedDomains, keys: SigningKeys, *, own_domain: str | None = None) -> None:
        """Find keys.

        Args:
            domains: Who has verified what.
            keys: Opens sealed keys.
            own_domain: The operator's verified domain that signs where no domain decides for the author: mail of
                single senders. None leaves it unsigned.
        """
        self._domains: Final = domains
        self._keys: Final = keys
        self._own_domain: Final = own_domain
        self._last: dict[tuple[AccountId, str], Sequence[SigningKey]] = {}

    def find_signing_keys(self, account_id: AccountId, author_domain: str) -> Sequence[SigningKey]:
        """Return the keys; empty where the domain is another account's, or nobody's and there is none of our own.

        Raises:
            Transient: The control plane does not answer, and nothing is remembered.
        """
        which = (account_id, author_domain)
        try:
            domain = self._domains.find_signer(account_id, author_domain, self._own_domain)
        except Transient:
            if (last := self._last.get(which)) is None:
                raise
            return last
        if domain is None:
            self._last.pop(which, None)
            return ()
        keys = self._keys.keys_for(domain)
        if len(self._last) >= MAX_REMEMBERED and which not in self._last:
            self._last.clear()
        self._last[which] = keys
        return keys
