"""What happened to an account's mail on one day, counted; and how its reputation follows from that. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Final

from gatepost.mailflow.events.event import TIME_RAN_OUT
from gatepost.primitives.ids import AccountId

GOOD_REPUTATION: Final = 100.0
_SMALLEST_SAMPLE: Final = 100
"""A share is taken of at least so many recipients: one bounce among the first two says little."""
_POINTS_FOR_ALL_BOUNCED: Final = 300
_POINTS_FOR_ALL_COMPLAINING: Final = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Recipients, by what happened to them. One that is deferred twice counts twice there, as in the dialect.

    Attributes:
        requests: Accepted.
        delivered: A receiving server took responsibility.
        deferred: Attempts that failed for now.
        bounces: Refused for good, for what the address or its mailbox is.
        blocks: Refused for good for any other reason, or tried until the time ran out.
        invalid_emails: At a domain that takes no mail, so that no server was asked.
        dropped: Not tried: removed, cancelled, or set aside as unreadable.
    """

    requests: int = 0
    delivered: int = 0
    deferred: int = 0
    bounces: int = 0
    blocks: int = 0
    invalid_emails: int = 0
    dropped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in COUNTED})


COUNTED: Final = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts:
    """What was counted of an account's mail on a day of the calendar, in UTC: when it happened, not when accepted."""

    account_id: AccountId
    day: date
    counts: Counts


def classify_bounce(detail: Mapping[str, str]) -> str:
    """Return the name of the count that a ``bounce`` event with this detail belongs to.

    RFC 3463 §3: subjects 1 (addressing) and 2 (mailbox) concern the recipient; the others the system, the route, the
    content or a policy. A reply without an enhanced code is read by its own: 550, 551 and 553 name the mailbox
    (RFC 5321 §4.2.3).
    """
    if detail.get("reason", "").startswith(TIME_RAN_OUT):
        return "blocks"
    reply = detail.get("reply", "")
    if not reply:
        # Ours, before anything was said to a server; the reason begins with an enhanced code.
        return "invalid_emails" if _subject(detail.get("reason", "")) == "1" else "blocks"
    code, _, rest = reply.partition(" ")
    subject = _subject(rest)
    if subject:
        return "bounces" if subject in {"1", "2"} else "blocks"
    return "bounces" if code in {"550", "551", "553"} else "blocks"


def _subject(text: str) -> str:
    """Return the second number of the enhanced code that a text begins with; "" if it begins with none."""
    enhanced = text.partition(" ")[0].split(".")
    return enhanced[1] if len(enhanced) == 3 and all(part.isdigit() for part in enhanced) else ""


def rate(counts: Counts, *, spam_reports: int = 0) -> float:
    """Return a reputation from 0 to 100: what is left after its bounces and complaints.

    Each hundredth part of bounces and invalid addresses among what was tried to its end costs 3 points, and each
    thousandth part of complaints among what was delivered 6. So 10 % of bounces, or 0.5 % of complaints, where
    mailbox providers begin to refuse a sender, leave 70.
    """
    bounced = counts.bounces + counts.invalid_emails
    ended = counts.delivered + counts.blocks + bounced
    lost = _POINTS_FOR_ALL_BOUNCED * bounced / max(ended, _SMALLEST_SAMPLE)
    lost += _POINTS_FOR_ALL_COMPLAINING * spam_reports / max(counts.delivered, _SMALLEST_SAMPLE)
    return round(max(0.0, GOOD_REPUTATION - lost), 1)


def add_up(counts: Iterable[Counts]) -> Counts:
    """Return the sum."""
    total = Counts()
    for each in counts:
        total += each
    return total
