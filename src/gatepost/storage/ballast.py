"""Room that is ours whatever others write: a file that is given back when the disk is full to its last octet.

Delivering needs room before it makes any: an attempt is written down before it begins, and the log must be copied back
into a database that may have to grow. What is kept free by refusing new mail (``disk_reserve``) anybody may fill; what
the ballast holds nobody can.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final


class Ballast:
    """The file of one shard, for its one process; from any thread."""

    def __init__(self, path: Path, octets: int) -> None:
        """Open or make the file, empty if it is new; it may still be whole from the last process.

        Args:
            path: Beside what is to have the room.
            octets: How much it is to hold; 0 for none.

        Raises:
            OSError: It cannot be opened.
        """
        self.octets: Final = octets
        self._lock: Final = Lock()
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._is_whole = os.fstat(self._file).st_size >= octets > 0
        self._is_spent = False
        os.ftruncate(self._file, octets if self._is_whole else 0)

    @property
    def is_whole(self) -> bool:
        """It holds its room."""
        return self._is_whole

    @property
    def is_spent(self) -> bool:
        """It was given back, and has not been taken again: what room there is now is for delivery."""
        return self._is_spent

    def take(self) -> bool:
        """Hold the room again; return whether it does. Takes as long as the file system needs to set it aside."""
        with self._lock:
            if self._file < 0 or self._is_whole or not self.octets:
                return self._is_whole
            try:
                os.posix_fallocate(self._file, 0, self.octets)
            except OSError:
                # A part of it is worth nothing to us, and much to others.
                with suppress(OSError):
                    os.ftruncate(self._file, 0)
                return False
            self._is_whole, self._is_spent = True, False
            return True

    def give_back(self) -> bool:
        """Let the disk have the room; return whether there was any to give."""
        with self._lock:
            if not self._is_whole:
                return False
            os.ftruncate(self._file, 0)
            self._is_whole, self._is_spent = False, True
            return True

    def close(self) -> None:
        """Let go of the file; what it holds stays held."""
        with self._lock:
            file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
