"""The table of effects, as a table; what each way in answers by it is in ``test_authorize`` and the contracts."""

from itertools import pairwise

import pytest

from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.state_effects import EFFECTS, Entry, QueuedMail, Sending, StateEffects

ACTIVE, REVIEW, SUSPENDED, CLOSED = AccountState


@pytest.mark.parametrize(
    ("state", "sending", "queued", "keys", "people"),
    [
        (ACTIVE, Sending.TAKEN, QueuedMail.DELIVERED, Entry.ALL, Entry.ALL),
        (REVIEW, Sending.DEFERRED, QueuedMail.HELD, Entry.ALL, Entry.ALL),
        (SUSPENDED, Sending.REFUSED, QueuedMail.HELD, Entry.NOTHING, Entry.READ),
        (CLOSED, Sending.REFUSED, QueuedMail.HELD, Entry.NOTHING, Entry.NOTHING),
    ],
    ids=[state.value for state in AccountState],
)
def test_what_a_state_means(
    state: AccountState, sending: Sending, queued: QueuedMail, keys: Entry, people: Entry
) -> None:
    assert EFFECTS[state] == StateEffects(sending=sending, queued=queued, keys=keys, people=people)


def test_a_worse_state_permits_nothing_that_a_better_one_does_not() -> None:
    def rank(state: AccountState) -> list[int]:
        effects = EFFECTS[state]
        values = [effects.sending, effects.queued, effects.keys, effects.people]
        return [list(type(value)).index(value) for value in values]

    ranks = [rank(state) for state in AccountState]

    assert len(ranks) == len(EFFECTS)
    assert all(worse >= better for one, next_ in pairwise(ranks) for better, worse in zip(one, next_, strict=True))
