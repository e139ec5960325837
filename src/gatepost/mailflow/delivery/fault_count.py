"""Messages at which this service itself fails, again and again: when to stop trying them.

In memory: a start begins to count anew. What ends the whole process is counted by the queue.
"""

from typing import Final, TypeAlias

from gatepost.mailflow.queue.recipient import Lease
from gatepost.primitives.ids import MessageId

MAX_FAULTS: Final = 3
"""After so many attempts in a row that ended in an error of ours."""

_MAX_REMEMBERED: Final = 10_000

_Which: TypeAlias = tuple[MessageId, str]


class FaultCount:
    """Counts, by message and destination, the attempts in a row that ended in an error of ours."""

    def __init__(self) -> None:
        self._faults: dict[_Which, tuple[int, str]] = {}

    def note(self, lease: Lease, error: BaseException) -> None:
        """Count one more; of the error, the kind is kept and nothing of its text, which may quote the message."""
        which = _which(lease)
        count, _ = self._faults.pop(which, (0, ""))
        if len(self._faults) >= _MAX_REMEMBERED:
            del self._faults[next(iter(self._faults))]
        self._faults[which] = (count + 1, type(error).__name__)

    def forget(self, lease: Lease) -> None:
        """An attempt came to an end, whatever end: count from the beginning."""
        if self._faults:
            self._faults.pop(_which(lease), None)

    def find_reason(self, lease: Lease) -> str:
        """Return why the lease's recipients are to be held; "" if they are not."""
        if not self._faults:
            return ""
        count, kind = self._faults.get(_which(lease), (0, ""))
        if count < MAX_FAULTS:
            return ""
        return (
            f"set aside: {count} attempts in a row ended in an error of this service ({kind}); its log has the "
            "traceback. Release it (tried again) or remove it"
        )


def _which(lease: Lease) -> _Which:
    return (lease.message.id, lease.domain)
