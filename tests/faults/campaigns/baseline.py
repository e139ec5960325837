"""D0: nothing is broken. What the other campaigns would find by themselves is not blamed on their faults."""

from tests.faults.checker import judge
from tests.faults.loader import Plan
from tests.faults.result import Result
from tests.faults.rig import Options, running


async def run(options: Options) -> Result:
    """Load without any fault."""
    messages = 20_000 if options.is_full else 300
    async with running(options) as rig:
        load = rig.load(Plan(seed=options.seed))
        await load.run(messages=messages)
        verdict = judge(await rig.finish())
    return Result.of(verdict)
