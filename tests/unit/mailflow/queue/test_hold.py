import pytest

from gatepost.mailflow.queue.hold import apply_hold, apply_release, apply_settlement
from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.mailflow.queue.states import FINAL, SETTLED

QUEUED, LEASED, HELD = RecipientState.QUEUED, RecipientState.LEASED, RecipientState.HELD
SCHEDULED = RecipientState.SCHEDULED


@pytest.mark.parametrize(
    ("state", "held", "released"),
    [(QUEUED, HELD, QUEUED), (LEASED, LEASED, LEASED), (HELD, HELD, QUEUED), (SCHEDULED, HELD, SCHEDULED)],
    ids=["queued", "leased", "held", "scheduled"],
)
def test_hold_and_release(state, held, released):
    assert apply_hold(state) is held
    assert apply_release(state, is_scheduled=False) is released


def test_what_is_released_before_its_time_waits_for_it_again():
    assert apply_release(HELD, is_scheduled=True) is SCHEDULED


@pytest.mark.parametrize("state", sorted(FINAL, key=lambda state: state.value), ids=lambda state: state.value)
def test_a_final_state_is_not_touched(state):
    assert apply_hold(state) is state
    assert apply_release(state, is_scheduled=False) is state


@pytest.mark.parametrize("is_marked", [True, False], ids=["marked", "not marked"])
@pytest.mark.parametrize("settled", sorted(SETTLED, key=lambda state: state.value), ids=lambda state: state.value)
def test_only_a_marked_recipient_that_would_be_queued_again_is_held(settled, is_marked):
    expected = HELD if settled is QUEUED and is_marked else settled

    assert apply_settlement(settled, is_marked=is_marked) is expected
