from datetime import UTC, datetime, timedelta

import pytest

from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.mailflow.queue.schedule import BatchStatus, decide_due

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "until", "to", "has_reason"),
    [
        (None, NOW, RecipientState.QUEUED, False),
        (BatchStatus.CANCELLED, NOW, RecipientState.DROPPED, True),
        (BatchStatus.PAUSED, NOW - timedelta(hours=72), RecipientState.DROPPED, True),
    ],
    ids=["nothing decided", "cancelled", "paused"],
)
def test_what_becomes_of_mail_whose_time_has_come(status, until, to, has_reason):
    end = decide_due(status, NOW)

    assert (end.until, end.to, bool(end.reason)) == (until, to, has_reason)
