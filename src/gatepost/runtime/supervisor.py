"""The supervisor: starts child processes, starts them again when they die, drains them, passes signals on.

It runs nothing but this: no event loop, no thread, no mail. A signal wakes it through a pipe.

- SIGTERM, SIGINT: every child gets SIGTERM and drains; who is not done in time is killed.
- SIGHUP: every child that is ready gets SIGHUP and reloads.
- A child that ends is started again (``restart``). If one says at the first start that it is misconfigured (status 2),
  everything stops, so that whoever starts the service sees it.
"""

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gatepost.runtime.child_process import READY_VARIABLE, SUPERVISOR_VARIABLE
from gatepost.runtime.listening_sockets import ListenerSockets
from gatepost.runtime.restart import count_failures, restart_after
from gatepost.telemetry.logger import get_logger

EXIT_MISCONFIGURED: Final = 2

# How long the sockets of a worker that is down may go on collecting connections for it before others get them.
_PATIENCE: Final = timedelta(seconds=2)
# How long after SIGTERM children have closed their listening sockets, and ours can be.
_CLOSING: Final = timedelta(milliseconds=500)

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child to keep running.

    Attributes:
        name: "mail-0"; for the log.
        sockets: Kept open here, passed to every incarnation under the same descriptors.
    """

    name: str
    command: tuple[str, ...]
    sockets: ListenerSockets = field(default_factory=ListenerSockets)


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    ready_pipe: int = -1
    is_ready: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0


class Supervisor:
    """Keeps programs running until told to stop."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        environment: Mapping[str, str],
        stop_within: timedelta,
        on_state: Callable[[str], None] = lambda _state: None,
        on_exit: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        """Make a supervisor that has started nothing yet.

        Args:
            programs: What to run.
            environment: What the children see.
            stop_within: From SIGTERM on, for all children together; then SIGKILL.
            on_state: Hears "READY=1" once all children are ready for the first time, and "STOPPING=1".
            on_exit: Hears the process id of each child that ended.
        """
        self._children = [_Child(program) for program in programs]
        self._environment = dict(environment)
        self._stop_within = stop_within
        self._on_state = on_state
        self._on_exit = on_exit
        self._stop_at: float | None = None
        self._were_ready = False
        self._status = 0

    def run(self) -> int:
        """Run until stopped, in the main thread; return the exit status.

        0 after an orderly stop, 1 if a child had to be killed, 2 if one was misconfigured at the first start.
        """
        with _caught_signals() as wakeup:
            while True:
                self._start_due()
                if self._stop_at is not None and not self._running():
                    return self._status
                self._wait(wakeup)
                self._reap()
                self._enforce_stop()

    # ------------------------------------------------------------ one turn

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None and self._stop_at is None and child.start_at <= now:
                self._start(child)

    def _start(self, child: _Child) -> None:
        child.ready_pipe, theirs = os.pipe()
        try:
            child.process = subprocess.Popen(  # noqa: S603 - commands of our own making
                child.program.command,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs, *child.program.sockets.descriptors),
                env=self._environment | {READY_VARIABLE: str(theirs), SUPERVISOR_VARIABLE: str(os.getpid())},
                # Its own group: Ctrl-C is for us, who then drain it.
                process_group=0,
            )
        except OSError:
            log.exception("child_not_started", child=child.program.name)
            self._close_ready_pipe(child)
            self._plan_restart(child, timedelta())
            return
        finally:
            os.close(theirs)
        child.started_at = time.monotonic()
        log.info("child_started", child=child.program.name, pid=child.process.pid)

    def _wait(self, wakeup: int) -> None:
        pipes = {child.ready_pipe: child for child in self._children if child.ready_pipe >= 0}
        readable, _, _ = select.select([wakeup, *pipes], [], [], self._next_turn_in())
        for descriptor in readable:
            if descriptor == wakeup:
                for number in os.read(wakeup, 512):
                    self._handle(signal.Signals(number))
            else:
                self._note_ready(pipes[descriptor])

    def _next_turn_in(self) -> float:
        """Return the seconds until something is due; a second where nothing is, which costs nothing."""
        if self._stop_at is not None:
            return 0.1
        due = [child.start_at for child in self._children if child.process is None]
        return min(1.0, max(0.0, min(due) - time.monotonic())) if due else 1.0

    def _handle(self, number: signal.Signals) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop(number.name)
        elif number is signal.SIGHUP and self._stop_at is None:
            log.info("reload_requested")
            for child in self._children:
                # One that is not ready has no handler yet and would die of it; it reads new settings anyway.
                if child.is_ready:
                    _send(child, signal.SIGHUP)

    def _note_ready(self, child: _Child) -> None:
        child.is_ready = os.read(child.ready_pipe, 1) == b"r"
        self._close_ready_pipe(child)
        if not self._were_ready and all(other.is_ready for other in self._children):
            self._were_ready = True
            log.info("service_ready", children=len(self._children))
            self._on_state("READY=1")

    def _reap(self) -> None:
        for child in self._running():
            assert child.process is not None
            status = child.process.poll()
            if status is None:
                continue
            log.log(
                logging.INFO if status == 0 else logging.ERROR, "child_ended", child=child.program.name, status=status
            )
            self._on_exit(child.process.pid)
            child.process, child.is_ready = None, False
            self._close_ready_pipe(child)
            if status == EXIT_MISCONFIGURED and not self._were_ready:
                self._status = EXIT_MISCONFIGURED
                self._stop("misconfigured")
            self._plan_restart(child, timedelta(seconds=time.monotonic() - child.started_at))

    def _plan_restart(self, child: _Child, ran_for: timedelta) -> None:
        child.failures = count_failures(child.failures, ran_for=ran_for)
        delay = restart_after(child.failures)
        child.start_at = time.monotonic() + delay.total_seconds()
        if delay > _PATIENCE:
            child.program.sockets.stop_listening()

    # ------------------------------------------------------------ the end

    def _stop(self, why: str) -> None:
        if self._stop_at is not None:
            return
        log.info("service_stopping", why=why)
        self._on_state("STOPPING=1")
        self._stop_at = time.monotonic() + self._stop_within.total_seconds()
        for child in self._running():
            _send(child, signal.SIGTERM)

    def _enforce_stop(self) -> None:
        if self._stop_at is None:
            return
        now = time.monotonic()
        if now >= self._stop_at - self._stop_within.total_seconds() + _CLOSING.total_seconds():
            for child in self._children:
                child.program.sockets.stop_listening()
        if now >= self._stop_at:
            for child in self._running():
                log.error("child_killed", child=child.program.name)
                self._status = self._status or 1
                _send(child, signal.SIGKILL)

    def _running(self) -> list[_Child]:
        return [child for child in self._children if child.process is not None]

    @staticmethod
    def _close_ready_pipe(child: _Child) -> None:
        if child.ready_pipe >= 0:
            os.close(child.ready_pipe)
            child.ready_pipe = -1


def _send(child: _Child, number: signal.Signals) -> None:
    if child.process is not None:
        # It may have ended a moment ago; Popen then sends nothing.
        with suppress(ProcessLookupError):
            child.process.send_signal(number)


@contextmanager
def _caught_signals() -> Iterator[int]:
    """Give a descriptor from which the numbers of caught signals are read, one byte each."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    handlers = {number: signal.signal(number, lambda _number, _frame: None) for number in caught}
    previous = signal.set_wakeup_fd(writing)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
