"""What IP access management needs from the world."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import AccessList
from gatepost.tenancy.access.ip_access.attempt import Attempt


class IPAccessStore(Protocol):
    """Lists at rest. What a call changed is on stable storage when it returns."""

    def find(self, account_id: AccountId) -> AccessList:
        """Return the account's list; the one that lets in everybody if it has none."""
        ...

    def change(
        self, account_id: AccountId, decide: Callable[[AccessList], AccessList | Deny], *, is_forced: bool = False
    ) -> AccessList | Deny:
        """Replace the account's list by what ``decide`` makes of the present one.

        Reading, deciding and writing are one transaction: two at once cannot undo each other. Nothing is written on a
        Deny, which is returned; otherwise the list as it is now.

        Args:
            account_id: It must exist.
            decide: Rules that it keeps have the id they had.
            is_forced: For the record: the author knows that it may shut himself out.
        """
        ...


class AttemptStore(Protocol):
    """Attempts at rest."""

    def record(self, attempts: Sequence[Attempt], *, keep: int, forget_before: datetime) -> None:
        """Add attempts to those of their kind, in one transaction.

        Of each account concerned only the ``keep`` latest kinds are left, and none of any account that were last seen
        before ``forget_before``.
        """
        ...

    def list_recent(self, account_id: AccountId, limit: int) -> Sequence[Attempt]:
        """Return the account's attempts, the latest first."""
        ...
