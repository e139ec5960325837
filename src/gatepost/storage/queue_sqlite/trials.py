"""After crashes: recipients that may be why are tried alone, before anything else is handed out.

At the start nothing is in hand, so that being alone costs the others a little patience and nothing else. What comes to
an end is suspected no more. What ends the process was alone in it, and that is the proof. What takes longer goes on
beside the next, which counts as alone all the same; and it is tried for longer after the next crash.

Used by the event loop alone, without I/O. Instants and times are seconds of a monotonic clock.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from gatepost.storage.queue_sqlite.jobs import LeaseRecord, Order
from gatepost.storage.queue_sqlite.lanes import Lanes
from gatepost.storage.queue_sqlite.recovery import Suspect
from gatepost.storage.queue_sqlite.schema import MAX_RECIPIENTS

_BEGIN_WITHIN: Final = 8.0
"""No trial begins later: others wait meanwhile. What has not had its turn by then is tried beside them."""

_FIRST_LASTS: Final = 2.0
_DOUBLED_AT_MOST: Final = 3
_WHILE_READING: Final = 1.0


class Trials:
    """The trials of one process.

    Attributes:
        are_on: Nothing may be handed out but what ``step`` returns.
    """

    def __init__(
        self,
        suspects: Sequence[Suspect],
        *,
        lanes: Lanes,
        excuse: Callable[[int, int], None],
        seconds: Callable[[], float],
    ) -> None:
        """Try these in this order; ``excuse`` is told slot and key of one that outlasts its time."""
        self.are_on = bool(suspects)
        self._waiting = deque(suspects)
        self._lanes = lanes
        self._excuse = excuse
        self._seconds = seconds
        self._begin_until = seconds() + _BEGIN_WITHIN
        self._ordered: Suspect | None = None
        self._tried: LeaseRecord | None = None
        self._until = 0.0

    def step(self, *, is_reading: bool) -> Order | LeaseRecord | None:
        """Return what to read from the table, or what to hand out; None: wait, unless the trials are over now.

        Args:
            is_reading: What was to be read has not come yet.
        """
        if self._tried is not None and self._is_under_way(self._tried):
            return None
        self._tried = None
        if self._ordered is not None:
            if is_reading:
                return None
            suspect, self._ordered = self._ordered, None
            if record := self._find(suspect):
                self._tried, self._until = record, self._seconds() + lasting(suspect.crashes)
                return record
        return self._order_next()

    def seconds_to_wait(self) -> float:
        """Return when to look again even if nothing happens."""
        return _WHILE_READING if self._tried is None else max(0.0, self._until - self._seconds())

    def _is_under_way(self, record: LeaseRecord) -> bool:
        """Tell whether it is to be left alone; one that is in hand no more has ended."""
        if record.slot < 0:
            return False
        if self._seconds() < self._until:
            return True
        self._excuse(record.slot, record.first_key)
        return False

    def _find(self, suspect: Suspect) -> LeaseRecord | None:
        key, domain = suspect.keys[0] // MAX_RECIPIENTS, suspect.domain
        found = self._lanes.withdraw_matching(
            lambda record: record.message_key == key and record.lease.domain == domain
        )
        return found[0] if found else None

    def _order_next(self) -> Order | None:
        if not self._waiting or self._seconds() >= self._begin_until:
            self.are_on = False
            return None
        self._ordered = suspect = self._waiting.popleft()
        return Order(suspect.account_id, suspect.domain, 1, len(suspect.keys), keys=suspect.keys)


def lasting(crashes: int) -> float:
    """Return how long one is tried alone: longer each time, for those that do their harm late."""
    return _FIRST_LASTS * 2.0 ** min(crashes - 2, _DOUBLED_AT_MOST)
