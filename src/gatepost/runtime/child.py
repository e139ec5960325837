"""One child of the supervisor: its process, and the pipe over which it says how it is."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gatepost.runtime.child_process import READY_VARIABLE, SUPERVISOR_VARIABLE, Word
from gatepost.runtime.listening_sockets import ListenerSockets
from gatepost.runtime.restart import STUCK_AFTER, count_failures, restart_after
from gatepost.telemetry.logger import get_logger

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child to keep running.

    Attributes:
        name: "mail-0"; for the log.
        sockets: Kept open here, passed to every incarnation under the same descriptors.
        is_essential: It is what the service is for. Where all of these fail, so does the service; the others are
            started once these are ready, and tried again for ever.
    """

    name: str
    command: tuple[str, ...]
    sockets: ListenerSockets = field(default_factory=ListenerSockets)
    is_essential: bool = True


@dataclass(slots=True, eq=False)
class Child:
    """A program and its process, if it runs; times are of the monotonic clock.

    Attributes:
        pipe: From which it is read how it is; -1 for none.
        last_beat: When its event loop was last known to turn; None before it has said so for the first time.
        kill_at: When it is killed if it has not ended.
    """

    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    pipe: int = -1
    is_prepared: bool = False
    is_ready: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    last_beat: float | None = None
    kill_at: float | None = None
    failures: int = 0

    @property
    def name(self) -> str:
        """Of its program."""
        return self.program.name

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the process. If it cannot be executed, that is logged, and the next start planned."""
        self.pipe, theirs = os.pipe()
        self.is_prepared = self.is_ready = False
        self.last_beat = self.kill_at = None
        try:
            self.process = subprocess.Popen(  # noqa: S603 - commands of our own making
                self.program.command,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs, *self.program.sockets.descriptors),
                env={**environment, READY_VARIABLE: str(theirs), SUPERVISOR_VARIABLE: str(os.getpid())},
                # Its own group: Ctrl-C is for us, who then drain it.
                process_group=0,
            )
        except OSError as error:
            log.error("child_not_started", child=self.name, reason=str(error))  # noqa: TRY400 - the text says it all
            self.close_pipe()
            self.plan_restart(timedelta())
            return
        finally:
            os.close(theirs)
        self.started_at = time.monotonic()
        log.info("child_started", child=self.name, pid=self.process.pid)

    def plan_restart(self, ran_for: timedelta) -> timedelta:
        """Note an end; return how long it is until the next start."""
        self.failures = count_failures(self.failures, ran_for=ran_for)
        delay = restart_after(self.failures)
        self.start_at = time.monotonic() + delay.total_seconds()
        return delay

    def listen(self) -> None:
        """Read what it says."""
        octets = os.read(self.pipe, 512)
        if not octets:
            self.close_pipe()
            return
        self.is_prepared = self.is_prepared or Word.PREPARED.value in octets
        self.is_ready = self.is_ready or Word.READY.value in octets
        if Word.BEAT.value in octets:
            self.last_beat = time.monotonic()

    def reap(self) -> int | None:
        """Return the status with which it has ended, and let go of it; None if it has not, or does not run."""
        status = self.process.poll() if self.process is not None else None
        if status is not None:
            self.process, self.is_ready = None, False
            self.close_pipe()
        return status

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.process is not None:
            # It may have ended a moment ago; Popen then sends nothing.
            with suppress(ProcessLookupError):
                self.process.send_signal(number)

    def end_if_stuck(self) -> None:
        """End it with SIGABRT, which has it say where it is stuck, if its event loop has not turned for too long."""
        if self.process is None or self.last_beat is None or self.kill_at is not None:
            return
        now = time.monotonic()
        if now - self.last_beat < STUCK_AFTER.total_seconds():
            return
        if _is_stopped(self.process.pid):
            # Somebody has stopped it, and may want it to go on.
            self.last_beat = now
            return
        log.error("child_stuck", child=self.name, pid=self.process.pid, seconds=round(now - self.last_beat))
        self.kill_at = now + 5.0
        self.send(signal.SIGABRT)

    def kill_if_due(self) -> bool:
        """Kill it if its time is up; return whether it was."""
        if self.process is None or self.kill_at is None or time.monotonic() < self.kill_at:
            return False
        log.error("child_killed", child=self.name)
        self.kill_at = None
        self.send(signal.SIGKILL)
        return True

    def close_pipe(self) -> None:
        """Listen to it no more."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


def _is_stopped(pid: int) -> bool:
    """Whether a process stands still at somebody's request (the state in ``/proc/<pid>/stat``, after its name)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return False
    return state in ("T", "t")
