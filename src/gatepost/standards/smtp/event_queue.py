"""What the owner is still to be told, and what it has been asked."""

from collections import deque

from gatepost.standards.smtp.events import ServerEvent, SessionEnded, TransactionAborted


class EventQueue:
    """Events in order. At most one of them asks, always the last, until its answer is taken.

    Attributes:
        asked: The event that waits for a decision; None if none does.
    """

    __slots__ = ("_events", "asked")

    def __init__(self) -> None:
        self._events: deque[ServerEvent] = deque()
        self.asked: ServerEvent | None = None

    def __len__(self) -> int:
        return len(self._events)

    def tell(self, event: ServerEvent) -> None:
        """Add an event that asks nothing."""
        self._events.append(event)

    def ask(self, event: ServerEvent) -> None:
        """Add an event that pauses the session until ``answer``."""
        self._events.append(event)
        self.asked = event

    def answer(self) -> ServerEvent:
        """Take the event that has been decided.

        Raises:
            RuntimeError: None was asked, a mistake of the owner.
        """
        if self.asked is None:
            raise RuntimeError("no decision is due")
        event, self.asked = self.asked, None
        return event

    def take(self) -> ServerEvent | None:
        """Take the next event."""
        return self._events.popleft() if self._events else None

    def end(self, *, aborts_transaction: bool) -> None:
        """Add the end of the session. It overtakes what has not been taken yet, except that an abort is always told."""
        if aborts_transaction or TransactionAborted() in self._events:
            self._events = deque((TransactionAborted(), SessionEnded()))
        else:
            self._events = deque((SessionEnded(),))
        self.asked = None
