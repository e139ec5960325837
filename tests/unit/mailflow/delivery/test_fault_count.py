from datetime import UTC, datetime

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.delivery.fault_count import MAX_FAULTS, FaultCount
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.recipient import Lease, QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.standards.address import Mailbox

AUTHOR = Mailbox(local_part="news", domain="example.com")


def lease(message_id: str = "m1", domain: str = "x.example") -> Lease:
    message = QueuedMessage(
        id=MessageId(message_id),
        account_id=AccountId("acc"),
        key_id=KeyId("key"),
        author=AUTHOR,
        envelope=Envelope(reverse_path=AUTHOR, forward_paths=(AUTHOR,)),
        origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1", greeting="client", tls="TLSv1.3"),
        content=MemoryContent(b""),
        accepted_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    return Lease(message=message, domain=domain, recipients=())


def test_below_the_bound_there_is_no_reason_to_stop() -> None:
    faults = FaultCount()
    for _ in range(MAX_FAULTS - 1):
        faults.note(lease(), KeyError("secret"))

    assert faults.find_reason(lease()) == ""


def test_reason_names_the_kind_of_error_and_not_its_text() -> None:
    faults = FaultCount()
    for _ in range(MAX_FAULTS):
        faults.note(lease(), KeyError("secret"))

    reason = faults.find_reason(lease())

    assert "3 attempts in a row" in reason
    assert "KeyError" in reason
    assert "secret" not in reason


def test_another_destination_of_the_same_message_is_counted_by_itself() -> None:
    faults = FaultCount()
    for _ in range(MAX_FAULTS):
        faults.note(lease(), KeyError())

    assert faults.find_reason(lease(domain="y.example")) == ""


def test_attempt_that_ends_well_begins_the_count_anew() -> None:
    faults = FaultCount()
    for _ in range(MAX_FAULTS - 1):
        faults.note(lease(), KeyError())
    faults.forget(lease())
    faults.note(lease(), KeyError())

    assert faults.find_reason(lease()) == ""


def test_no_more_than_a_bounded_number_is_remembered() -> None:
    faults = FaultCount()
    for number in range(10_001):
        for _ in range(MAX_FAULTS):
            faults.note(lease(f"m{number}"), KeyError())

    assert faults.find_reason(lease("m0")) == ""
    assert faults.find_reason(lease("m10000")) != ""
