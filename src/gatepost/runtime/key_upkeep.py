"""What a mail worker repeats for API keys: budgets given back, recipients forgotten, honey alarms raised."""

import asyncio
from datetime import timedelta
from typing import Final

from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.periodic import Periodic
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.honey import HoneyAlarm

SHARES_EVERY: Final = timedelta(seconds=60)
"""How long a share of a budget may lie in one worker while others have none left."""

ALARM_EVERY: Final = timedelta(seconds=1)
FORGET_EVERY: Final = timedelta(hours=1)


def keep_up_keys(control: ControlPlane, metrics: Metrics) -> tuple[Periodic, ...]:
    """Return the work; all of it waits for the store, and so is done in threads."""
    alarm = HoneyAlarm(control.recorder_for, metrics)

    async def return_shares() -> None:
        await asyncio.to_thread(control.spending.return_shares)

    async def forget_recipients() -> None:
        await asyncio.to_thread(control.spending.forget_oldest)

    async def raise_alarms() -> None:
        uses = control.principals.take_honey_uses()
        if uses or alarm.is_behind:
            await asyncio.to_thread(alarm.raise_for, uses)

    return (
        Periodic(name="raise_honey_alarms", every=ALARM_EVERY, work=raise_alarms),
        Periodic(name="return_budget_shares", every=SHARES_EVERY, work=return_shares),
        Periodic(name="forget_recipients", every=FORGET_EVERY, work=forget_recipients),
    )
