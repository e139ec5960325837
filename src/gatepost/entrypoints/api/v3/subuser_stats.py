"""``/v3/subusers/stats…`` and ``reputations``: what happened to the mail of the caller's subusers, from its events.

Days are those on which something happened, in UTC; weeks begin on Monday. What Gatepost does not see (opens, clicks,
unsubscribes, spam reports, suppressions) counts 0.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.subuser_bodies import MAX_LISTED, is_number
from gatepost.entrypoints.api.v3.subuser_stat_bodies import (
    Metrics,
    MonthlyStat,
    Reputation,
    StatsOfMonth,
    StatsOfPeriod,
    SubuserStat,
    describe_all,
)
from gatepost.entrypoints.api.v3.subusers import UNKNOWN, Subusers
from gatepost.mailflow.events.ports import StatisticsStore
from gatepost.mailflow.events.statistics import Counts, DayCounts, add_up, rate
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState

MAX_COMPARED: Final = 10
"""Subusers in one question for ``stats``, as in the dialect."""
MAX_DAYS: Final = 1096
"""Days in one question: three years."""
_RANKED: Final = 5
REPUTATION_OF: Final = timedelta(days=30)
_SUMS, _MONTHLY = "subusers.stats.sums.read", "subusers.stats.monthly.read"
_NO_NAMES: Final = problem(400, "at least one subuser is required, at most 10", at="subusers")


T = TypeVar("T")

_DATES: Final = {"start_date": "Required: YYYY-MM-DD.", "end_date": "YYYY-MM-DD; today, if left out."}
_PAGE: Final = {"limit": "How many to return at most.", "offset": "How many to leave out."}
_ORDER: Final = {
    "sort_by_metric": 'A metric; "delivered", if left out.', "sort_by_direction": '"desc" or "asc".',
}  # fmt: skip
_MONTH: Final = {"date": "Required: YYYY-MM-DD, a day of the month that is wanted."}


class _Malformed(ValueError):
    """A parameter cannot be read; ``at`` names it."""

    def __init__(self, at: str, text: str) -> None:
        super().__init__(text)
        self.at = at


@dataclass(frozen=True, slots=True, kw_only=True)
class SubuserStats:
    """Answers what happened to subusers' mail."""

    subusers: Subusers
    statistics: StatisticsStore

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        path = "/v3/subusers/stats"
        return (
            Operation(
                method="GET", path=path, name="ListSubuserStat", scope="subusers.stats.read", run=self.compare,
                summary="Show what happened to the mail of up to ten subusers, by day, week or month.",
                gives={200: tuple[StatsOfPeriod, ...]}, refuses=(400,),
                query={
                    "subusers": "Required: names, with commas between them or given several times.", **_DATES,
                    "aggregated_by": '"day", "week" or "month".', **_PAGE,
                },
            ),
            Operation(
                method="GET", path=f"{path}/sums", name="ListStatSum", scope=_SUMS, run=self.sum_up,
                summary="Rank the account's subusers by what happened to their mail in a time.",
                gives={200: StatsOfPeriod}, refuses=(400,),
                query={**_DATES, **_ORDER, "aggregated_by": "Says nothing: it is one sum.", **_PAGE},
            ),
            Operation(
                method="GET", path=f"{path}/monthly", name="ListMonthlyStat", scope=_MONTHLY, run=self.sum_month,
                summary="Rank the account's subusers by what happened to their mail in a month.",
                gives={200: StatsOfMonth}, refuses=(400,),
                query={**_MONTH, "subuser": "Only the one of this name.", **_ORDER, **_PAGE},
            ),
            Operation(
                method="GET", path="/v3/subusers/{subuser_name}/stats/monthly", name="GetSubuserMonthlyStat",
                scope=_MONTHLY, run=self.sum_month_of_one, summary="Show what happened to a subuser's mail in a month.",
                gives={200: StatsOfMonth}, refuses=(400,), query={**_MONTH, **_ORDER, **_PAGE},
            ),
            Operation(
                method="GET", path="/v3/subusers/reputations", name="ListSubuserReputation",
                scope="subusers.reputations.read", run=self.rate,
                summary="Show the reputations of subusers, from what happened to their mail in the last 30 days.",
                gives={200: tuple[Reputation, ...]}, refuses=(400,),
                query={"usernames": "Names, with commas between them or given several times; all, if left out."},
            ),
        )  # fmt: skip

    async def compare(self, call: Call) -> Answer | Problem:
        """Show each period from the first day to the last, also those in which nothing happened."""

        def answer() -> Answer | Problem:
            names = _names(call, "subusers")
            if not 1 <= len(names) <= MAX_COMPARED:
                return _NO_NAMES
            chosen = self._choose(call, names)
            if chosen is None:
                return UNKNOWN
            first, last = self._read_days(call)
            begin = _read_choice(call, "aggregated_by", _BEGINS)
            limit, offset = _read_page(call, MAX_LISTED)
            by_period = _group(self._list(chosen, first, last), lambda day: max(begin(day), first))
            days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
            periods = list(dict.fromkeys(max(begin(day), first) for day in days))
            body = tuple(
                [
                    StatsOfPeriod(date=period.isoformat(), stats=describe_all(chosen, by_period.get(period, {})))
                    for period in periods[offset : offset + limit]
                ]
            )
            return Answer(status=200, body=body)

        return await _in_thread(answer)

    async def sum_up(self, call: Call) -> Answer | Problem:
        """Rank all subusers by one metric."""

        def answer() -> Answer:
            first, last = self._read_days(call)
            ranked = self._rank(call, self._all(call), first, last)
            return Answer(status=200, body=StatsOfPeriod(date=first.isoformat(), stats=ranked))

        return await _in_thread(answer)

    async def sum_month(self, call: Call) -> Answer | Problem:
        """Rank all subusers, or show one."""

        def answer() -> Answer | Problem:
            names = _names(call, "subuser")
            chosen = self._choose(call, names) if names else self._all(call)
            return UNKNOWN if chosen is None else self._month(call, chosen)

        return await _in_thread(answer)

    async def sum_month_of_one(self, call: Call) -> Answer | Problem:
        """Show one subuser's month."""

        def answer() -> Answer | Problem:
            found = self.subusers.find(call)
            return found if isinstance(found, Problem) else self._month(call, [found])

        return await _in_thread(answer)

    async def rate(self, call: Call) -> Answer | Problem:
        """Show reputations, by name."""

        def answer() -> Answer | Problem:
            names = _names(call, "usernames")
            chosen = self._choose(call, names) if names else self._all(call)
            if chosen is None:
                return UNKNOWN
            today = self.subusers.clock.now().date()
            counts = _sum_by_account(self._list(chosen, today - REPUTATION_OF, today))
            rated = [Reputation(username=each.name, reputation=rate(counts.get(each.id, Counts()))) for each in chosen]
            return Answer(status=200, body=tuple(rated))

        return await _in_thread(answer)

    def _month(self, call: Call, chosen: Sequence[Account]) -> Answer:
        first = _read_day(call, "date").replace(day=1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        ranked = [MonthlyStat(name=each.name, metrics=each.metrics) for each in self._rank(call, chosen, first, last)]
        return Answer(status=200, body=StatsOfMonth(date=first.isoformat(), stats=tuple(ranked)))

    def _rank(self, call: Call, chosen: Sequence[Account], first: date, last: date) -> tuple[SubuserStat, ...]:
        metric = call.parameters.get("sort_by_metric") or "delivered"
        if metric not in Metrics.__struct_fields__:
            raise _Malformed("sort_by_metric", f"must be one of {', '.join(Metrics.__struct_fields__)}")
        is_down = _read_choice(call, "sort_by_direction", {"desc": True, "asc": False})
        limit, offset = _read_page(call, _RANKED)
        stats = describe_all(chosen, _sum_by_account(self._list(chosen, first, last)))
        ranked = sorted(stats, key=lambda each: getattr(each.metrics, metric), reverse=is_down)
        return tuple(ranked[offset : offset + limit])

    def _list(self, chosen: Sequence[Account], first: date, last: date) -> Sequence[DayCounts]:
        return self.statistics.list_days([each.id for each in chosen], first, last)

    def _all(self, call: Call) -> list[Account]:
        found = self.subusers.accounts.list_subusers(call.account_id)
        return [each for each in found if each.state is not AccountState.CLOSED]

    def _choose(self, call: Call, names: Sequence[str]) -> list[Account] | None:
        """Return the subusers of these names; None if one of them is not the caller's, or deleted."""
        present = {each.name: each for each in self._all(call)}
        return [present[name] for name in names] if present.keys() >= set(names) else None

    def _read_days(self, call: Call) -> tuple[date, date]:
        first, today = _read_day(call, "start_date"), self.subusers.clock.now().date()
        last = _read_day(call, "end_date") if call.parameters.get("end_date") else max(first, today)
        if not first <= last:
            raise _Malformed("end_date", "must not lie before start_date")
        if (last - first).days >= MAX_DAYS:
            raise _Malformed("start_date", f"must not lie more than {MAX_DAYS} days before end_date")
        return first, last


def _begin_week(day: date) -> date:
    # The first days of the calendar have no Monday before them.
    return date.fromordinal(max(1, day.toordinal() - day.weekday()))


_BEGINS: Final[Mapping[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "week": _begin_week,
    "month": lambda day: day.replace(day=1),
}


async def _in_thread(answer: Callable[[], Answer | Problem]) -> Answer | Problem:
    try:
        return await asyncio.to_thread(answer)
    except _Malformed as error:
        return problem(400, f"{error.at} {error}", at=error.at)


def _names(call: Call, parameter: str) -> list[str]:
    given = call.parameters.get(parameter, "").lower().split(",")
    return list(dict.fromkeys(name.strip() for name in given if name.strip()))


def _read_day(call: Call, parameter: str) -> date:
    text = call.parameters.get(parameter, "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _Malformed(parameter, "is required, as YYYY-MM-DD") from None
    if len(text) != len("YYYY-MM-DD") or not 1970 <= day.year < 9999:
        raise _Malformed(parameter, "must be a day since 1970, as YYYY-MM-DD")
    return day


def _read_choice(call: Call, parameter: str, choices: Mapping[str, T]) -> T:
    """Return what the parameter chooses; the first where it is left out."""
    text = call.parameters.get(parameter) or next(iter(choices))
    if text not in choices:
        raise _Malformed(parameter, f"must be one of {', '.join(choices)}")
    return choices[text]


def _read_page(call: Call, most: int) -> tuple[int, int]:
    limit, offset = call.parameters.get("limit") or str(most), call.parameters.get("offset") or "0"
    if not is_number(limit) or not 1 <= int(limit) <= MAX_LISTED:
        raise _Malformed("limit", f"must be a number from 1 to {MAX_LISTED}")
    if not is_number(offset):
        raise _Malformed("offset", "must be a number from 0 up")
    return int(limit), int(offset)


def _group(days: Sequence[DayCounts], begin: Callable[[date], date]) -> Mapping[date, Mapping[AccountId, Counts]]:
    by_period: dict[date, list[DayCounts]] = {}
    for each in days:
        by_period.setdefault(begin(each.day), []).append(each)
    return {period: _sum_by_account(some) for period, some in by_period.items()}


def _sum_by_account(days: Sequence[DayCounts]) -> Mapping[AccountId, Counts]:
    by_account: dict[AccountId, list[Counts]] = {}
    for each in days:
        by_account.setdefault(each.account_id, []).append(each.counts)
    return {account_id: add_up(counts) for account_id, counts in by_account.items()}
