"""Tab: what an SMTP transaction may still offer under its key's budgets, recipient by recipient.

So a client hears at MAIL or RCPT, before it sends the content, that there is nothing left: for the recipients that are
too many alone, while the others pass. An estimate, since other sessions spend meanwhile; what counts is said by
``Spending.charge`` at the end.
"""

import asyncio
from typing import Final

from gatepost.primitives.decision import ALLOW, Decision
from gatepost.standards.address import Mailbox
from gatepost.tenancy.access.budget import BudgetSpent, Measure
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.spending import Spending, counts_new


class Tab:
    """Of one transaction; make it with ``open_tab``."""

    def __init__(self, spending: Spending, principal: Principal, left: dict[Measure, tuple[int, int]]) -> None:
        self._spending: Final = spending
        self._principal: Final = principal
        self._left: Final = left
        self._counts_new: Final = counts_new(principal)
        self._new: Final[set[int]] = set()

    def decide_message(self) -> Decision:
        """Decide whether there is anything left for a message to anybody."""
        refused = self._find_spent(new=False)
        return ALLOW if refused is None else refused

    def decide_recipient(self, recipient: Mailbox) -> Decision | None:
        """Decide on one more recipient, and count it; None if the store has to be asked whether it is new."""
        if (refused := self._find_spent(new=False)) is not None:
            return refused
        if self._counts_new and self._find_new(recipient):
            return None
        return self._count(new=False)

    async def ask_recipient(self, recipient: Mailbox) -> Decision:
        """Decide on one more recipient with the store's help, and count it. Raises ``Transient``."""
        unknown = self._find_new(recipient)
        if not await asyncio.to_thread(self._spending.known.ask, self._principal.account_id, unknown):
            return self._count(new=False)
        if (refused := self._find_spent(new=True)) is not None:
            return refused
        self._new.update(unknown)
        return self._count(new=True)

    def _find_new(self, recipient: Mailbox) -> list[int]:
        unknown = self._spending.known.find_unknown(self._principal.account_id, [recipient])
        return [digest for digest in unknown if digest not in self._new]

    def _find_spent(self, *, new: bool) -> BudgetSpent | None:
        for measure, (left, limit) in self._left.items():
            if left < 1 and measure.counts_new_recipients is new:
                return self._spending.refuse(measure, limit)
        return None

    def _count(self, *, new: bool) -> Decision:
        for measure, (left, limit) in self._left.items():
            if new or not measure.counts_new_recipients:
                self._left[measure] = (left - 1, limit)
        return ALLOW


async def open_tab(spending: Spending, principal: Principal) -> Tab:
    """Begin a transaction: find out what is left. Raises ``Transient``."""
    return Tab(spending, principal, await asyncio.to_thread(spending.count_left, principal))
