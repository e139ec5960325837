"""What submission needs from the world, beside the Queue."""

from typing import Protocol

from gatepost.mailflow.content import Content


class ContentWriter(Protocol):
    """Receives one content that is too large for memory."""

    def write(self, octets: bytes) -> None:
        """Append. Raises ``Transient`` when there is no room; the writer is then to be discarded."""
        ...

    def finish(self) -> Content:
        """Return the whole as a Content. It becomes durable with ``Queue.accept``, and is discarded if that fails."""
        ...

    def discard(self) -> None:
        """Forget all of it. May be called at any time, more than once."""
        ...


class ContentSpool(Protocol):
    """Where large contents go while they arrive."""

    def open(self) -> ContentWriter:
        """Begin a content. Raises ``Transient`` when it cannot."""
        ...
