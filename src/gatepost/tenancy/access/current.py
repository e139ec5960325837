"""Current: what was read from the control plane, for as long as nothing there has changed."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from gatepost.tenancy.access.ports import AccessVersion

T = TypeVar("T")


class Current(Generic[T]):
    """Hands out a value to keep look-ups in (a dict, say), and a new empty one when anything has changed.

    Take the value first and fill it with what is read afterwards: then nothing in it is older than the version it
    belongs to, and a thread that is late with its answer writes it into a value nobody asks any more.
    """

    def __init__(self, version: AccessVersion, empty: Callable[[], T]) -> None:
        self._version: Final = version
        self._empty: Final = empty
        self._held: tuple[int, T] | None = None

    def get(self) -> T:
        """Return the value of the present version."""
        version = self._version.version()
        held = self._held
        if held is not None and held[0] == version:
            return held[1]
        value = self._empty()
        self._held = (version, value)
        return value

    def drop(self) -> None:
        """Forget everything now."""
        self._held = None
