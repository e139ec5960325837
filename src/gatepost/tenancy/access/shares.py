"""Shares: what this process has taken of budgets and not spent yet. Memory only; for any thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from gatepost.tenancy.access.budget import Charge, LimitName


@dataclass(slots=True)
class _Share:
    """What is in hand, and how much the store still had at the last look; None for not known."""

    began_at: datetime
    in_hand: int = 0
    elsewhere: int | None = None


class Shares:
    """Keeps shares by name. The store is asked by whoever uses this, between ``take_out`` and ``put_in``."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._shares: dict[LimitName, _Share] = {}

    def spend(self, charges: Sequence[Charge]) -> bool:
        """Spend all of these, or none if there is not enough in hand."""
        with self._lock:
            shares = [(self._current(charge), charge.amount) for charge in charges]
            if any(share.in_hand < amount for share, amount in shares):
                return False
            for share, amount in shares:
                share.in_hand -= amount
            return True

    def find_refusal(self, charges: Sequence[Charge]) -> Charge | None:
        """Return the first charge of which it is known that there is not enough, anywhere."""
        with self._lock:
            for charge in charges:
                share = self._current(charge)
                if share.elsewhere is not None and share.in_hand + share.elsewhere < charge.amount:
                    return charge
        return None

    def in_hand(self, charge: Charge) -> int:
        """Return how much there is of that name and time."""
        with self._lock:
            return self._current(charge).in_hand

    def take_out(self, charge: Charge) -> int:
        """Take all there is in hand: nobody else spends it until it is put in again."""
        with self._lock:
            share = self._current(charge)
            amount, share.in_hand = share.in_hand, 0
            return amount

    def put_in(self, charge: Charge, *, elsewhere: int | None = None) -> None:
        """Put in an amount, and note how much the store still has, where that is known."""
        with self._lock:
            share = self._current(charge)
            # A share that has moved on to the next hour takes nothing of the last one.
            if share.began_at == charge.began_at:
                share.in_hand += charge.amount
                share.elsewhere = elsewhere

    def take_all(self) -> list[Charge]:
        """Take out everything, and forget what the store had."""
        with self._lock:
            shares, self._shares = self._shares, {}
        return [
            Charge(name=name, began_at=share.began_at, amount=share.in_hand)
            for name, share in shares.items()
            if share.in_hand
        ]

    def _current(self, charge: Charge) -> _Share:
        share = self._shares.get(charge.name)
        if share is None or share.began_at < charge.began_at:
            share = self._shares[charge.name] = _Share(charge.began_at)
        return share
