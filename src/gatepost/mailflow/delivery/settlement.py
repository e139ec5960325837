"""From outcomes to the settlement of a lease: states, events, next attempts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.mailflow.delivery.outcome import Outcome, Verdict
from gatepost.mailflow.events.event import TIME_RAN_OUT, Event, EventType
from gatepost.mailflow.queue.recipient import (
    Lease,
    LeasedRecipient,
    RecipientSettlement,
    RecipientState,
    Settlement,
)


class RetryPolicy(Protocol):
    """When to try again."""

    def __call__(self, attempts: int, due_at: datetime, now: datetime) -> datetime | None:
        """Return the instant of the next attempt after ``attempts`` begun ones; None when the time has run out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """An outcome and where it came from: "host [address]:port", and the TLS it came over."""

    outcome: Outcome
    peer: str = ""
    tls: str = ""


def plan_settlement(
    lease: Lease, reports: Mapping[int, RecipientReport], *, now: datetime, retry: RetryPolicy, untried: str = ""
) -> Settlement:
    """Settle every recipient of a lease.

    Args:
        lease: The lease that ends.
        reports: By position. A recipient without one was not tried, and is due again at once.
        now: The end of the attempt.
        retry: When to try again what was deferred.
        untried: Why some were not tried, for their events.
    """
    settled = []
    for recipient in lease.recipients:
        report = reports.get(recipient.position)
        if report is None:
            settled.append(_give_back(lease, recipient, now, untried))
        else:
            settled.append(_settle(lease, recipient, report, now, retry))
    return Settlement(lease=lease, recipients=tuple(settled))


def _give_back(lease: Lease, recipient: LeasedRecipient, now: datetime, reason: str) -> RecipientSettlement:
    return RecipientSettlement(
        position=recipient.position,
        state=RecipientState.QUEUED,
        event=_event(lease, recipient, EventType.DEFERRED, now, {"reason": reason}),
        next_attempt_at=now,
    )


def _settle(
    lease: Lease, recipient: LeasedRecipient, report: RecipientReport, now: datetime, retry: RetryPolicy
) -> RecipientSettlement:
    outcome = report.outcome
    detail = {
        "reply": outcome.reply,
        "reason": outcome.reason,
        "peer": report.peer,
        "tls": report.tls,
        "attempt": str(recipient.attempts + 1),
    }
    state, event_type, next_attempt_at = RecipientState.DELIVERED, EventType.DELIVERED, None
    if outcome.verdict is Verdict.BOUNCED:
        state, event_type = RecipientState.BOUNCED, EventType.BOUNCE
    elif outcome.verdict is Verdict.DROPPED:
        state, event_type = RecipientState.DROPPED, EventType.DROPPED
    elif outcome.verdict is Verdict.DEFERRED:
        next_attempt_at = retry(recipient.attempts + 1, lease.message.due_at, now)
        if next_attempt_at is None:
            state, event_type = RecipientState.EXPIRED, EventType.BOUNCE
            detail["reason"] = f"{TIME_RAN_OUT}; last: {outcome.reason or outcome.reply}"
        else:
            state, event_type = RecipientState.QUEUED, EventType.DEFERRED
            detail["next_attempt_at"] = next_attempt_at.isoformat(timespec="seconds")
    return RecipientSettlement(
        position=recipient.position,
        state=state,
        event=_event(lease, recipient, event_type, now, detail),
        next_attempt_at=next_attempt_at,
    )


def _event(
    lease: Lease, recipient: LeasedRecipient, event_type: EventType, now: datetime, detail: dict[str, str]
) -> Event:
    return Event(
        type=event_type,
        at=now,
        account_id=lease.message.account_id,
        key_id=lease.message.key_id,
        message_id=lease.message.id,
        recipient=recipient.mailbox,
        detail={name: text for name, text in detail.items() if text},
    )
