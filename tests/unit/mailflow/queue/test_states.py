import pytest

from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.mailflow.queue.states import FINAL, LIVE, MOVES, SETTLED, IllegalMove, check

LEGAL = {
    "queued": {"leased", "held", "dropped"},
    "leased": {"queued", "held", "delivered", "bounced", "dropped", "expired"},
    "held": {"queued", "scheduled", "dropped"},
    "scheduled": {"queued", "held", "dropped"},
}


@pytest.mark.parametrize("after", RecipientState, ids=lambda state: f"to {state.value}")
@pytest.mark.parametrize("before", RecipientState, ids=lambda state: f"from {state.value}")
def test_a_move_is_legal_exactly_where_the_table_says_so(before, after):
    if after.value in LEGAL.get(before.value, set()):
        check(before, after)
    else:
        with pytest.raises(IllegalMove, match=f"from {before.value} to {after.value}"):
            check(before, after)


def test_every_state_is_live_or_final_and_has_its_row():
    assert LIVE | FINAL == set(RecipientState) == set(MOVES)
    assert not LIVE & FINAL


def test_a_settlement_may_ask_for_anything_a_lease_can_become_but_held():
    assert {state.value for state in SETTLED} == LEGAL["leased"] - {"held"}
