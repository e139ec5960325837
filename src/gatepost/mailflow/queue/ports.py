"""The Queue port: the contract every engine keeps (``tests/contracts`` holds one suite for all)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.mailflow.queue.recipient import Lease, Predicate, QueuedMessage, Settlement
from gatepost.mailflow.queue.schedule import DueGroup, ScheduleEnd
from gatepost.primitives.errors import Transient


class StoreTrouble(Enum):
    """Why a store could not do what was asked."""

    #: The file system or the store's own limit is full; it goes on when there is room.
    NO_ROOM = "no room"
    #: Reading or writing failed, or another process held the store; it may work the next time.
    IO_ERROR = "input/output error"
    #: A flush to stable storage has failed, so that nothing it says can be believed: restart the process.
    SUSPECT = "suspect store"
    #: The store has been closed.
    CLOSED = "closed"


class StoreUnavailable(Transient):
    """The store could not commit; nothing was changed."""

    def __init__(self, trouble: StoreTrouble, detail: str = "") -> None:
        super().__init__(f"the queue's store is not available: {trouble.value}{': ' if detail else ''}{detail}")
        self.trouble = trouble


class Queue(Protocol):
    """Messages between our 250 and a peer's."""

    async def accept(self, message: QueuedMessage) -> None:
        """Take a message: content, recipients and one ``processed`` event each, in one transaction.

        When this returns, all of it is on stable storage; a crash at any later moment loses nothing of it. A crash
        before leaves all or nothing. Concurrent calls share a commit. A recipient may go straight to LEASED where
        delivery has room, and is then handed out by ``lease`` without being read back.

        Raises:
            StoreUnavailable: It could not be committed (no room, an I/O error, a suspect store); nothing is kept,
                and the client is to be told to come again.
            Permanent: This message alone cannot be stored; nothing is kept.
        """
        ...

    async def accept_all(self, messages: Sequence[QueuedMessage], *, record: RequestRecord | None = None) -> None:
        """Take several messages, whose contents are in memory, as ``accept`` takes one: all of them or none.

        They are in one transaction: whatever is raised, and wherever a crash falls, never only some of them are kept.
        A ``record`` of the request they came with is in it too, and is kept for ``REMEMBERED_FOR``.
        """
        ...

    async def lease(self, *, limit: int, room: Callable[[str], int]) -> list[Lease]:
        """Hand out at most ``limit`` leases of what is due, by fairness between accounts and destinations.

        Waits until there is something to hand out. ``room(domain)`` says how many more recipients of that
        destination delivery would take at this moment; call ``wake`` when that has grown. That an attempt begins is
        on stable storage before its lease is handed out, so that after a crash it is known which attempts may
        have succeeded unseen. A held recipient is never handed out. A cancelled call loses nothing.

        Raises:
            StoreUnavailable: The store is suspect or closed; there will be nothing more to hand out.
        """
        ...

    def wake(self) -> None:
        """Look again: room has grown, or the clock has jumped."""
        ...

    def is_on_hold(self, lease: Lease) -> bool:
        """Tell whether a lease was put on hold after it was handed out.

        To be asked before MAIL: an attempt that has not come so far is to be left out, and the lease settled as
        QUEUED (which then becomes HELD).
        """
        ...

    async def settle(self, settlement: Settlement) -> None:
        """End a lease: states, events and books in one transaction, on stable storage when this returns.

        A recipient that was put on hold meanwhile stays HELD if it is to be tried again, and is final if it is
        final. Settling a lease twice, or one handed out before a restart, changes nothing (the lease is stale).

        Raises:
            StoreUnavailable: It could not be committed; settle again.
        """
        ...

    async def hold(self, predicate: Predicate, *, reason: str) -> int:
        """Hold every live recipient that matches and is not on hold; return how many.

        One that is held until its sender's right returns (``HELD_UNTIL_RETURN``) and is now held for another reason
        is held for that one: its return releases it no more.

        When this returns, none of them is handed out any more. One whose attempt is under way is marked: the
        attempt runs to its end if it is past MAIL (``is_on_hold``), and where the recipient would be queued again
        it is HELD. Each leaves a ``held`` event. Large numbers are done in several transactions.
        """
        ...

    async def release(self, predicate: Predicate) -> int:
        """Queue every matching recipient that is on hold again, due now; return how many.

        A mark on one whose attempt is under way is lifted, and counts. Each leaves a ``released`` event.
        """
        ...

    async def remove(self, predicate: Predicate, *, reason: str) -> int:
        """Drop every matching queued or held recipient, with a ``dropped`` event; return how many."""
        ...

    @property
    def next_start_at(self) -> datetime | None:
        """When ``find_due`` is worth a call; None while nothing is scheduled. From memory."""
        ...

    async def find_due(self, now: datetime) -> tuple[DueGroup, ...]:
        """Return the groups of scheduled mail of which some is due."""
        ...

    async def end_schedule(self, group: DueGroup, end: ScheduleEnd) -> int:
        """Queue or drop what of a group is SCHEDULED and due by ``end``; return how many recipients.

        What is on hold stays so, and is due at its release. Those dropped leave a ``dropped`` event each. Large
        numbers are done in several transactions.
        """
        ...

    async def barrier(self) -> None:
        """Return when every ``accept`` called before has been committed or refused."""
        ...

    async def close(self) -> None:
        """Finish what was called, refuse what comes after, and let go of the store."""
        ...
