"""The legal moves of a recipient's state, as a table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gatepost.mailflow.queue.recipient import RecipientState

QUEUED, LEASED, HELD = RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD
SCHEDULED = RecipientState.SCHEDULED
DELIVERED, BOUNCED = RecipientState.DELIVERED, RecipientState.BOUNCED
DROPPED, EXPIRED = RecipientState.DROPPED, RecipientState.EXPIRED

LIVE: Final = frozenset({SCHEDULED, QUEUED, LEASED, HELD})
"""States in which we still owe somebody an outcome."""

FINAL: Final = frozenset(RecipientState) - LIVE
"""States that are never left; a recipient in one of them is remembered by its events and the books alone."""

MOVES: Final[Mapping[RecipientState, frozenset[RecipientState]]] = MappingProxyType(
    {
        # Its time comes, or its batch is cancelled or stays paused for too long.
        SCHEDULED: frozenset({QUEUED, HELD, DROPPED}),
        QUEUED: frozenset({LEASED, HELD, DROPPED}),
        # Expiry is reached from LEASED alone: nothing is given up without an attempt (a clock may jump).
        LEASED: frozenset({QUEUED, HELD}) | FINAL,
        # Released before its time, it waits for that again.
        HELD: frozenset({QUEUED, SCHEDULED, DROPPED}),
    }
    | {state: frozenset[RecipientState]() for state in FINAL}
)

SETTLED: Final = MOVES[LEASED] - {HELD}
"""What a settlement may ask for; HELD comes about only by a hold (``hold.py``)."""


class IllegalMove(ValueError):
    """A recipient cannot go from the one state to the other; whoever asked has a fault."""


def check(before: RecipientState, after: RecipientState) -> None:
    """Return if a recipient may go from ``before`` to ``after``; raise ``IllegalMove`` otherwise."""
    if after not in MOVES[before]:
        raise IllegalMove(f"a recipient cannot go from {before.value} to {after.value}")
