"""Spending: budgets, as one process keeps to them.

What a process may spend it has taken from the store before, durably, in shares of one part in 64: so a budget is
never exceeded, by whatever number of processes and crashes, and most messages cost a look into memory. What is lost
instead: a share that another process holds, for a minute at most, and one that was in hand at a crash.

To whom an account has written is remembered in the store, and what was asked of it lately in memory: a recipient who
may be new costs a look into the store, one who is new a transaction. There are no more of those than the budget has.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox
from gatepost.tenancy.access.budget import BudgetSpent, Charge, LimitName, Measure, spent
from gatepost.tenancy.access.known_recipients import KEPT_RECIPIENTS, KnownRecipients
from gatepost.tenancy.access.ports import BudgetStore, Short
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.shares import Shares

SHARES: Final = 64
"""A process takes this part of a budget at a time."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent for a message, to be given back if it is not taken after all."""

    charges: tuple[Charge, ...] = ()


NOTHING: Final = Spent()


class Spending:
    """Charges purses."""

    def __init__(self, store: BudgetStore, *, hash_recipient: Callable[[bytes], bytes], clock: Clock) -> None:
        self.known: Final = KnownRecipients(store, hash_recipient)
        self._store: Final = store
        self._clock: Final = clock
        self._shares: Final = Shares()

    async def charge(self, principal: Principal, forward_paths: Sequence[Mailbox]) -> Spent | BudgetSpent:
        """Charge all purses of the principal for copies to these recipients, or none of them.

        Returns:
            What was spent; or which budget has not enough left, and until when.

        Raises:
            Transient: The store does not answer; nothing was spent.
        """
        if not principal.purses:
            return NOTHING
        now, messages = self._clock.now(), len(forward_paths)
        unknown = self.known.find_unknown(principal.account_id, forward_paths) if counts_new(principal) else []
        charges = list_charges(principal, now, messages=messages)
        if not unknown and self._shares.spend(charges):
            return Spent(tuple(charges))
        known_short = self._shares.find_refusal(charges)
        if known_short is not None:
            return spent(known_short.name.measure, known_short.name.limit, now)
        refused = await asyncio.to_thread(self._ask, principal, messages, unknown, now)
        return Spent(tuple(charges)) if refused is None else refused

    def give_back(self, spent: Spent) -> None:
        """Undo a charge: the message was not taken. Recipients that were new stay known, and counted."""
        for charge in spent.charges:
            self._shares.put_in(charge)

    def count_left(self, principal: Principal) -> dict[Measure, tuple[int, int]]:
        """Return how much is left by measure, here and in the store, and of which limit; waits. Raises ``Transient``.

        Where several purses count the same, it is the one with the least.
        """
        charges = list_charges(principal, self._clock.now(), messages=0, new_recipients=0)
        in_store = self._store.look(charges)
        left: dict[Measure, tuple[int, int]] = {}
        for charge, amount in zip(charges, in_store, strict=True):
            here = (self._shares.in_hand(charge) + amount, charge.name.limit)
            left[charge.name.measure] = min(here, left.get(charge.name.measure, here))
        return left

    def refuse(self, measure: Measure, limit: int) -> BudgetSpent:
        """Make the refusal that says until when."""
        return spent(measure, limit, self._clock.now())

    def return_shares(self) -> None:
        """Put everything in hand back into the store; waits for it. Call it each minute, and at the end.

        Raises:
            Transient: It cannot be reached; what was in hand is in hand again.
        """
        held = self._shares.take_all()
        if not held:
            return
        try:
            self._store.give_back(held)
        except BaseException:
            for charge in held:
                self._shares.put_in(charge)
            raise

    def forget_oldest(self) -> int:
        """Keep what is remembered of recipients within its bound; waits. Raises ``Transient``."""
        return self._store.forget_oldest(kept=KEPT_RECIPIENTS)

    def _ask(self, principal: Principal, messages: int, unknown: list[int], now: datetime) -> BudgetSpent | None:
        """Spend with the store's help; waits."""
        new = self.known.ask(principal.account_id, unknown)
        charges = list_charges(principal, now, messages=messages, new_recipients=len(new))
        refused = self._shares.find_refusal(charges)
        if refused is None and (new or not self._shares.spend(charges)):
            refused = self._take(principal.account_id, charges, new, now)
        return None if refused is None else spent(refused.name.measure, refused.name.limit, now)

    def _take(
        self, account_id: AccountId, charges: Sequence[Charge], new: Sequence[int], now: datetime
    ) -> Charge | None:
        """Take what is needed beyond what is in hand; return the charge that cannot be met."""
        held = [self._shares.take_out(charge) for charge in charges]
        needed = [
            (replace(charge, amount=max(0, charge.amount - mine)), charge.name.limit // SHARES)
            for charge, mine in zip(charges, held, strict=True)
        ]
        try:
            outcome = self._store.take(account_id, needed, recipients=new, at=now)
        except BaseException:
            self._put_in(charges, held)
            raise
        if isinstance(outcome, Short):
            self._put_in(charges, held)
            refused = charges[outcome.position]
            self._shares.put_in(replace(refused, amount=0), elsewhere=outcome.left)
            return refused
        self.known.remember(account_id, new)
        rest = [mine + taken - charge.amount for charge, mine, taken in zip(charges, held, outcome, strict=True)]
        self._put_in(charges, rest)
        return None

    def _put_in(self, charges: Sequence[Charge], amounts: Sequence[int]) -> None:
        for charge, amount in zip(charges, amounts, strict=True):
            self._shares.put_in(replace(charge, amount=amount))


def counts_new(principal: Principal) -> bool:
    """Say whether any budget of the principal counts first-time recipients."""
    return any(measure.counts_new_recipients for purse in principal.purses for measure, _ in purse.budget.limits())


def list_charges(
    principal: Principal, now: datetime, *, messages: int, new_recipients: int | None = None
) -> list[Charge]:
    """Return what such messages are charged; without ``new_recipients``, only what counts all messages."""
    return [
        Charge(
            name=LimitName(account_id=purse.account_id, purse_id=purse.id, measure=measure, limit=limit),
            began_at=measure.began_at(now),
            amount=amount,
        )
        for purse in principal.purses
        for measure, limit in purse.budget.limits()
        if (amount := new_recipients if measure.counts_new_recipients else messages) is not None
    ]
