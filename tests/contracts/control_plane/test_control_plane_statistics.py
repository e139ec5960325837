"""Statistics from real shards on the real control plane: each event counts once, whoever counts, however it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.contracts.conftest import ALICE, BOB, Rig

from gatepost.mailflow.events.statistics import Counts
from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.counting import Counting, find_machine_name
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.tally import BEGINNING, tally_events
from gatepost.storage.statistics import SqlStatisticsStore

NEWS = "ada@x.example", "bob@x.example", "cid@y.example"
SENT = Counts(requests=3, delivered=2, bounces=1)


@pytest.fixture
def rig(make_rig: Callable[[], Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def store(control_plane: ControlPlane) -> SqlStatisticsStore:
    return SqlStatisticsStore(control_plane.database)


@pytest.fixture
def counting(rig: Rig, store: SqlStatisticsStore) -> Counting:
    return Counting(rig.directory, "", store)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    await rig.start()
    try:
        yield rig
    finally:
        await rig.queue.close()


def with_worker(rig: Rig, work: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with running(rig):
            await work(rig)

    asyncio.run(run())


async def send_news(rig: Rig) -> None:
    """Three recipients: two are delivered to, one bounces."""
    await rig.accept(*NEWS)
    for lease in await rig.lease_recipients(3):
        states = RecipientState.DELIVERED if lease.domain == "x.example" else RecipientState.BOUNCED
        await rig.settle(lease, states, reply="550 5.1.1 nobody")


def day_of(rig: Rig) -> date:
    return rig.clock.now().astimezone(UTC).date()


def counts_of(store: SqlStatisticsStore, *accounts: Any) -> list[tuple[str, date, Counts]]:
    found = store.list_days(accounts or (ALICE, BOB), date(1970, 1, 1), date(9000, 1, 1))
    return [(each.account_id, each.day, each.counts) for each in found]


def test_what_happened_is_counted_by_account_and_day(rig: Rig, counting: Counting, store: SqlStatisticsStore) -> None:
    async def send(rig: Rig) -> None:
        await send_news(rig)
        await rig.accept("eve@z.example", account=BOB)
        rig.clock.advance(timedelta(days=1))
        [lease] = await rig.lease()
        await rig.settle(lease, RecipientState.QUEUED)

    first = day_of(rig)
    with_worker(rig, send)

    counting.count()

    assert counts_of(store) == [
        (ALICE, first, SENT),
        (BOB, first, Counts(requests=1)),
        (BOB, first + timedelta(days=1), Counts(deferred=1)),
    ]
    assert counts_of(store, BOB)[0][0] == BOB
    assert not store.list_days([ALICE], first + timedelta(days=1), date(9000, 1, 1))


def test_each_event_is_counted_once(rig: Rig, counting: Counting, store: SqlStatisticsStore) -> None:
    with_worker(rig, send_news)
    counting.count()

    assert counting.count() == 0
    with_worker(rig, send_news)
    counting.count()

    assert [counts for _, _, counts in counts_of(store)] == [SENT + SENT]


def test_what_another_process_has_counted_meanwhile_is_not_added_again(
    rig: Rig, counting: Counting, store: SqlStatisticsStore, other_process: ControlPlane
) -> None:
    with_worker(rig, send_news)
    late = tally_events(rig.database, BEGINNING)
    Counting(rig.directory, "", SqlStatisticsStore(other_process.database)).count()

    assert not store.add("/shard-0", BEGINNING, late)
    assert [counts for _, _, counts in counts_of(store)] == [SENT]


def test_all_shards_are_counted_and_one_that_cannot_be_read_hides_no_other(
    rig: Rig, counting: Counting, store: SqlStatisticsStore
) -> None:
    with_worker(rig, send_news)
    with_worker(replace(rig, number=2), send_news)
    (rig.directory / "shard-1.db").write_bytes(b"no database" * 1000)
    (rig.directory / "shard-3.db").write_bytes(b"")

    assert counting.count() == 2
    assert [counts for _, _, counts in counts_of(store)] == [SENT + SENT]


def test_much_is_counted_in_steps(rig: Rig) -> None:
    with_worker(rig, send_news)

    tallies = [tally_events(rig.database, BEGINNING, at_once=4)]
    while tallies[-1].has_more:
        tallies.append(tally_events(rig.database, tallies[-1].place, at_once=4))

    assert len(tallies) == 2
    assert (
        sum([day.counts.requests + day.counts.delivered + day.counts.bounces for t in tallies for day in t.days]) == 6
    )


@pytest.mark.parametrize("more", [0, 5], ids=["fewer events than before", "more events than before"])
def test_a_shard_that_begins_anew_is_counted_from_its_beginning(
    rig: Rig, counting: Counting, store: SqlStatisticsStore, more: int
) -> None:
    with_worker(rig, send_news)
    counting.count()
    for path in rig.directory.glob("shard-0.db*"):
        path.unlink()
    rig.clock.advance(timedelta(seconds=1))

    async def send(rig: Rig) -> None:
        for _ in range(1 + more):
            await rig.accept("dan@x.example")

    with_worker(rig, send)
    counting.count()

    assert [counts for _, _, counts in counts_of(store)] == [SENT + Counts(requests=1 + more)]


def test_what_a_restored_shard_repeats_is_not_counted_again(
    rig: Rig, counting: Counting, store: SqlStatisticsStore, tmp_path: Path
) -> None:
    with_worker(rig, send_news)
    backup = rig.database.read_bytes()
    rig.clock.advance(timedelta(seconds=1))
    with_worker(rig, send_news)
    counting.count()

    rig.database.write_bytes(backup)
    counting.count()
    rig.clock.advance(timedelta(seconds=1))
    with_worker(rig, send_news)
    counting.count()

    assert [counts for _, _, counts in counts_of(store)] == [SENT + SENT + SENT]


async def test_it_is_counted_until_the_end(rig: Rig, counting: Counting, store: SqlStatisticsStore) -> None:
    stopping = asyncio.Event()
    async with running(rig):
        await send_news(rig)
        task = asyncio.create_task(counting.run_until(stopping))
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(counts_of, store):
                await asyncio.sleep(0.01)
            stopping.set()
            await task

    assert [counts for _, _, counts in counts_of(store)] == [SENT]


@pytest.mark.parametrize(
    ("url", "has_name"), [("sqlite:////var/lib/control.db", False), ("postgresql://u:p@db/gatepost", True)]
)
def test_a_machine_has_a_name_where_there_can_be_others(
    control_plane: ControlPlane, tmp_path: Path, url: str, has_name: bool
) -> None:
    settings = cast("Settings", SimpleNamespace(control_database_url=Secret(url), state_dir=tmp_path))

    name = find_machine_name(settings, control_plane.entropy)

    assert bool(name) is has_name
    assert find_machine_name(settings, control_plane.entropy) == name
