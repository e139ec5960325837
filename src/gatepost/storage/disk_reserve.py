"""Room that new mail does not get: what was accepted can be delivered and settled on a disk that is nearly full.

An attempt is written down before it begins, its end is, and the log they go to has to be copied back; all that needs
room, and gives none until it is done. So new mail is turned away first. Against others who fill the disk, the store has
a ballast (``ballast``); while that is spent, new mail is turned away too.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gatepost.storage.ballast import Ballast
from gatepost.telemetry.logger import get_logger

LOOK_EVERY_SECONDS: Final = 1.0

log = get_logger()


class DiskReserve:
    """Knows whether there is room for new mail; belongs to one event loop."""

    def __init__(
        self, directory: Path, reserve_octets: int, *, monotonic: Callable[[], float], ballast: Ballast | None = None
    ) -> None:
        """Watch the file system of a directory, which exists.

        Args:
            directory: Of the queue.
            reserve_octets: So much is left free.
            monotonic: Counts seconds.
            ballast: Of the queue.
        """
        self.reserve_octets = reserve_octets
        self.free_octets = 0
        self._directory: Final = directory
        self._monotonic: Final = monotonic
        self._ballast: Final = ballast
        self._look_again_at = -1.0
        self._has_room = True

    def has_room(self) -> bool:
        """Whether new mail may be taken; asks the file system once a second at most, however often it is called."""
        now = self._monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + LOOK_EVERY_SECONDS
            self._look()
        return self._has_room and not (self._ballast is not None and self._ballast.is_spent)

    def keep_ballast(self) -> None:
        """Take the ballast if it is not held and the reserve would stay free beside it. Blocks: not on the loop."""
        if self._ballast is None or self._ballast.is_whole:
            return
        free_octets = _measure(self._directory)
        if free_octets >= self.reserve_octets + self._ballast.octets and self._ballast.take():
            log.info("disk_ballast_taken", octets=self._ballast.octets)

    def _look(self) -> None:
        try:
            self.free_octets = _measure(self._directory)
        except OSError as error:
            # The store itself will say what is wrong.
            log.warning("disk_not_measured", directory=str(self._directory), reason=str(error))
            return
        had_room, self._has_room = self._has_room, self.free_octets >= self.reserve_octets
        figures = {"free_octets": self.free_octets, "reserve_octets": self.reserve_octets}
        if had_room and not self._has_room:
            log.error("disk_reserve_reached", effect="no new mail is accepted (452, 507)", **figures)
        elif self._has_room and not had_room:
            log.warning("disk_room_again", **figures)


def _measure(directory: Path) -> int:
    """Return what processes without privileges may still write, in octets. Raises ``OSError``."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
