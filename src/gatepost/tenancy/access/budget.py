"""Budgets: how much a key may send in an hour and in a day, and to how many it has never written before.

A *purse* is what is counted together. A key made by a key with a budget charges its maker's purse beside its own, so
that no number of keys can spend more than their maker may; a key and what it was rotated into share one.

One copy to one recipient counts as one message. Hours and days are the clock's, in UTC: a budget begins anew when the
hour or the day does, not so long after its first message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NewType, TypeAlias

from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId, base64url

MAX_LIMIT: Final = 1_000_000_000
"""No limit may be set higher; whoever wants more sets none."""

PurseId = NewType("PurseId", str)
"""What is counted together: 16 base64url characters."""


class Measure(Enum):
    """What is counted, and for how long; the names are those of the limits."""

    MESSAGES_PER_HOUR = "messages_per_hour"
    MESSAGES_PER_DAY = "messages_per_day"
    NEW_RECIPIENTS_PER_HOUR = "new_recipients_per_hour"
    NEW_RECIPIENTS_PER_DAY = "new_recipients_per_day"

    @property
    def counts_new_recipients(self) -> bool:
        """Only recipients to whom the account has not written before count."""
        return self in _NEW

    @property
    def length(self) -> timedelta:
        """How long it is counted before it begins anew."""
        return _HOUR if self in _HOURLY else _DAY

    def began_at(self, now: datetime) -> datetime:
        """Return when the hour, or the day, of ``now`` began."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        return hour if self in _HOURLY else hour.replace(hour=0)


_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_HOURLY: Final = frozenset({Measure.MESSAGES_PER_HOUR, Measure.NEW_RECIPIENTS_PER_HOUR})
_NEW: Final = frozenset({Measure.NEW_RECIPIENTS_PER_HOUR, Measure.NEW_RECIPIENTS_PER_DAY})

Limits: TypeAlias = tuple[tuple[Measure, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits; None is no limit, 0 is nothing at all."""

    messages_per_hour: int | None = None
    messages_per_day: int | None = None
    new_recipients_per_hour: int | None = None
    new_recipients_per_day: int | None = None

    def limits(self) -> Limits:
        """Return the limits there are."""
        values = [(measure, getattr(self, measure.value)) for measure in Measure]
        return tuple([(measure, value) for measure, value in values if value is not None])

    def __bool__(self) -> bool:
        return bool(self.limits())

    def is_within(self, outer: "Budget") -> bool:
        """Say whether each limit of ``outer`` is kept by one here that is no higher."""
        own = dict(self.limits())
        return all(measure in own and own[measure] <= limit for measure, limit in outer.limits())


NO_BUDGET: Final = Budget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Something to be charged, and the limits within which a key may charge it.

    Attributes:
        account_id: The account of the key that had it first; a parent's key hands it on to keys of its subusers.
    """

    id: PurseId
    account_id: AccountId
    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitName:
    """One limit of one purse. What was taken under a limit is never spent under another."""

    account_id: AccountId
    purse_id: PurseId
    measure: Measure
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount of one limit, for the hour or day that began then."""

    name: LimitName
    began_at: datetime
    amount: int


class BudgetDenial(Enum):
    """Which kind of budget is spent."""

    MESSAGES = "message budget spent"
    NEW_RECIPIENTS = "first-time recipient budget spent"


@dataclass(frozen=True, slots=True)
class BudgetSpent(Deny):
    """A budget has not enough left.

    Attributes:
        retry_after: How long until it begins anew.
    """

    retry_after: timedelta = timedelta(0)


def spent(measure: Measure, limit: int, now: datetime) -> BudgetSpent:
    """Make the refusal; its detail says how much the key may do, and when it may again."""
    until = measure.began_at(now) + measure.length
    what = "first-time recipients" if measure.counts_new_recipients else "messages"
    period = "an hour" if measure in _HOURLY else "a day"
    reason = BudgetDenial.NEW_RECIPIENTS if measure.counts_new_recipients else BudgetDenial.MESSAGES
    return BudgetSpent(reason, f"{limit} {what} {period}; again from {until:%Y-%m-%dT%H:%M:%SZ}", until - now)


def new_purse(account_id: AccountId, entropy: Entropy) -> Purse:
    """Make a purse for a key of that account, without limits yet."""
    return Purse(id=PurseId(base64url(entropy.draw(12))), account_id=account_id, budget=NO_BUDGET)


def tightest(purses: Sequence[Purse]) -> Budget:
    """Return the limits that hold for a key that charges all of these."""
    lowest: dict[str, int] = {}
    for purse in purses:
        for measure, limit in purse.budget.limits():
            lowest[measure.value] = min(limit, lowest.get(measure.value, limit))
    return Budget(**lowest)


def tightened(current: Budget, wanted: Budget) -> Budget:
    """Return ``current`` with each limit that ``wanted`` names in place of its own."""
    own = {each.name: getattr(current, each.name) for each in fields(current)}
    return Budget(**(own | {measure.value: limit for measure, limit in wanted.limits()}))
