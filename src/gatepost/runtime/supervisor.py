"""The supervisor: starts child processes, starts them again when they die, drains them, passes signals on.

It runs nothing but this: no event loop, no thread, no mail. A signal wakes it through a pipe.

- SIGTERM, SIGINT: every child gets SIGTERM and drains; who is not done in time is killed.
- SIGHUP: every child that is ready gets SIGHUP and reloads.
- SIGUSR2: every child is replaced by a new process, one after the other (``replacement``).
- A child that ends is started again (``restart``). If one says at the first start that it is misconfigured (status 2),
  everything stops, so that whoever starts the service sees it. Later the service goes on with the others; once all that
  it is for fail again and again, it ends with status 1, so that whoever watches over it hears of it.
- A child whose event loop stands still is ended, and started again.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from gatepost.runtime.child import Child, Program
from gatepost.runtime.replacement import Replacement
from gatepost.runtime.restart import MAX_FAILURES
from gatepost.telemetry.logger import get_logger

EXIT_FAILED: Final = 1
EXIT_MISCONFIGURED: Final = 2

# How long the sockets of a worker that is down may go on collecting connections for it before others get them.
_PATIENCE: Final = timedelta(seconds=2)
# How long after SIGTERM children have closed their listening sockets, and ours can be.
_CLOSING: Final = timedelta(milliseconds=500)
# How long what is not essential waits for what is, so that the two do not start at each other's cost.
_HEAD_START: Final = timedelta(seconds=15)

log = get_logger()


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
        self._children = [Child(program) for program in programs]
        self._environment = dict(environment)
        self._replacement = Replacement(self._children, self._environment, retire_within=stop_within)
        self._stop_within = stop_within
        self._on_state = on_state
        self._on_exit = on_exit
        self._began_at = time.monotonic()
        self._stopped_at: float | None = None
        self._were_ready = False
        self._status = 0

    def run(self) -> int:
        """Run until stopped, in the main thread; return the exit status.

        0 after an orderly stop, 1 if a child had to be killed or all that matters failed again and again, 2 if one was
        misconfigured at the first start.
        """
        self._began_at = time.monotonic()
        with _caught_signals() as wakeup:
            while True:
                self._start_due()
                if self._stopped_at is not None and not self._running():
                    return self._status
                self._wait(wakeup)
                self._reap()
                self._replacement.advance()
                for child in self._running():
                    child.end_if_stuck()
                    if child.kill_if_due():
                        self._status = self._status or (EXIT_FAILED if self._stopped_at is not None else 0)
                self._close_sockets_when_stopping()

    # ------------------------------------------------------------ one turn

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None and self._stopped_at is None and child.start_at <= now and self._may_start(child):
                child.start(self._environment)
                if child.process is None:
                    self._note_failure(child)

    def _may_start(self, child: Child) -> bool:
        if child.program.is_essential or self._were_ready:
            return True
        is_their_turn = all(other.is_ready or other.failures for other in self._essential())
        return is_their_turn or time.monotonic() >= self._began_at + _HEAD_START.total_seconds()

    def _wait(self, wakeup: int) -> None:
        pipes = {child.pipe: child for child in self._all() if child.pipe >= 0}
        readable, _, _ = select.select([wakeup, *pipes], [], [], self._next_turn_in())
        for descriptor in readable:
            if descriptor == wakeup:
                for number in os.read(wakeup, 512):
                    self._handle(signal.Signals(number))
            else:
                pipes[descriptor].listen()
        self._note_ready()

    def _next_turn_in(self) -> float:
        """Return the seconds until something is due; a second where nothing is, which costs nothing."""
        if self._stopped_at is not None or self._replacement.is_under_way or not self._were_ready:
            return 0.1
        due = [child.start_at for child in self._children if child.process is None]
        return min(1.0, max(0.0, min(due) - time.monotonic())) if due else 1.0

    def _handle(self, number: signal.Signals) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop(number.name)
        elif number is signal.SIGHUP and self._stopped_at is None:
            log.info("reload_requested")
            for child in self._children:
                # One that is not ready has no handler yet and would die of it; it reads new settings anyway.
                if child.is_ready:
                    child.send(signal.SIGHUP)
        elif number is signal.SIGUSR2 and self._stopped_at is None:
            self._replacement.begin()

    def _note_ready(self) -> None:
        if self._were_ready or self._stopped_at is not None:
            return
        if all(child.is_ready or (child.failures and not child.program.is_essential) for child in self._children):
            self._were_ready = True
            log.info("service_ready", children=len(self._children))
            self._on_state("READY=1")

    def _reap(self) -> None:
        for child in self._running():
            assert child.process is not None
            pid = child.process.pid
            status = child.reap()
            if status is None:
                continue
            log.log(logging.INFO if status == 0 else logging.ERROR, "child_ended", child=child.name, status=status)
            self._on_exit(pid)
            if child in self._children:
                self._plan_restart(child, status)

    def _plan_restart(self, child: Child, status: int) -> None:
        if status == EXIT_MISCONFIGURED and not self._were_ready and child.program.is_essential:
            self._status = EXIT_MISCONFIGURED
            self._stop("misconfigured")
        if child.plan_restart(timedelta(seconds=time.monotonic() - child.started_at)) > _PATIENCE:
            child.program.sockets.stop_listening()
        self._note_failure(child)

    def _note_failure(self, child: Child) -> None:
        """Give the service up if nothing of what it is for comes up any more; with one of many it goes on."""
        if child.failures >= MAX_FAILURES and self._stopped_at is None:
            log.error("child_keeps_failing", child=child.name, failures=child.failures)
        if all(other.failures >= MAX_FAILURES for other in self._essential()) and self._stopped_at is None:
            log.error("service_gives_up", reason="every mail worker ends again and again; what they logged says why")
            self._status = EXIT_FAILED
            self._stop("every mail worker fails")

    # ------------------------------------------------------------ the end

    def _stop(self, why: str) -> None:
        if self._stopped_at is not None:
            return
        log.info("service_stopping", why=why)
        self._on_state("STOPPING=1")
        self._stopped_at = time.monotonic()
        self._replacement.abandon()
        for child in self._running():
            child.kill_at = self._stopped_at + self._stop_within.total_seconds()
            child.send(signal.SIGTERM)

    def _close_sockets_when_stopping(self) -> None:
        if self._stopped_at is not None and time.monotonic() >= self._stopped_at + _CLOSING.total_seconds():
            for child in self._children:
                child.program.sockets.stop_listening()

    def _all(self) -> list[Child]:
        return [*self._children, *self._replacement.others()]

    def _running(self) -> list[Child]:
        return [child for child in self._all() if child.process is not None]

    def _essential(self) -> list[Child]:
        return [child for child in self._children if child.program.is_essential]


@contextmanager
def _caught_signals() -> Iterator[int]:
    """Give a descriptor from which the numbers of caught signals are read, one byte each."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)
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
