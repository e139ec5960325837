"""Levels of meters that all workers of a machine share: a file mapped into the memory of each.

The file is a table of a fixed size. A name has its place by its hash, one of a few cells side by side; where those are
taken, the one that was quiet longest gives way. Nothing in it has to survive: without the file every meter is empty.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

_CELL: Final = struct.Struct("<16sdd")
_CELLS_SIDE_BY_SIDE: Final = 8
_EMPTY: Final = bytes(16)
_TRIES: Final = 200
"""A lock is held for some ten microseconds. After so many tries its holder has been stopped in the middle."""

DEFAULT_CAPACITY: Final = 1 << 15


class SharedCells:
    """Implements Cells. Open it in each process anew, after forking; for one thread."""

    def __init__(self, path: Path, *, capacity: int = DEFAULT_CAPACITY) -> None:
        """Map the file, and make it if there is none of that size.

        Raises:
            OSError: There is no room for it, or it cannot be used.
        """
        size = capacity * _CELL.size
        self._descriptor: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(self._descriptor).st_size != size:
                os.ftruncate(self._descriptor, size)
            # A mapped page for which there is no room on the disk would end the process when it is touched.
            os.posix_fallocate(self._descriptor, 0, size)
            self._map: Final = mmap.mmap(self._descriptor, size)
        except OSError:
            os.close(self._descriptor)
            raise
        self._sets: Final = capacity // _CELLS_SIDE_BY_SIDE

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep other processes out, unless one of them was stopped while it kept us out.

        Then we go on without the lock: a count may be lost, which is less than a worker that stands still.
        """
        is_ours = self._try_to_lock()
        try:
            yield
        finally:
            if is_ours:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def get(self, name: str) -> tuple[float, float]:
        """Return the level and when it was that."""
        digest = _digest(name)
        for place in self._places(digest):
            found, level, at = _CELL.unpack_from(self._map, place)
            if found == digest:
                return level, at
        return 0.0, 0.0

    def put(self, name: str, level: float, at: float) -> None:
        """Keep a level."""
        digest = _digest(name)
        quietest, quiet_since = -1, float("inf")
        for place in self._places(digest):
            found, _, since = _CELL.unpack_from(self._map, place)
            if found == digest:
                quietest = place
                break
            since = -1.0 if found == _EMPTY else since
            if since < quiet_since:
                quietest, quiet_since = place, since
        _CELL.pack_into(self._map, quietest, digest, level, at)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._descriptor)

    def _try_to_lock(self) -> bool:
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        return False

    def _places(self, digest: bytes) -> range:
        first = int.from_bytes(digest[:8], "little") % self._sets * _CELLS_SIDE_BY_SIDE
        return range(first * _CELL.size, (first + _CELLS_SIDE_BY_SIDE) * _CELL.size, _CELL.size)


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
