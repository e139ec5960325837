"""A shard's files, held by exactly one process."""

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Protocol

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Misconfigured
from gatepost.storage.ballast import Ballast
from gatepost.storage.queue_sqlite.in_hand import InHand
from gatepost.storage.queue_sqlite.recovery import (
    find_lanes,
    find_next_key,
    find_next_start,
    recover,
    remove_stale_files,
)
from gatepost.storage.queue_sqlite.restored import hold_if_restored
from gatepost.storage.queue_sqlite.schema import connect_writer, damaged
from gatepost.storage.spool import SpoolDirectory


class Report(Protocol):
    """Takes note of what an operator should know: an event's name and its fields. May be called from any thread."""

    def __call__(self, event: str, fields: Mapping[str, object], /) -> None:
        """Take note; returns at once and never raises."""
        ...


class ShardBusy(Misconfigured):
    """Another process holds the shard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPaths:
    """Where a shard lies."""

    database: Path
    lock: Path
    spool: Path
    restored: Path
    in_hand: Path
    ballast: Path

    @classmethod
    def of(cls, directory: Path, number: int) -> "ShardPaths":
        """Return the paths of shard ``number`` of a queue directory."""
        return cls(
            database=directory / f"shard-{number}.db",
            lock=directory / f"shard-{number}.lock",
            spool=directory / f"spool-{number}",
            restored=directory / f"shard-{number}.restored",
            in_hand=directory / f"shard-{number}.hand",
            ballast=directory / f"shard-{number}.ballast",
        )


def list_shards(directory: Path) -> list[Path]:
    """Return the database files of all shards of a queue directory, by number; empty if there are none."""
    return sorted(directory.glob("shard-*.db"), key=lambda path: (len(path.name), path.name))


class Shard:
    """The lock, the write connection and the files of one shard; ``close`` lets go of all.

    Attributes:
        lanes: Account, domain, first and last due instant, as found at opening.
        restored: How many were held because the shard comes from a backup.
        recovered: What was left of the last process.
        in_hand: Where leases are noted that are with delivery.
        ballast: Room to be given back on a full disk; the last process may have left it whole.
        next_start_at: When the first of what is scheduled is due.
    """

    def __init__(self, directory: Path, number: int, *, entropy: Entropy, now: int, ballast_octets: int = 0) -> None:
        """Open or make the shard and recover it from a crash. Takes seconds where a million rows are queued.

        Args:
            directory: ``<state>/queue``; made if it is not there.
            number: Of the mail worker, from 0.
            entropy: For the names of spooled contents.
            now: Unix milliseconds.
            ballast_octets: Of the ballast, once it is taken.

        Raises:
            ShardBusy: Another process holds it.
            Misconfigured: It is damaged or of another version; the text says what to do.
        """
        self.paths = ShardPaths.of(directory, number)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.paths.lock)
        try:
            self.in_hand = InHand(self.paths.in_hand)
            self.ballast = Ballast(self.paths.ballast, ballast_octets)
            try:
                self._open(directory, entropy, now)
            except sqlite3.OperationalError:
                # To recover is to write; and a disk that is too full to map the log's index on looks like a broken one.
                if not self.ballast.give_back():
                    raise
                self._open(directory, entropy, now)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, directory: Path, entropy: Entropy, now: int) -> None:
        os.close(os.open(self.paths.database, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self.spool = SpoolDirectory(self.paths.spool, entropy)
        self.connection = connect_writer(self.paths.database)
        try:
            self.recovered = recover(
                self.connection, now=now, in_hand=self.in_hand.found, alone=self.in_hand.found_alone
            )
            self.in_hand.clear()
            self.restored = hold_if_restored(self.connection, self.paths.restored, now=now)
            self.next_key = find_next_key(self.connection)
            self.lanes = find_lanes(self.connection)
            self.next_start_at = find_next_start(self.connection)
            remove_stale_files(self.connection, self.spool)
            _flush_directory(directory)
        except sqlite3.DatabaseError as error:
            self.connection.close()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
                raise damaged(self.paths.database, error) from error
            raise

    def close(self) -> None:
        """Close the files and let another process have them."""
        self.connection.close()
        self.in_hand.clear()  # what is still with delivery is cut off on request: it is not why the process ends
        self.in_hand.close()
        self.ballast.close()
        os.close(self._lock)


def _lock(path: Path) -> int:
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise ShardBusy(f"another process holds {path}: stop it first, or wait until it has ended") from error
    return file


def _flush_directory(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
