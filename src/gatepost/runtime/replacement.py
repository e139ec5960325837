"""New processes for old ones, one child after the other, while the service goes on: for a new version of the program.

A successor is started beside the one that works. Once it has everything but what the old one holds (its queue shard),
the old one is told to drain, and hands over by ending; its sockets stay open throughout, so that who connects in
between waits and is not refused. A successor that does not come so far changes nothing: the old one goes on.
"""

import signal
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from gatepost.runtime.child import Child
from gatepost.telemetry.logger import get_logger

PREPARE_WITHIN: Final = timedelta(seconds=60)

log = get_logger()


class Replacement:
    """Replaces the supervisor's children when asked to.

    ``children`` is the supervisor's own list, in which a successor takes its predecessor's place.
    """

    def __init__(self, children: list[Child], environment: Mapping[str, str], *, retire_within: timedelta) -> None:
        self._children = children
        self._environment = environment
        self._retire_within = retire_within.total_seconds()
        self._waiting: list[Child] = []
        self._predecessor: Child | None = None
        self._successor: Child | None = None
        self._retired: list[Child] = []

    @property
    def is_under_way(self) -> bool:
        """Whether there is something to do."""
        return self._successor is not None or bool(self._waiting) or bool(self.others())

    def others(self) -> list[Child]:
        """Processes that are not among the children: a successor on its way, and who has been told to end."""
        self._retired = [child for child in self._retired if child.process is not None]
        is_apart = self._successor is not None and self._successor not in self._children
        return [*self._retired, *([self._successor] if self._successor is not None and is_apart else [])]

    def begin(self) -> None:
        """Replace all children; does nothing while they are being replaced."""
        if self.is_under_way:
            log.warning("replacement_refused", reason="one is under way")
            return
        log.info("replacement_begun")
        self._waiting = list(self._children)

    def advance(self) -> None:
        """Do what is due."""
        if self._successor is None:
            self._start_next()
            return
        if self._predecessor is not None:
            self._hand_over(self._predecessor, self._successor)
        elif self._successor.is_ready or self._successor.process is None:
            # Should it have ended, it is a child like any other now, and is started again.
            self._successor = None
            if not self._waiting:
                log.info("service_replaced")

    def abandon(self) -> None:
        """Replace no more; whoever is still there is the supervisor's to end."""
        self._waiting = []

    def _start_next(self) -> None:
        if not self._waiting:
            return
        self._predecessor = self._waiting.pop(0)
        self._successor = Child(self._predecessor.program)
        self._successor.start(self._environment)

    def _hand_over(self, old: Child, new: Child) -> None:
        if new.process is None or time.monotonic() > new.started_at + PREPARE_WITHIN.total_seconds():
            log.error("replacement_failed", child=old.name, effect="the old processes go on")
            new.send(signal.SIGTERM)
            new.kill_at = time.monotonic() + self._retire_within
            self._retired.append(new)
            self._waiting, self._predecessor, self._successor = [], None, None
        elif new.is_prepared or new.is_ready:
            self._children[self._children.index(old)] = new
            self._retired.append(old)
            self._predecessor = None
            old.kill_at = time.monotonic() + self._retire_within
            old.send(signal.SIGTERM)
