"""``/v3/subusers/stats…`` and ``reputations``: what happened to the mail of one's own subusers, and nobody else's."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import pytest

from gatepost.mailflow.events.statistics import Counts, DayCounts
from gatepost.storage.queue_sqlite.tally import Place, Tally
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import AccountState

PATH = "/v3/subusers"
READ = [
    "subusers.stats.read", "subusers.stats.sums.read", "subusers.stats.monthly.read", "subusers.reputations.read",
]  # fmt: skip


@dataclass
class Team:
    """A parent with three subusers, and what was counted of them."""

    api: Any
    key: str
    ids: dict[str, Any]

    def count(self, name: str, day: str, **counts: int) -> None:
        counted = DayCounts(account_id=self.ids[name], day=date.fromisoformat(day), counts=Counts(**counts))
        tally = Tally(days=(counted,), place=Place(event_id=1, event_at=1), has_more=False)
        assert self.api.control.statistics.add(f"{name}/{day}", Place(), tally)

    async def ask(self, path: str) -> Any:
        return await self.api.ask("GET", f"{PATH}{path}", key=self.key, app=self.api.built)


@pytest.fixture
def team(api: Any) -> Team:
    parent = api.account("acme")
    ids = {name: api.account(name, parent) for name in ("news", "shop", "bills")}
    team = Team(api, api.key(parent, *READ), ids)
    team.count("news", "2026-02-27", requests=10, delivered=8, bounces=1, blocks=1, deferred=3, dropped=5)
    team.count("news", "2026-03-01", requests=200, delivered=199, invalid_emails=1)
    team.count("shop", "2026-03-01", requests=50, delivered=20)
    return team


def metrics(stat: Any) -> dict[str, int]:
    assert len(stat["metrics"]) == 16
    return {name: count for name, count in stat["metrics"].items() if count}


async def test_stats_show_each_day_of_each_subuser_also_those_without_mail(team: Team) -> None:
    reply = await team.ask("/stats?subusers=news&subusers=shop&start_date=2026-02-27&end_date=2026-03-01")

    assert [day["date"] for day in reply.json] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    first, empty, last = ([(each["type"], each["name"], metrics(each)) for each in day["stats"]] for day in reply.json)
    assert first == [
        (
            "subuser",
            "news",
            {"requests": 10, "processed": 10, "delivered": 8, "bounces": 1, "blocks": 1, "deferred": 3},
        ),
        ("subuser", "shop", {}),
    ]
    assert empty == [("subuser", "news", {}), ("subuser", "shop", {})]
    assert last[0][2] == {"requests": 200, "processed": 200, "delivered": 199, "invalid_emails": 1}


@pytest.mark.parametrize(
    ("query", "days", "requests"),
    [
        pytest.param("aggregated_by=month", ["2026-02-20", "2026-03-01"], [10, 200], id="months"),
        # 2026-02-20 is a Friday.
        pytest.param("aggregated_by=week", ["2026-02-20", "2026-02-23"], [0, 210], id="weeks begin on Monday"),
        pytest.param("aggregated_by=month&limit=1&offset=1", ["2026-03-01"], [200], id="pages"),
        pytest.param("limit=2&offset=8", ["2026-02-28", "2026-03-01"], [0, 200], id="days"),
    ],
)
async def test_stats_are_aggregated(team: Team, query: str, days: list[str], requests: list[int]) -> None:
    reply = await team.ask(f"/stats?subusers=news&start_date=2026-02-20&{query}")

    assert [period["date"] for period in reply.json] == days
    assert [period["stats"][0]["metrics"]["requests"] for period in reply.json] == requests


async def test_sums_rank_all_subusers(team: Team) -> None:
    down = await team.ask("/stats/sums?start_date=2026-02-01")
    up = await team.ask("/stats/sums?start_date=2026-02-01&sort_by_metric=requests&sort_by_direction=asc&limit=2")

    assert down.json["date"] == "2026-02-01"
    assert [(each["name"], each["metrics"]["delivered"]) for each in down.json["stats"]] == [
        ("news", 207), ("shop", 20), ("bills", 0),
    ]  # fmt: skip
    assert [each["name"] for each in up.json["stats"]] == ["bills", "shop"]


@pytest.mark.parametrize("path", ["/stats/monthly?subuser=news&", "/news/stats/monthly?"])
async def test_a_month_is_that_of_the_given_day(team: Team, path: str) -> None:
    reply = await team.ask(f"{path}date=2026-02-14")

    [stat] = reply.json["stats"]
    assert (reply.json["date"], stat["name"], stat["first_name"], stat["last_name"]) == ("2026-02-01", "news", "", "")
    assert metrics(stat)["delivered"] == 8
    everybody = await team.ask("/stats/monthly?date=2026-03-31")
    assert [each["name"] for each in everybody.json["stats"]] == ["news", "shop", "bills"]


async def test_reputations_follow_from_the_last_thirty_days(team: Team) -> None:
    team.count("bills", "2026-02-20", requests=1000, delivered=900, bounces=100)
    team.count("shop", "2026-01-20", requests=1000, bounces=1000)

    everybody = await team.ask("/reputations")
    some = await team.ask("/reputations?usernames=shop,bills")

    assert everybody.json == [
        {"username": "bills", "reputation": 70.0},
        {"username": "news", "reputation": 97.1},
        {"username": "shop", "reputation": 100.0},
    ]
    assert [each["username"] for each in some.json] == ["shop", "bills"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/stats?start_date=2026-03-01", "subusers"),
        (f"/stats?start_date=2026-03-01&subusers={','.join('abcdefghijk')}", "subusers"),
        ("/stats?subusers=news", "start_date"),
        ("/stats?subusers=news&start_date=1.3.2026", "start_date"),
        ("/stats?subusers=news&start_date=20260301", "start_date"),
        ("/stats?subusers=news&start_date=2026-02-30", "start_date"),
        ("/stats?subusers=news&start_date=0001-01-01", "start_date"),
        ("/stats?subusers=news&start_date=2000-01-01", "start_date"),
        ("/stats?subusers=news&start_date=2026-03-01&end_date=2026-02-01", "end_date"),
        ("/stats?subusers=news&start_date=2026-03-01&aggregated_by=year", "aggregated_by"),
        ("/stats?subusers=news&start_date=2026-03-01&limit=0", "limit"),
        ("/stats?subusers=news&start_date=2026-03-01&offset=-1", "offset"),
        ("/stats/sums?start_date=2026-03-01&sort_by_metric=joy", "sort_by_metric"),
        ("/stats/sums?start_date=2026-03-01&sort_by_direction=up", "sort_by_direction"),
        ("/stats/monthly", "date"),
        ("/news/stats/monthly?date=", "date"),
        ("/stats?subusers=news,nobody&start_date=2026-03-01", "username"),
        ("/stats/monthly?subuser=nobody&date=2026-03-01", "username"),
        ("/nobody/stats/monthly?date=2026-03-01", "username"),
        ("/reputations?usernames=nobody", "username"),
    ],
)
async def test_what_cannot_be_answered_is_told_by_its_parameter(team: Team, path: str, field: str) -> None:
    reply = await team.ask(path)

    assert (reply.status, [at for at, _ in reply.errors]) == (400, [field])


@pytest.mark.parametrize(
    "path",
    [
        "/stats?subusers=secret&start_date=2026-03-01", "/stats/monthly?subuser=secret&date=2026-03-01",
        "/secret/stats/monthly?date=2026-03-01", "/reputations?usernames=secret",
    ],
)  # fmt: skip
async def test_anothers_subuser_gets_the_answer_of_one_that_is_not_there(api: Any, team: Team, path: str) -> None:
    api.account("secret", api.account("others"))

    foreign, missing = await team.ask(path), await team.ask(path.replace("secret", "nobody"))

    assert (foreign.status, msgspec.json.decode(foreign.octets)) == (missing.status, missing.json)


async def test_a_deleted_subuser_is_left_out(api: Any, team: Team) -> None:
    lifecycle.move(api.control.accounts, api.control.accounts.find_by_name("shop"), AccountState.CLOSED)

    assert [each["username"] for each in (await team.ask("/reputations")).json] == ["bills", "news"]
    assert (await team.ask("/reputations?usernames=shop")).status == 400
