"""What a supervised process and its supervisor owe each other: word how it is, an end when the other ends.

The supervisor leaves two environment variables; without them (a process started by hand) nothing happens.
"""

import asyncio
import ctypes
import os
import signal
from collections.abc import MutableMapping
from datetime import timedelta
from enum import Enum
from typing import Final

READY_VARIABLE: Final = "GATEPOST_READY_FD"
SUPERVISOR_VARIABLE: Final = "GATEPOST_SUPERVISOR_PID"
BEAT_EVERY: Final = timedelta(seconds=1)

_PR_SET_PDEATHSIG: Final = 1


class Word(Enum):
    """What a child says, one octet each."""

    #: It has everything it needs but what the process before it still holds.
    PREPARED = b"p"
    #: It does its work.
    READY = b"r"
    #: Its event loop turns.
    BEAT = b"."


class SupervisorLink:
    """The pipe to the supervisor, and who that is."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take over what the supervisor left in the environment."""
        descriptor = environment.pop(READY_VARIABLE, "")
        supervisor = environment.pop(SUPERVISOR_VARIABLE, "")
        self._descriptor = int(descriptor) if descriptor else -1
        self._supervisor = int(supervisor) if supervisor else 0
        if self._descriptor >= 0:
            # It must not wait for a supervisor that stands still, nor outlive us in a child of ours.
            os.set_blocking(self._descriptor, False)
            os.set_inheritable(self._descriptor, False)

    @property
    def is_orphaned(self) -> bool:
        """Whether the supervisor has died."""
        return self._supervisor != 0 and os.getppid() != self._supervisor

    def end_with_supervisor(self) -> None:
        """Have the kernel send SIGTERM, a drain, to this process when its supervisor dies; call first thing.

        Raises:
            SystemExit: It has died already.
        """
        if not self._supervisor:
            return
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if self.is_orphaned:
            raise SystemExit(0)

    def tell(self, word: Word) -> None:
        """Say something; a supervisor that does not listen stops nobody."""
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, word.value)
        except BlockingIOError:
            return
        except BrokenPipeError:
            os.close(self._descriptor)
            self._descriptor = -1

    async def beat_for_ever(self) -> None:
        """Say again and again that the event loop turns; a loop that is stuck says nothing, and is ended."""
        while self._descriptor >= 0:
            self.tell(Word.BEAT)
            await asyncio.sleep(BEAT_EVERY.total_seconds())
