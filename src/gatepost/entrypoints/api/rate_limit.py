"""How many requests an address, a key and an account may make: meters that all mail workers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from gatepost.entrypoints.api.ports import PeerAddress
from gatepost.tenancy.access.ip_allowlist import client_of
from gatepost.tenancy.access.meters import Charge, Meters, Rate
from gatepost.tenancy.access.person import Caller, id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left to a caller, by the limit that leaves him least.

    Attributes:
        limit: Requests at once, when none were made for a while.
        remaining: Requests that could be made now.
        full_at: When it is ``limit`` again.
        retry_after: How long until one more is allowed; zero if this one was.
    """

    limit: int
    remaining: int
    full_at: datetime
    retry_after: timedelta

    def headers(self) -> dict[str, str]:
        """Write it as clients of the dialect read it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(ceil(self.full_at.timestamp())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRates:
    """How many requests each may make, on all workers together."""

    key: Rate
    account: Rate
    address: Rate


class RateLimit:
    """Counts requests."""

    def __init__(self, meters: Meters, address_meters: Meters, rates: RequestRates) -> None:
        self._meters: Final = meters
        self._address_meters: Final = address_meters
        self._rates: Final = rates

    def take_of_address(self, peer: PeerAddress, now: datetime) -> Allowance:
        """Count a request of an address, before anything is known of who makes it.

        The addresses of an IPv6 /64 count as one.
        """
        charge = Charge("requests:{}:{}".format(*client_of(peer)), self._rates.address)
        return _take(self._address_meters, [charge], now)

    def take(self, caller: Caller, now: datetime) -> Allowance:
        """Count a request of a key or a person and of the account, if both may make it; say what is left."""
        return _take(
            self._meters,
            [
                Charge(f"requests:{id_of(caller)}", self._rates.key),
                Charge(f"requests:{caller.account_id}", self._rates.account),
            ],
            now,
        )


def _take(meters: Meters, charges: Sequence[Charge], now: datetime) -> Allowance:
    allowances = [
        Allowance(
            limit=int(charge.rate.size),
            remaining=max(0, int(charge.rate.size - reading.level)),
            full_at=now + timedelta(seconds=reading.level / charge.rate.per_second),
            retry_after=reading.wait,
        )
        for charge, reading in zip(charges, meters.take(charges, now), strict=True)
    ]
    return min(allowances, key=lambda each: (-each.retry_after, each.remaining))
