from datetime import UTC, datetime

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.delivery.batch_stop import find_stop
from gatepost.mailflow.delivery.outcome import Verdict
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox

ANN = Mailbox(local_part="ann", domain="example.com")


class Statuses:
    """What was decided, by account and batch; an error is raised."""

    def __init__(self, status):
        self.status = status

    def find_status(self, account_id, batch_id):
        if isinstance(self.status, Exception):
            raise self.status
        return self.status if (account_id, batch_id) == ("acc_ours", "batch") else None


def message(options):
    return QueuedMessage(
        id=MessageId("m" * 22),
        account_id=AccountId("acc_ours"),
        key_id=KeyId("k" * 22),
        author=ANN,
        envelope=Envelope(reverse_path=ANN, forward_paths=(ANN,)),
        origin=Origin(protocol="HTTPS", peer_address="192.0.2.1"),
        content=MemoryContent(b""),
        accepted_at=datetime(2026, 11, 23, tzinfo=UTC),
        options=options,
    )


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, None),
        (BatchStatus.CANCELLED, Verdict.DROPPED),
        (BatchStatus.PAUSED, Verdict.DEFERRED),
        (Transient("the database is away"), Verdict.DEFERRED),
    ],
    ids=["nothing", "cancelled", "paused", "not known"],
)
def test_an_attempt_is_made_only_if_nobody_has_stopped_its_batch(status, verdict):
    stop = find_stop(message(SendingOptions(batch_id="batch")), Statuses(status))

    assert (stop and stop.verdict) is verdict


@pytest.mark.parametrize("options", [None, SendingOptions(categories=("a",)), SendingOptions(batch_id="other")])
def test_what_belongs_to_no_such_batch_is_not_stopped(options):
    assert find_stop(message(options), Statuses(BatchStatus.CANCELLED)) is None
