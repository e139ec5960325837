"""BatchStore on the real engines."""

from datetime import timedelta

import pytest

from gatepost.mailflow.queue.batches import (
    KEPT_FOR,
    VALID_FOR,
    BatchDecision,
    CurrentStatuses,
    NotDecided,
    new_batch_id,
)
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts.account import Account

PAUSED, CANCELLED = BatchStatus.PAUSED, BatchStatus.CANCELLED
OTHER = AccountId("acc_other")


@pytest.fixture
def batch(control_plane: ControlPlane, account: Account) -> str:
    batch = new_batch_id(control_plane.entropy)
    assert control_plane.batches.add(account.id, batch, control_plane.clock.now(), at_most=10)
    return batch


def test_a_batch_is_valid_for_its_account_and_for_its_time(
    control_plane: ControlPlane, account: Account, batch: str
) -> None:
    batches, now = control_plane.batches, control_plane.clock.now()

    assert batches.is_valid(account.id, batch, now + VALID_FOR - timedelta(seconds=1))
    assert not batches.is_valid(account.id, batch, now + VALID_FOR)
    assert not batches.is_valid(OTHER, batch, now)
    assert batches.is_known(account.id, batch)
    assert not batches.is_known(OTHER, batch)


def test_an_account_has_so_many_batches_and_old_ones_are_forgotten_with_their_decisions(
    control_plane: ControlPlane, account: Account, batch: str
) -> None:
    batches, now = control_plane.batches, control_plane.clock.now()
    batches.decide(account.id, batch, CANCELLED, now, at_most=10)

    assert not batches.add(account.id, "second", now, at_most=1)
    assert batches.add(account.id, "third", now + KEPT_FOR + timedelta(seconds=1), at_most=1)

    assert not batches.is_known(account.id, batch)
    assert batches.list_decisions(account.id) == []


def test_a_decision_is_made_once_changed_and_taken_back(
    control_plane: ControlPlane, account: Account, batch: str
) -> None:
    batches, now = control_plane.batches, control_plane.clock.now()

    assert batches.decide(account.id, batch, PAUSED, now, at_most=10) is None
    assert batches.decide(account.id, batch, PAUSED, now, at_most=10) is NotDecided.DECIDED_BEFORE
    assert batches.change(account.id, batch, CANCELLED, now)
    assert batches.list_decisions(account.id) == [BatchDecision(batch_id=batch, status=CANCELLED)]
    assert batches.undo(account.id, batch)
    assert not batches.undo(account.id, batch)
    assert not batches.change(account.id, batch, PAUSED, now)


def test_nothing_is_decided_about_what_is_not_there_or_beyond_the_limit(
    control_plane: ControlPlane, account: Account, batch: str
) -> None:
    batches, now = control_plane.batches, control_plane.clock.now()

    assert batches.decide(account.id, "nobody's", PAUSED, now, at_most=10) is NotDecided.UNKNOWN_BATCH
    assert batches.decide(OTHER, batch, PAUSED, now, at_most=10) is NotDecided.UNKNOWN_BATCH
    assert batches.decide(account.id, batch, PAUSED, now, at_most=0) is NotDecided.TOO_MANY
    assert batches.find_status(account.id, batch) is None


def test_another_process_sees_a_decision_at_its_next_question(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account, batch: str
) -> None:
    statuses = other_process.batch_statuses

    assert isinstance(statuses, CurrentStatuses)
    assert statuses.find_status(account.id, batch) is None
    control_plane.batches.decide(account.id, batch, CANCELLED, control_plane.clock.now(), at_most=10)
    assert statuses.find_status(account.id, batch) is CANCELLED
    control_plane.batches.undo(account.id, batch)
    assert statuses.find_status(account.id, batch) is None


def test_batch_ids_have_the_form_of_the_dialect_and_differ(control_plane: ControlPlane) -> None:
    ids = {new_batch_id(control_plane.entropy) for _ in range(100)}

    assert len(ids) == 100
    assert {len(batch) for batch in ids} == {62}
