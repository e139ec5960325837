"""Meters: how much of something there was lately, by name. The one way in which anything here is limited.

A meter is a leaky bucket: what is added raises its level, and time lowers it evenly. A *rate* says how much it holds
and how fast it drains; so much may come at once after a pause, and then as much as drains. Seen from the other side
that is a token bucket: what is left to the brim are the tokens.

Where the levels are kept decides what is counted together: in this process (``MemoryCells``), or by all workers of a
machine (``storage.shared_cells``). Time is passed in; a clock set back neither fills a meter nor empties it.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """What a meter holds, and how much of it drains in a second."""

    size: float
    per_second: float

    @classmethod
    def each(cls, amount: float, period: timedelta) -> "Rate":
        """Return the rate at which so much drains in that time, and at most so much comes at once."""
        return cls(amount, amount / period.total_seconds())


@dataclass(frozen=True, slots=True)
class Charge:
    """So much, to the meter of that name."""

    name: str
    rate: Rate
    amount: float = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one charge.

    Attributes:
        level: Of the meter, afterwards.
        wait: How long until the charge would be taken; zero if it could have been.
    """

    level: float
    wait: timedelta


class Cells(Protocol):
    """Where levels are kept. Which names are forgotten first when there is no room is known to the implementation."""

    def holding(self) -> AbstractContextManager[None]:
        """Keep others out for the length of a block; microseconds. Do not await in it."""
        ...

    def get(self, name: str) -> tuple[float, float]:
        """Return the level and when it was that, in seconds since 1970; 0 and 0 if nothing is known."""
        ...

    def put(self, name: str, level: float, at: float) -> None:
        """Keep a level."""
        ...


class MemoryCells:
    """Levels in this process; the longest quiet is forgotten first."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity: Final = capacity
        self._cells: Final[OrderedDict[str, tuple[float, float]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._cells)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Nobody else is here."""
        yield

    def get(self, name: str) -> tuple[float, float]:
        """Return the level and when it was that."""
        return self._cells.get(name, (0.0, 0.0))

    def put(self, name: str, level: float, at: float) -> None:
        """Keep a level."""
        self._cells[name] = (level, at)
        self._cells.move_to_end(name)
        if len(self._cells) > self._capacity:
            self._cells.popitem(last=False)


class Meters:
    """Reads and charges meters."""

    def __init__(self, cells: Cells) -> None:
        self._cells: Final = cells

    def level(self, name: str, rate: Rate, now: datetime) -> float:
        """Return how full a meter is."""
        return self._level(name, rate, now.timestamp())

    def add(self, name: str, rate: Rate, now: datetime) -> float:
        """Add 1 whether or not there is room, and return the level.

        What is over the brim does not add up: whoever never stopped waits no longer once he does.
        """
        at = now.timestamp()
        with self._cells.holding():
            level = min(self._level(name, rate, at), rate.size) + 1
            self._cells.put(name, level, at)
        return level

    def take(self, charges: Sequence[Charge], now: datetime) -> list[Reading]:
        """Take all of these charges, or none if one of them has to wait; return what became of each.

        A charge larger than its meter is taken when the meter is empty, and fills it beyond the brim: it can never be
        split by whoever makes it, and the rate holds in the long run.
        """
        at = now.timestamp()
        with self._cells.holding():
            levels = [self._level(charge.name, charge.rate, at) for charge in charges]
            readings = [_read(charge, level) for charge, level in zip(charges, levels, strict=True)]
            if any(reading.wait for reading in readings):
                return [Reading(level, each.wait) for level, each in zip(levels, readings, strict=True)]
            for charge, reading in zip(charges, readings, strict=True):
                self._cells.put(charge.name, reading.level, at)
        return readings

    def _level(self, name: str, rate: Rate, at: float) -> float:
        level, since = self._cells.get(name)
        return max(0.0, level - rate.per_second * max(0.0, at - since))


def _read(charge: Charge, level: float) -> Reading:
    over = level + min(charge.amount, charge.rate.size) - charge.rate.size
    # Less than a millionth is what is left of adding and draining, and nobody's fault.
    wait = timedelta(seconds=over / charge.rate.per_second) if over > 1e-6 else timedelta(0)
    return Reading(level + charge.amount, wait)
