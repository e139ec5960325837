"""Where the content of a message is gathered while it arrives: in memory while it is small, on disk beyond.

All sessions of a process share one MemoryBudget, so that the octets they hold together have a cap whatever the
clients do.
"""

from typing import Final

from gatepost.mailflow.content import Content, MemoryContent
from gatepost.mailflow.submission.ports import ContentSpool, ContentWriter
from gatepost.primitives.errors import Transient

DEFAULT_SPOOL_THRESHOLD_OCTETS: Final = 1 << 18
"""256 KiB: nearly all mail stays in memory; one session can hold no more than this."""


class MemoryBudget:
    """The octets of content that the sessions of this process may hold in memory together."""

    __slots__ = ("held_octets", "limit_octets")

    def __init__(self, limit_octets: int) -> None:
        self.limit_octets = limit_octets
        self.held_octets = 0

    def has_room(self, octets: int) -> bool:
        """Whether so much could be reserved now."""
        return self.held_octets + octets <= self.limit_octets

    def reserve(self, octets: int) -> bool:
        """Take so much, or nothing; return whether it was taken."""
        if self.held_octets + octets > self.limit_octets:
            return False
        self.held_octets += octets
        return True

    def release(self, octets: int) -> None:
        """Give back what was reserved."""
        self.held_octets -= octets


class ContentBuffer:
    """Gathers one content.

    ``add`` any number of times, then ``finish``; in the end, whatever happened, ``keep`` (the content is now somebody
    else's) or ``discard``. Both give the memory back and may be called more than once.
    """

    __slots__ = ("_budget", "_chunks", "_reserved_octets", "_spool", "_threshold_octets", "_trouble", "_writer")

    def __init__(
        self, *, budget: MemoryBudget, spool: ContentSpool, threshold_octets: int = DEFAULT_SPOOL_THRESHOLD_OCTETS
    ) -> None:
        self._budget = budget
        self._spool = spool
        self._threshold_octets = threshold_octets
        self._chunks: list[bytes] = []
        self._reserved_octets = 0
        self._writer: ContentWriter | None = None
        self._trouble: Transient | None = None

    def add(self, octets: bytes) -> None:
        """Append some octets. Never raises: the client is still sending, and hears of trouble at the end."""
        if self._trouble is not None:
            return
        if self._writer is None:
            size = len(octets)
            if self._reserved_octets + size <= self._threshold_octets and self._budget.reserve(size):
                self._reserved_octets += size
                self._chunks.append(octets)
                return
        try:
            self._write(octets)
        except Transient as trouble:
            self._trouble = trouble
            self._discard_written()

    def finish(self) -> Content:
        """Return the whole content.

        Raises:
            Transient: Some of it could not be kept.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._writer is not None:
            return self._writer.finish()
        if len(self._chunks) == 1:
            return MemoryContent(self._chunks[0])
        return MemoryContent(b"".join(self._chunks))

    def discard(self) -> None:
        """Forget all of it, on disk too, unless the queue has taken that over."""
        self._discard_written()
        self._release_memory()

    def _write(self, octets: bytes) -> None:
        if self._writer is None:
            self._writer = self._spool.open()
            for chunk in self._chunks:
                self._writer.write(chunk)
            self._release_memory()
        self._writer.write(octets)

    def _discard_written(self) -> None:
        if self._writer is not None:
            self._writer.discard()
            self._writer = None

    def _release_memory(self) -> None:
        self._budget.release(self._reserved_octets)
        self._reserved_octets = 0
        self._chunks.clear()
