"""Credits: how much an account may send in a period. One credit is one recipient of an accepted message. Pure.

An account without an allocation is unlimited. A subuser spends its own credits and its parent's at the same time, so
that together they never send more than the parent may.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum


class CreditPeriod(Enum):
    """When credits come back; calendar periods, in UTC."""

    DAILY = "daily"
    #: From Monday.
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Credits as they stand at one moment.

    Attributes:
        period: When they come back; None for never.
        total: How many a period begins with.
        extra: How many were added to this period alone, or taken from it when negative.
        used: How many are spent, or set aside by a process that is about to spend them.
        since: When this period began; of credits that never come back, when they were given.
    """

    period: CreditPeriod | None
    total: int
    since: datetime
    extra: int = 0
    used: int = 0

    @property
    def remaining(self) -> int:
        """How many can still be spent in this period."""
        return max(0, self.total + self.extra - self.used)

    def at(self, now: datetime) -> "Allocation":
        """Return it as of now: in a new period what was used or added in an older one is forgotten.

        A clock that was set back begins no period.
        """
        if self.period is None:
            return self
        since = period_start(self.period, now)
        return replace(self, since=since, used=0, extra=0) if since > self.since else self


def period_start(period: CreditPeriod, now: datetime) -> datetime:
    """Return when the calendar period that an instant lies in began."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case CreditPeriod.DAILY:
            return midnight
        case CreditPeriod.WEEKLY:
            return midnight - timedelta(days=midnight.weekday())
        case CreditPeriod.MONTHLY:
            return midnight.replace(day=1)


def allocate(period: CreditPeriod | None, total: int, current: Allocation | None, now: datetime) -> Allocation:
    """Return new credits. What was used in a period that goes on stays used; changing a limit lifts none."""
    since = now if period is None else period_start(period, now)
    if current is None or current.period is not period:
        return Allocation(period=period, total=total, since=since)
    return replace(current.at(now), total=total, extra=0)


class CreditsExceeded(Exception):
    """More would be taken away than is left."""


def add_to_remaining(current: Allocation, count: int, now: datetime) -> Allocation:
    """Return credits with so many more left in this period; fewer, if negative. Raises ``CreditsExceeded``."""
    present = current.at(now)
    if present.remaining + count < 0:
        raise CreditsExceeded
    return replace(present, extra=present.remaining + count + present.used - present.total)
