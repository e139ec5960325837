"""SendingLimits: how much an account may send in a time."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingLimits:
    """Counts of messages and of recipients; None where nothing is said: no limit, or the service's own.

    A limit is a bucket: so much at once after a pause, and then as much as comes back evenly in that time.
    """

    messages_per_minute: int | None = None
    messages_per_hour: int | None = None
    recipients_per_minute: int | None = None
    recipients_per_hour: int | None = None

    def or_else(self, default: Self) -> Self:
        """Return these limits, with the default's where nothing is said here."""
        chosen = {}
        for each in fields(self):
            own = getattr(self, each.name)
            chosen[each.name] = getattr(default, each.name) if own is None else own
        return type(self)(**chosen)


UNLIMITED = SendingLimits()
