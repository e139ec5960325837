"""What the relay's own queue says about the demo's mail: events and books, read beside the running workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from gatepost.mailflow.events.event import Event, EventType
from gatepost.mailflow.queue.recipient import Books
from gatepost.primitives.ids import AccountId, MessageId
from gatepost.runtime.compose_workers import open_readings
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.reader import QueueReader, add_books


class Ledger:
    """Reads every shard."""

    def __init__(self, readers: list[QueueReader]) -> None:
        self._readers = readers
        self._seen = [0] * len(readers)

    def find_event(self, message_id: MessageId, kind: EventType) -> Event | None:
        """Return the first event of that kind that a message has had."""
        reports = [reader.find_message(message_id) for reader in self._readers]
        events = [event for report in reports if report for event in report.events if event.type is kind]
        return events[0] if events else None

    def read_books(self, account_id: AccountId) -> Books | None:
        """Return an account's books, or None if it has none yet."""
        books = add_books([one for reader in self._readers for one in reader.read_books()])
        return next((one for one in books if one.account_id == account_id), None)

    def skip_events(self) -> None:
        """Let ``take_events`` begin with what happens from now on."""
        self._seen = [reader.last_event_id() for reader in self._readers]

    def take_events(self) -> list[Event]:
        """Return what has happened since the last call, oldest first."""
        found: list[Event] = []
        for index, reader in enumerate(self._readers):
            for event_id, event in reader.list_events(after_id=self._seen[index], limit=200):
                self._seen[index] = event_id
                found.append(event)
        return sorted(found, key=_happened_at)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """Open all shards for the length of a block."""
    with open_readings(settings) as readings:
        yield Ledger(readings.readers)


def _happened_at(event: Event) -> datetime:
    return event.at
