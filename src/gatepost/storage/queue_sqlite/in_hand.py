"""Which leases are with delivery at this moment, kept where the end of the process does not reach: in a small file.

A crash leaves it behind, and with it the messages that the crash may be the doing of. It is written through the page
cache and never flushed: a machine that loses power has not been brought down by a message.
"""

import os
from pathlib import Path
from struct import Struct
from typing import Final

_SLOT: Final = Struct("<q")
_EMPTY: Final = _SLOT.pack(0)


class InHand:
    """The file of one shard, for its one process.

    A slot holds the key of a lease's first recipient, the same with a minus if it is excused, or nothing.

    Attributes:
        found: What the last process had in hand when it ended.
        found_alone: That of it which had nothing beside it that is not excused; 0 if there is no such one.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises ``OSError``."""
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        octets = os.read(self._file, os.fstat(self._file).st_size)
        whole = len(octets) - len(octets) % _SLOT.size
        keys = [key for (key,) in _SLOT.iter_unpack(octets[:whole]) if key]
        self.found = tuple([abs(key) for key in keys])
        not_excused = [key for key in keys if key > 0] or self.found
        self.found_alone = not_excused[0] if len(not_excused) == 1 else 0
        self._free: list[int] = []
        self._slots = 0

    def clear(self) -> None:
        """Forget what is noted: it was dealt with, or the process ends on request. Only before or after all use."""
        os.ftruncate(self._file, 0)

    def enter(self, key: int) -> int:
        """Note that a lease is in hand; return its slot. Without room on the disk it goes unnoted: slot -1."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._slots
            self._slots += 1
        return slot if self._write(slot, _SLOT.pack(key)) else -1

    def excuse(self, slot: int, key: int) -> None:
        """Note that it was alone for long enough, and is beside others from now on."""
        if slot >= 0:
            self._write(slot, _SLOT.pack(-key))

    def leave(self, slot: int) -> None:
        """Note that it is in hand no more."""
        if slot >= 0 and self._write(slot, _EMPTY):
            self._free.append(slot)

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _write(self, slot: int, octets: bytes) -> bool:
        try:
            return os.pwrite(self._file, octets, slot * _SLOT.size) == _SLOT.size
        except OSError:
            # A full disk keeps nothing from being delivered; it only makes a crash harder to explain. And a lease may
            # end after the file has been closed.
            return False
