"""Message content: octets that may live in memory or on disk; whoever reads them need not know which."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Content(Protocol):
    """The content of one message: header section, empty line, body; CRLF line ends only.

    Contents are immutable and may be read more than once and from more than one task.
    """

    @property
    def size_octets(self) -> int:
        """The whole length."""
        ...

    def head(self) -> bytes:
        """Return the first octets: at least the whole header section with its empty line, if that is within
        ``MAX_HEAD_OCTETS``; the whole content where it is in memory."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Return the content from its first octet in pieces of any size, about 1 MiB at most when read from disk."""
        ...


MAX_HEAD_OCTETS = 1 << 18
"""A header section may not be longer than this (256 KiB)."""


@dataclass(frozen=True, slots=True)
class MemoryContent:
    """Content held in memory."""

    octets: bytes

    @property
    def size_octets(self) -> int:
        """The whole length."""
        return len(self.octets)

    def head(self) -> bytes:
        """Return all of it."""
        return self.octets

    def chunks(self) -> Iterator[bytes]:
        """Return all of it, in one piece."""
        yield self.octets
