"""Requests that were carried out, or are under way, by any process of this machine.

What was carried out stands in the shard that took it, written in the same transaction. What is under way is a lock on
one octet of a file that holds none (``fcntl``), at an offset made of the request's name: the system itself lets go of
it when its process ends, however it ends, and of no other.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from hashlib import sha256
from pathlib import Path
from typing import Final

from gatepost.mailflow.queue.idempotency import RequestRecord
from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.storage.queue_sqlite.codec import to_milliseconds, to_nearest_instant
from gatepost.storage.queue_sqlite.schema import ShardNotMade, connect_reader, unreadable
from gatepost.storage.queue_sqlite.shard import list_shards

_FIND: Final = "SELECT account_id, fingerprint, message_id, at FROM request WHERE key_id = ? AND token = ? AND at >= ?"


class RequestLedger:
    """Implements PastRequests over the shards of one queue directory. One for a process; open it after forking."""

    def __init__(self, queue_dir: Path) -> None:
        queue_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._queue_dir = queue_dir
        # The only descriptor of this file in the process: closing another would let go of all its locks (fcntl(2)).
        self._file = os.open(queue_dir / "requests.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._claimed: set[int] = set()

    def close(self) -> None:
        """Let go of every claim."""
        os.close(self._file)

    def claim(self, key_id: KeyId, token: str) -> AbstractContextManager[None] | None:
        """Claim a request; see the port."""
        digest = sha256(f"{key_id} {token}".encode()).digest()
        offset = int.from_bytes(digest[:8], "big") >> 2  # the range of an offset is 63 bits
        if offset in self._claimed:
            return None
        try:
            lockf(self._file, LOCK_EX | LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):  # which of the two is the system's choice
            return None
        self._claimed.add(offset)
        return self._held(offset)

    @contextmanager
    def _held(self, offset: int) -> Iterator[None]:
        try:
            yield
        finally:
            lockf(self._file, LOCK_UN, 1, offset)
            self._claimed.discard(offset)

    def find(self, key_id: KeyId, token: str, since: datetime) -> RequestRecord | None:
        """Return the record of a request; see the port."""
        for path in list_shards(self._queue_dir):
            with suppress(ShardNotMade):
                row = _look_up(path, (key_id, token, to_milliseconds(since)))
                if row is not None:
                    account_id, fingerprint, message_id, at = row
                    return RequestRecord(
                        account_id=AccountId(account_id),
                        key_id=key_id,
                        token=token,
                        fingerprint=fingerprint,
                        message_id=MessageId(message_id),
                        at=to_nearest_instant(at),
                    )
        return None


def _look_up(path: Path, which: tuple[str, str, int]) -> tuple[str, bytes, str, int] | None:
    try:
        with closing(connect_reader(path)) as connection:
            row: tuple[str, bytes, str, int] | None = connection.execute(_FIND, which).fetchone()
            if row is not None:
                _flush_log(path)
            return row
    except sqlite3.DatabaseError as error:
        raise Transient(str(unreadable(path, error))) from error
    except Misconfigured as error:
        raise Transient(f"requests made before cannot be looked up: {error}") from error


def _flush_log(path: Path) -> None:
    """Put the shard's log on stable storage: a worker that was killed as it committed may not have come to it."""
    with suppress(FileNotFoundError):
        log = os.open(path.with_name(path.name + "-wal"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(log)
        except OSError as error:
            raise Transient(f"{path} cannot be flushed: {error}") from error
        finally:
            os.close(log)
