"""What submission needs from the world, beside the Queue."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from gatepost.mailflow.content import Content
from gatepost.primitives.decision import Decision, Deny
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox
from gatepost.tenancy.access.budget import BudgetSpent
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.access.spending import Spent


class ContentWriter(Protocol):
    """Receives one content that is too large for memory."""

    def write(self, octets: bytes) -> None:
        """Append. Raises ``Transient`` when there is no room; the writer is then to be discarded."""
        ...

    def finish(self) -> Content:
        """Return the whole as a Content. It becomes durable with ``Queue.accept``, and is discarded if that fails."""
        ...

    def discard(self) -> None:
        """Forget all of it, unless the queue has taken it over. May be called at any time, more than once."""
        ...


class ContentSpool(Protocol):
    """Where large contents go while they arrive."""

    def open(self) -> ContentWriter:
        """Begin a content. Raises ``Transient`` when it cannot."""
        ...


class SendingAllowance(Protocol):
    """Says whether so much may be sent now."""

    def take(
        self,
        principal: Principal,
        peer: IPv4Address | IPv6Address,
        now: datetime,
        *,
        messages: int = 0,
        recipients: int = 0,
    ) -> Decision:
        """Count so much, all of it or nothing, or say when to come again. Never waits."""
        ...


class CurrentRights(Protocol):
    """Says what a principal may do now, however long ago it was authenticated."""

    def recheck(self, principal: Principal, peer: IPv4Address | IPv6Address) -> Principal | Deny:
        """Return the principal as it stands at this instant, or why it may not send any more from that address.

        The key must exist, be unrevoked and unexpired, grant ``mail.send``, and be used from where it may be; the
        account must be active. Once a call that ends one of these has returned, anywhere, this returns Deny.
        Never waits: the caller relies on nothing happening between this and what it does next.

        Raises:
            Transient: It cannot be known now; the client is to be told to come again.
        """
        ...


class Budgets(Protocol):
    """Charges what is sent to the budgets of the key under which it is."""

    async def charge(self, principal: Principal, forward_paths: Sequence[Mailbox]) -> Spent | BudgetSpent:
        """Charge all budgets of the principal for copies to these recipients, or none of them.

        Raises:
            Transient: It cannot be known now; nothing was spent.
        """
        ...

    def give_back(self, spent: Spent) -> None:
        """Undo a charge: the message was not taken after all."""
        ...


class Credits(Protocol):
    """Keeps accounts whose ``Principal.is_metered`` to their credits: one for each recipient."""

    def spend(self, account_id: AccountId, count: int) -> bool:
        """Spend so many, or none and return False. Never waits. Raises ``Transient``: neither yes nor no."""
        ...

    def unspend(self, account_id: AccountId, count: int) -> None:
        """Take back what was spent on messages that were not accepted after all."""
        ...
