import asyncio
from datetime import timedelta

import pytest

from gatepost.runtime.periodic import Periodic, do_once, flush_metrics, repeat
from gatepost.telemetry.metrics import Metrics

AT_ONCE = timedelta(0)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_work_is_repeated_even_after_it_failed():
    runs = []

    async def work():
        runs.append(len(runs))
        if len(runs) == 1:
            raise RuntimeError("once")

    task = asyncio.create_task(repeat(Periodic(name="w", every=AT_ONCE, work=work)))
    await until(lambda: len(runs) >= 3)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_is_awaited_before_the_next_run():
    running, most = 0, 0

    async def work():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(do_once(Periodic(name="w", every=AT_ONCE, work=work)))

    assert (running, most) == (0, 1)


async def test_counts_are_flushed_again_and_again_and_lateness_is_measured():
    metrics = Metrics()
    task = asyncio.create_task(flush_metrics(metrics, AT_ONCE))
    metrics.recipients_accepted.add(amount=2)

    await until(lambda: metrics.registry.get_sample_value("gatepost_recipients_accepted_total") == 2)

    assert metrics.registry.get_sample_value("gatepost_event_loop_lag_seconds") >= 0
    task.cancel()


@pytest.mark.parametrize(("at_start", "runs_soon"), [(True, 1), (False, 0)])
async def test_the_first_run_is_at_the_start_only_where_that_is_asked_for(at_start, runs_soon):
    runs = []

    async def work():
        runs.append(1)

    task = asyncio.create_task(repeat(Periodic(name="w", every=timedelta(days=1), work=work, at_start=at_start)))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()

    assert len(runs) == runs_soon
