"""How much an account, and an address, may send in a time. Over the limit is "later", never "no"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import ceil
from typing import Final

from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.tenancy.access.ip_allowlist import Address, client_of
from gatepost.tenancy.access.meters import Charge, Meters, Rate
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.sending_limits import SendingLimits

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


class LimitDenial(Enum):
    """Whose limit was reached; detail is the limit and when to come again."""

    ACCOUNT_LIMIT = "account limit"
    ADDRESS_LIMIT = "address limit"


@dataclass(frozen=True, slots=True)
class OverLimit(Deny):
    """A limit was reached.

    Attributes:
        retry_after: How long until what was asked for would be allowed, if nothing else is sent meanwhile.
    """

    retry_after: timedelta = timedelta(0)


class SendingRate:
    """Counts messages and recipients where a limit is set, and only there."""

    def __init__(self, meters: Meters, *, default: SendingLimits, address_messages_per_minute: int = 0) -> None:
        """Make it.

        Args:
            meters: Those of all workers.
            default: For accounts of which nothing else was set; None or 0 for no limit.
            address_messages_per_minute: Of one client address, whatever keys it uses; 0 for no limit.
        """
        self._meters: Final = meters
        self._default: Final = default
        self._per_address: Final = address_messages_per_minute

    def take(
        self, principal: Principal, peer: Address, now: datetime, *, messages: int = 0, recipients: int = 0
    ) -> Decision:
        """Count so much, all of it or nothing, or say when to come again."""
        own, default = principal.limits, self._default
        wanted = (
            ("messages", "minute", own.messages_per_minute, default.messages_per_minute, messages, _MINUTE),
            ("messages", "hour", own.messages_per_hour, default.messages_per_hour, messages, _HOUR),
            ("recipients", "minute", own.recipients_per_minute, default.recipients_per_minute, recipients, _MINUTE),
            ("recipients", "hour", own.recipients_per_hour, default.recipients_per_hour, recipients, _HOUR),
        )
        charges: list[Charge] = []
        limits: list[tuple[LimitDenial, str]] = []
        for unit, period, set_for_it, otherwise, amount, time in wanted:
            limit = otherwise if set_for_it is None else set_for_it
            if limit and amount:
                name = f"account:{principal.account_id}:{unit}:{period}"
                charges.append(Charge(name, Rate.each(limit, time), amount))
                limits.append(
                    (
                        LimitDenial.ACCOUNT_LIMIT,
                        f"{limit} {unit} {'an' if period == 'hour' else 'a'} {period} of one account",
                    )
                )
        if self._per_address and messages:
            name = "address:{}:{}".format(*client_of(peer))
            charges.append(Charge(name, Rate.each(self._per_address, _MINUTE), messages))
            limits.append((LimitDenial.ADDRESS_LIMIT, f"{self._per_address} messages a minute from one address"))
        return self._decide(charges, limits, now) if charges else ALLOW

    def _decide(self, charges: Sequence[Charge], limits: Sequence[tuple[LimitDenial, str]], now: datetime) -> Decision:
        readings = self._meters.take(charges, now)
        wait, (reason, limit) = max(
            zip([reading.wait for reading in readings], limits, strict=True), key=lambda pair: pair[0]
        )
        if not wait:
            return ALLOW
        return OverLimit(reason, f"{limit}; try again in {ceil(wait.total_seconds())} seconds", retry_after=wait)
