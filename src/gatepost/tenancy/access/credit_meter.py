"""The credit meter: keeps limited accounts to their credits, exactly, without a commit for each message.

A process sets aside a few credits at a time in the control plane, and spends those from memory. What is set aside
counts as used, so that all processes together never send more than there is. The fewer are left the fewer are set
aside; what a process does not use it gives back within a minute, when told to refresh, and when it ends. After a crash
it is lost: too little is sent rather than too much.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.ports import AccessVersion
from gatepost.tenancy.accounts.ports import AccountStore

MAX_SET_ASIDE: Final = 500
_SHARE: Final = 64
"""At most one in so many of what is left is set aside beyond what is needed now."""


@dataclass(slots=True)
class _Reserve:
    left: int
    taken_at: datetime


class CreditMeter:
    """Counts recipients of accounts that are limited. For one thread, but ``give_back`` may run in another."""

    def __init__(self, accounts: AccountStore, version: AccessVersion, clock: Clock) -> None:
        self._accounts: Final = accounts
        self._clock: Final = clock
        self._reserves: Final[dict[AccountId, _Reserve]] = {}
        self._left: Final[Current[dict[AccountId, tuple[datetime, bool]]]] = Current(version, dict)

    def has_any(self, account_id: AccountId) -> bool:
        """Say whether the account could send to one more recipient. Raises ``Transient``."""
        now = self._clock.now()
        reserve = self._present(account_id, now)
        if reserve is not None and reserve.left > 0:
            return True
        held = self._left.get()
        known = held.get(account_id)
        # Credits come back at midnight, if at all, without a commit that would tell of it.
        if known is not None and known[0].date() == now.date():
            return known[1]
        count = self._accounts.count_credits(account_id, now)
        held[account_id] = (now, count is None or count > 0)
        return held[account_id][1]

    def spend(self, account_id: AccountId, count: int) -> bool:
        """Spend credits, one for each recipient, or say that there are not enough. Raises ``Transient``."""
        now = self._clock.now()
        reserve = self._present(account_id, now)
        if reserve is not None and reserve.left >= count:
            reserve.left -= count
            return True
        if reserve is not None:
            # So that all the account has is counted at one place.
            self._give_back(account_id)
        taken = self._accounts.take_credits(account_id, count, spare=plan_spare, now=now)
        if taken < count:
            return False
        self._reserves[account_id] = _Reserve(taken - count, now)
        return True

    def unspend(self, account_id: AccountId, count: int) -> None:
        """Take back what was spent on messages that were not accepted after all."""
        reserve = self._reserves.get(account_id)
        if reserve is not None:
            reserve.left += count

    def give_back(self) -> None:
        """Give back everything that is set aside. Raises ``Transient``; what was not given back yet is kept."""
        for account_id in tuple(self._reserves):
            self._give_back(account_id)

    def _present(self, account_id: AccountId, now: datetime) -> _Reserve | None:
        reserve = self._reserves.get(account_id)
        if reserve is None or reserve.taken_at.date() == now.date():
            return reserve
        # A period may have ended since: what belonged to that one is not for this one.
        self._give_back(account_id)
        return None

    def _give_back(self, account_id: AccountId) -> None:
        # First out of everybody's reach: nobody spends what is being given back.
        reserve = self._reserves.pop(account_id, None)
        if reserve is None or not reserve.left:
            return
        try:
            self._accounts.give_back_credits(account_id, reserve.left, taken_at=reserve.taken_at, now=self._clock.now())
        except Transient:
            self._reserves.setdefault(account_id, reserve)
            raise


def plan_spare(left: int) -> int:
    """Say how many credits to set aside beyond those needed now, when so many are left after these."""
    return min(left // _SHARE, MAX_SET_ASIDE)
