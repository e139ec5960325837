from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gatepost.mailflow.delivery.outcome import Outcome, Verdict
from gatepost.mailflow.delivery.settlement import RecipientReport, plan_settlement
from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import Lease, LeasedRecipient, QueuedMessage, RecipientSettlement, RecipientState

MakeMessage = Callable[..., QueuedMessage]
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def settle(
    message: QueuedMessage, outcome: Outcome | None, *, next_attempt_at: datetime | None = LATER
) -> RecipientSettlement:
    recipient = LeasedRecipient(position=0, mailbox=message.envelope.forward_paths[0], attempts=2)
    lease = Lease(message=message, domain="x.test", recipients=(recipient,))
    reports = (
        {} if outcome is None else {0: RecipientReport(outcome=outcome, peer="mx [192.0.2.1]:25", tls="TLSv1.3 X")}
    )

    def retry(attempts: int, accepted_at: datetime, now: datetime) -> datetime | None:
        assert (attempts, accepted_at, now) == (3, message.accepted_at, NOW)
        return next_attempt_at

    settlement = plan_settlement(lease, reports, now=NOW, retry=retry, untried="on hold")

    assert settlement.lease is lease
    (settled,) = settlement.recipients
    return settled


def test_delivered_is_final_and_tells_all(make_message: MakeMessage) -> None:
    settled = settle(make_message(), Outcome(verdict=Verdict.DELIVERED, reply="250 ok"))

    assert (settled.state, settled.event.type) == (RecipientState.DELIVERED, EventType.DELIVERED)
    assert settled.next_attempt_at is None
    assert settled.event.detail == {"reply": "250 ok", "peer": "mx [192.0.2.1]:25", "tls": "TLSv1.3 X", "attempt": "3"}
    assert settled.event.recipient == make_message().envelope.forward_paths[0]


def test_bounced_is_final(make_message: MakeMessage) -> None:
    settled = settle(make_message(), Outcome(verdict=Verdict.BOUNCED, reason="5.1.2 no such domain"))

    assert (settled.state, settled.event.type) == (RecipientState.BOUNCED, EventType.BOUNCE)
    assert settled.event.detail["reason"] == "5.1.2 no such domain"


def test_deferred_is_queued_again_at_the_time_that_policy_says(make_message: MakeMessage) -> None:
    settled = settle(make_message(), Outcome(verdict=Verdict.DEFERRED, reply="450 later"))

    assert (settled.state, settled.event.type) == (RecipientState.QUEUED, EventType.DEFERRED)
    assert settled.next_attempt_at == LATER
    assert settled.event.detail["next_attempt_at"] == "2026-11-23T10:05:00+00:00"


def test_when_the_time_has_run_out_it_expires_as_a_bounce(make_message: MakeMessage) -> None:
    settled = settle(make_message(), Outcome(verdict=Verdict.DEFERRED, reply="450 later"), next_attempt_at=None)

    assert (settled.state, settled.event.type) == (RecipientState.EXPIRED, EventType.BOUNCE)
    assert settled.next_attempt_at is None
    assert "450 later" in settled.event.detail["reason"]


def test_what_was_not_tried_is_due_at_once(make_message: MakeMessage) -> None:
    settled = settle(make_message(), None)

    assert (settled.state, settled.next_attempt_at) == (RecipientState.QUEUED, NOW)
    assert settled.event.detail == {"reason": "on hold"}
