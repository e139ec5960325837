"""The machine's randomness: the only caller of the operating system's generator."""

import os


class SystemEntropy:
    """Implements the Entropy port."""

    def draw(self, size: int) -> bytes:
        """Return ``size`` bytes fit for keys and tokens."""
        return os.urandom(size)
