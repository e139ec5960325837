"""The Entropy port: random bytes are drawn at the edge and passed in."""

from typing import Protocol


class Entropy(Protocol):
    """Draws unpredictable bytes; the one real implementation is ``gatepost.system.entropy``."""

    def draw(self, size: int) -> bytes:
        """Return ``size`` bytes fit for keys and tokens."""
        ...
