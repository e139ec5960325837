"""Hold and release: what they do to a recipient in each state.

A recipient with an attempt under way cannot be stopped by a change of state. A hold *marks* it: the attempt runs to
its end, and where it would have been queued again it is HELD instead. A release lifts the mark.
"""

from gatepost.mailflow.queue.recipient import RecipientState


def apply_hold(state: RecipientState) -> RecipientState:
    """Return the state after a hold; LEASED stays, marked."""
    return RecipientState.HELD if state in {RecipientState.QUEUED, RecipientState.SCHEDULED} else state


def apply_release(state: RecipientState, *, is_scheduled: bool) -> RecipientState:
    """Return the state after a release; a LEASED one stays and loses its mark, a scheduled one waits for its time."""
    if state is not RecipientState.HELD:
        return state
    return RecipientState.SCHEDULED if is_scheduled else RecipientState.QUEUED


def apply_settlement(settled: RecipientState, *, is_marked: bool) -> RecipientState:
    """Return what a leased recipient becomes when its lease is settled as ``settled``."""
    return RecipientState.HELD if is_marked and settled is RecipientState.QUEUED else settled
