"""Known recipients: to whom an account has written before, as far as its keys count first-time recipients.

Kept as 64 bits of a keyed hash: without the keyring nobody reads addresses out of them. Two recipients of one account
with the same digest are one in 18 quintillion for each pair; the second would not be counted as new.
"""

from collections.abc import Callable, Iterable
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox
from gatepost.tenancy.access.ports import BudgetStore

KEPT_RECIPIENTS: Final = 1_000_000
"""So many recipients of an account are remembered."""

MAX_IN_MEMORY: Final = 200_000
"""So many of all accounts are remembered without asking the store; beyond, it is asked afresh."""


class KnownRecipients:
    """Remembers in memory what the store has said; for any thread."""

    def __init__(self, store: BudgetStore, hash_recipient: Callable[[bytes], bytes]) -> None:
        self._store: Final = store
        self._hash: Final = hash_recipient
        self._known: set[tuple[AccountId, int]] = set()

    def find_unknown(self, account_id: AccountId, recipients: Iterable[Mailbox]) -> list[int]:
        """Return the digests of those that are not remembered here; each once."""
        digests = dict.fromkeys([self._digest(account_id, each) for each in recipients])
        known = self._known
        return [digest for digest in digests if (account_id, digest) not in known]

    def ask(self, account_id: AccountId, digests: list[int]) -> list[int]:
        """Return those that the store does not know either, and remember the others; waits. Raises ``Transient``."""
        if not digests:
            return []
        known = self._store.find_known(account_id, digests)
        self.remember(account_id, known)
        return [digest for digest in digests if digest not in known]

    def remember(self, account_id: AccountId, digests: Iterable[int]) -> None:
        """Know these from now on."""
        if len(self._known) > MAX_IN_MEMORY:
            self._known = set()
        self._known.update([(account_id, digest) for digest in digests])

    def _digest(self, account_id: AccountId, recipient: Mailbox) -> int:
        # The case of a local-part is the receiver's affair (RFC 5321 §2.4); nobody writes first to Ann and then to ann.
        text = f"recipient\0{account_id}\0{str(recipient).lower()}"
        return int.from_bytes(self._hash(text.encode())[:8], "big", signed=True)
