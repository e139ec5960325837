"""What ``/v3/subusers/stats…`` and ``reputations`` give."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from gatepost.mailflow.events.statistics import Counts
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account


class Metrics(Struct, frozen=True, kw_only=True):
    """The sixteen counts of the dialect; those without a source here are 0."""

    blocks: int = 0
    bounce_drops: int = 0
    bounces: int = 0
    clicks: int = 0
    deferred: int = 0
    delivered: int = 0
    invalid_emails: int = 0
    opens: int = 0
    processed: int = 0
    requests: int = 0
    spam_report_drops: int = 0
    spam_reports: int = 0
    unique_clicks: int = 0
    unique_opens: int = 0
    unsubscribe_drops: int = 0
    unsubscribes: int = 0


class SubuserStat(Struct, frozen=True, kw_only=True):
    """One subuser's counts."""

    type: str = "subuser"
    name: str
    metrics: Metrics


class StatsOfPeriod(Struct, frozen=True, kw_only=True):
    """The counts of a day, a week or a month, by its first day."""

    date: str
    stats: tuple[SubuserStat, ...]


class MonthlyStat(Struct, frozen=True, kw_only=True):
    """One subuser's counts; the names of a person are the dialect's, and empty."""

    type: str = "subuser"
    name: str
    first_name: str = ""
    last_name: str = ""
    metrics: Metrics


class StatsOfMonth(Struct, frozen=True, kw_only=True):
    """The counts of a month, by its first day."""

    date: str
    stats: tuple[MonthlyStat, ...]


class Reputation(Struct, frozen=True, kw_only=True):
    """A subuser's reputation, from 0 to 100."""

    username: str
    reputation: float


def describe_all(chosen: Sequence[Account], counts: Mapping[AccountId, Counts]) -> tuple[SubuserStat, ...]:
    """Return the counts of each; 0 for those of whom nothing was counted."""
    return tuple(_describe(chosen, counts))


def _describe(chosen: Sequence[Account], counts: Mapping[AccountId, Counts]) -> Iterator[SubuserStat]:
    for each in chosen:
        counted = counts.get(each.id, Counts())
        metrics = Metrics(
            blocks=counted.blocks,
            bounces=counted.bounces,
            deferred=counted.deferred,
            delivered=counted.delivered,
            invalid_emails=counted.invalid_emails,
            processed=counted.requests,
            requests=counted.requests,
        )
        yield SubuserStat(name=each.name, metrics=metrics)
