"""How many letters may go to an address that somebody has named, and which may be a stranger's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.attempt_limit import AttemptKind, count_as
from gatepost.tenancy.accounts.person_ports import AttemptStore

_ATTEMPT_OCTETS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterLimit:
    """Counts letters of every kind together: against their address, whoever has them sent, and against the account."""

    attempts: AttemptStore
    entropy: Entropy
    keyed_hash: Callable[[bytes], bytes]

    def reserve(self, account_id: AccountId, address: str, now: datetime) -> timedelta | None:
        """Count a letter that is about to be sent; return how long to wait if it must not be."""
        kind = AttemptKind.SENDER_LETTER
        counted = count_as(kind, address.lower(), account_id, is_known=False, keyed_hash=self.keyed_hash)
        return self.attempts.reserve(self.entropy.draw(_ATTEMPT_OCTETS), kind, counted, now)
