"""The Queue port: the contract every engine keeps (``tests/contracts`` holds one suite for all)."""

from collections.abc import Callable
from typing import Protocol

from gatepost.mailflow.queue.recipient import Lease, Predicate, QueuedMessage, Settlement


class Queue(Protocol):
    """Messages between our 250 and a peer's."""

    async def accept(self, message: QueuedMessage) -> None:
        """Take a message: content, recipients and one ``processed`` event each, in one transaction.

        When this returns, all of it is on stable storage; a crash at any later moment loses nothing of it. A crash
        before leaves all or nothing. Concurrent calls share a commit. A recipient may go straight to LEASED where
        delivery has room, and is then handed out by ``lease`` without being read back.

        Raises:
            Transient: It could not be committed (no room, an I/O error, a suspect store); nothing is kept, and
                the client is to be told to come again.
        """
        ...

    async def lease(self, *, limit: int, room: Callable[[str], int]) -> list[Lease]:
        """Hand out at most ``limit`` leases of what is due, by fairness between accounts and destinations.

        Waits until there is something to hand out. ``room(domain)`` says how many more recipients of that
        destination delivery would take at this moment; call ``wake`` when that has grown. That an attempt begins is
        on stable storage before its lease is handed out, so that after a crash it is known which attempts may
        have succeeded unseen. A held recipient is never handed out.
        """
        ...

    def wake(self) -> None:
        """Look again: room has grown, or the clock has jumped."""
        ...

    async def settle(self, settlement: Settlement) -> None:
        """End a lease: states, events and books in one transaction, on stable storage when this returns.

        A recipient that was put on hold meanwhile stays HELD if it is to be tried again, and is final if it is
        final. Settling a lease twice, or one handed out before a restart, changes nothing (the lease is stale).

        Raises:
            Transient: It could not be committed; settle again.
        """
        ...

    async def hold(self, predicate: Predicate, *, reason: str) -> int:
        """Hold every live recipient that matches; return how many. Attempts already past MAIL run to their end."""
        ...

    async def release(self, predicate: Predicate) -> int:
        """Queue every matching held recipient again, due now; return how many."""
        ...

    async def remove(self, predicate: Predicate, *, reason: str) -> int:
        """Drop every matching queued or held recipient, with a ``dropped`` event; return how many."""
        ...

    async def barrier(self) -> None:
        """Return when every ``accept`` called before has been committed or refused."""
        ...

    async def close(self) -> None:
        """Finish what was called, refuse what comes after, and let go of the store."""
        ...
