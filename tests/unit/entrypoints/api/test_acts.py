import asyncio

import pytest

from gatepost.entrypoints.api.acts import ActsInProgress


async def test_without_acts_there_is_nothing_to_wait_for():
    await ActsInProgress().settle()


async def test_acts_under_way_are_waited_for_and_later_ones_are_not():
    acts = ActsInProgress()
    first, second = acts.enter(), acts.enter()
    first.__enter__()
    settling = asyncio.create_task(acts.settle())
    await asyncio.sleep(0)
    second.__enter__()

    assert not settling.done()
    first.__exit__(None, None, None)
    await asyncio.wait_for(settling, 5)
    second.__exit__(None, None, None)


async def test_an_act_that_fails_is_over():
    acts = ActsInProgress()

    with pytest.raises(ValueError, match="no"), acts.enter():
        raise ValueError("no")

    await asyncio.wait_for(acts.settle(), 5)
