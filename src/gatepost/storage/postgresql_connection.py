"""Connections to PostgreSQL that never keep a caller waiting for a server that is gone or frozen.

No setting of the server helps when it is the server that stands still, and TCP calls a frozen host alive. So each
answer is waited for here, for a bounded time; and once one has not come, every further question is refused at once,
until a thread of our own has got an answer again. A server that refuses connections holds nobody, and needs no such
care.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS: Final = 2
"""libpq takes nothing shorter."""

ANSWER_IN_LOOP_SECONDS: Final = 2.0
"""Whoever asks from within an event loop holds up everybody in it."""

ANSWER_SECONDS: Final = 20.0
"""Elsewhere: longer than the server itself lets a statement run, or wait for a lock."""

PROBE_EVERY_SECONDS: Final = 0.25


class ServerSilent(psycopg.OperationalError):
    """The server did not answer in time, or is known not to answer."""


class ServerWatch:
    """Knows whether the server answers; shared by all connections of a process to one database."""

    def __init__(
        self,
        arguments: dict[str, Any],
        *,
        on_change: Callable[[bool], None],
        answer_in_loop_seconds: float = ANSWER_IN_LOOP_SECONDS,
    ) -> None:
        """Watch nothing yet.

        Args:
            arguments: Of ``psycopg.connect``.
            on_change: Told False when the server stops answering, True when it does again; from any thread.
            answer_in_loop_seconds: See above.
        """
        self._arguments: Final = {**arguments, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
        self._on_change: Final = on_change
        self._answer_in_loop_seconds: Final = answer_in_loop_seconds
        self._lock: Final = Lock()
        self._closed: Final = Event()
        self._is_silent = False

    def connect(self, **more: Any) -> "WatchedConnection":
        """Open a connection. Raises ``psycopg.OperationalError``, at once where the server is known to be gone."""
        self.require_answering()
        try:
            connection = WatchedConnection.connect(**{**self._arguments, **more})
        except psycopg.errors.ConnectionTimeout:
            self.note_silence()
            raise
        connection.watch = self
        return connection

    def require_answering(self) -> None:
        """Raise ``ServerSilent`` while the server is known not to answer."""
        if self._is_silent:
            raise ServerSilent("the server does not answer; it is asked again and again")

    def note_silence(self) -> None:
        """The server has not answered: refuse every question until it does."""
        with self._lock:
            if self._is_silent or self._closed.is_set():
                return
            self._is_silent = True
        Thread(target=self._probe_until_it_answers, name="probe postgresql", daemon=True).start()
        self._on_change(False)

    def answer_seconds(self) -> float:
        """Return how long the present caller may wait for one answer."""
        return self._answer_in_loop_seconds if _is_in_event_loop() else ANSWER_SECONDS

    def close(self) -> None:
        """Stop asking."""
        self._closed.set()

    def _probe_until_it_answers(self) -> None:
        while not self._closed.wait(PROBE_EVERY_SECONDS):
            with suppress(psycopg.Error):
                self._probe()
                self._is_silent = False
                self._on_change(True)
                return

    def _probe(self) -> None:
        connection = WatchedConnection.connect(**self._arguments, autocommit=True)
        try:
            connection.answer_seconds = self._answer_in_loop_seconds
            connection.execute("SELECT 1")
        finally:
            connection.close()


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that waits no longer than it may; one that had to give up is closed.

    Attributes:
        watch: Asked before each question, and told when no answer came.
        answer_seconds: However long the caller may wait, no answer may take longer; None for no such bound.
    """

    watch: ServerWatch | None = None
    answer_seconds: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for the answer to one question."""
        seconds = self.answer_seconds
        if self.watch is not None:
            self.watch.require_answering()
            seconds = seconds or self.watch.answer_seconds()
        if seconds is None or (timeout is not None and timeout < seconds):
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - psycopg 3.3 gives it no public name
            # Its answer may come later, to another question.
            self.pgconn.finish()
            if self.watch is not None:
                self.watch.note_silence()
            raise ServerSilent(f"the server did not answer within {seconds:g} s") from error


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
