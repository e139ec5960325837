"""What events need from the world."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Protocol

from gatepost.mailflow.events.statistics import DayCounts
from gatepost.primitives.ids import AccountId


class StatisticsStore(Protocol):
    """What was counted, by account and day. It follows the events within about a minute."""

    def list_days(self, account_ids: Collection[AccountId], first: date, last: date) -> Sequence[DayCounts]:
        """Return what was counted of these accounts on these days, both included; nothing where nothing happened."""
        ...
