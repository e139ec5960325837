"""Copies the write-ahead log back into the database, beside the writer instead of inside its commits."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Final, NamedTuple

from gatepost.mailflow.queue.ports import StoreTrouble
from gatepost.storage.queue_sqlite.schema import connect_checkpointer
from gatepost.storage.queue_sqlite.shard import Report
from gatepost.storage.trouble import classify

_REST_SECONDS: Final = 0.5
"""Between two checkpoints, so that pages written again and again are copied once."""

_MUCH_OCTETS: Final = 16 << 20
"""Written since the last checkpoint: there is no rest then."""

_LONG_LOG_PAGES: Final = 4096
"""32 MiB. The log starts anew only when all of it has been copied and nothing is being written."""


class Copied(NamedTuple):
    """What a checkpoint came to: how many pages the log has, and whether all of them have been copied."""

    pages: int
    is_complete: bool


class Checkpointer(Thread):
    """A thread with a connection of its own.

    While the writer is busy, a checkpoint beside it never gets to the end of the log, so that the log would grow
    without bound: when it is long, the writer is asked to copy the small rest between two groups.
    """

    def __init__(
        self, path: Path, *, ask_writer: Callable[[], None], on_suspect: Callable[[Exception], None], report: Report
    ) -> None:
        super().__init__(name=f"checkpoint {path.name}", daemon=True)
        self._path = path
        self._ask_writer = ask_writer
        self._on_suspect = on_suspect
        self._report = report
        self._octets = 0
        self._has_work = Event()
        self._has_much = Event()
        self._is_ending = False

    def notify(self, octets: int) -> None:
        """About so much has been committed; called by the writer."""
        self._octets += octets
        self._has_work.set()
        if self._octets > _MUCH_OCTETS:
            self._octets = 0
            self._has_much.set()

    def stop(self) -> None:
        """End after the checkpoint under way."""
        self._is_ending = True
        self._has_work.set()
        self._has_much.set()
        self.join()

    def run(self) -> None:
        """Copy, rest, until stopped."""
        connection = connect_checkpointer(self._path)
        try:
            while not self._is_ending:
                self._has_work.wait()
                self._has_much.wait(_REST_SECONDS)
                if not self._is_ending:
                    self._has_work.clear()
                    self._has_much.clear()
                    self._copy(connection)
        finally:
            connection.close()

    def _copy(self, connection: sqlite3.Connection) -> None:
        try:
            pages = checkpoint(connection).pages
        except sqlite3.Error as error:
            self._report("queue_checkpoint_failed", {"shard": self._path.name, "error": str(error)})
            if classify(error) is StoreTrouble.SUSPECT:
                self._on_suspect(error)
            return
        if pages > _LONG_LOG_PAGES:
            self._ask_writer()


def checkpoint(connection: sqlite3.Connection) -> Copied:
    """Copy what can be copied without waiting for anybody."""
    _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return Copied(pages, copied == pages)
