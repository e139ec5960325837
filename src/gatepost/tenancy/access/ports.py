"""What access needs from the world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.budget import Charge
from gatepost.tenancy.access.grant import Grant


class AccessVersion(Protocol):
    """Says cheaply whether anything in the control plane has changed, by whatever process."""

    def version(self) -> int:
        """Return a number that differs from the one before if a commit came in between.

        A commit that had returned before this call is always seen. It may differ without need. Costs microseconds:
        the hot path asks for each message. Raises ``Transient`` when the store does not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """The last use of one key since this was last written down; ``client`` is what it said of itself."""

    account_id: AccountId
    key_id: KeyId
    at: datetime
    peer: str
    client: str = ""


class ApiKeyStore(Protocol):
    """API keys at rest. What a call changed is on stable storage when it returns.

    Every call names its account, but ``secret_hash`` and ``resolve``: they are how an account becomes known.
    """

    def add(self, key: ApiKey, secret_hash: bytes, *, at_most: int | None = None) -> bool:
        """Store a new key. The account must exist.

        Returns:
            False, and nothing is stored, if the account has ``at_most`` keys already that are neither revoked nor
            expired when this one is made. Counting and storing are one transaction.
        """
        ...

    def secret_hash(self, key_id: KeyId, *, otherwise: bytes) -> bytes:
        """Return the key's hash, or ``otherwise`` if there is no such key, at the same cost.

        Nothing but the value may tell the two apart, time least of all.
        """
        ...

    def resolve(self, key_id: KeyId) -> ApiKey | None:
        """Return the key, whichever account has it, revoked and expired ones too."""
        ...

    def find(self, account_id: AccountId, key_id: KeyId) -> ApiKey | None:
        """Return the account's key."""
        ...

    def list_all(self, account_id: AccountId) -> Sequence[ApiKey]:
        """Return the account's keys, oldest first, revoked and expired ones too."""
        ...

    def change_grant(
        self,
        account_id: AccountId,
        key_id: KeyId,
        decide: Callable[[Grant], Grant | Deny],
        *,
        name: str | None = None,
    ) -> ApiKey | Deny | None:
        """Replace a key's grant by what ``decide`` makes of the present one; None if the account has no such key.

        With a ``name``, the key is called so from then on.

        Reading, deciding and writing are one transaction: two at once cannot undo each other. Nothing is written
        on a Deny, which is returned; otherwise the key as it is now.
        """
        ...

    def revoke(self, account_id: AccountId, key_id: KeyId, at: datetime) -> ApiKey | None:
        """Revoke the key for good and return it; None if the account has no such key. The first time stands."""
        ...

    def record_uses(self, uses: Sequence[KeyUse]) -> None:
        """Note the last use of each key in one transaction; an earlier one never replaces a later one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """Nothing was taken: the place of the first charge that could not be met, and what is left there."""

    position: int
    left: int


class BudgetStore(Protocol):
    """What has been taken of budgets, by all processes together, and to whom accounts have written.

    Recipients are named by digests that nobody can compute who has not the keyring.
    """

    def take(
        self, account_id: AccountId, charges: Sequence[tuple[Charge, int]], *, recipients: Sequence[int], at: datetime
    ) -> tuple[int, ...] | Short:
        """Take each charge, and as much as there is of the share beside it; or nothing at all.

        From then on ``account_id`` has written to ``recipients``; the purses charged may be its parent's. All of it
        is one transaction, on stable storage on return: what has been taken is never handed out again, whoever
        crashes, until its hour or day is over.

        Returns:
            How much was taken, for each: the charge at least, charge and share at most.

        Raises:
            Transient: The store does not answer; nothing was taken.
        """
        ...

    def look(self, charges: Sequence[Charge]) -> tuple[int, ...]:
        """Return how much nobody has taken yet of each limit. Raises ``Transient``."""
        ...

    def give_back(self, charges: Sequence[Charge]) -> None:
        """Undo these; of an hour or day that is over, nothing. Raises ``Transient``."""
        ...

    def find_known(self, account_id: AccountId, recipients: Sequence[int]) -> frozenset[int]:
        """Return which of these the account has written to. Raises ``Transient``."""
        ...

    def forget_oldest(self, *, kept: int) -> int:
        """Keep of each account the ``kept`` recipients that were first written to last; return how many went."""
        ...
