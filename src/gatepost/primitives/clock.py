"""The Clock port: instants are aware UTC datetimes, taken at the edge and passed in."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; the one implementation that reads the machine's is ``gatepost.system.clock``."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...
