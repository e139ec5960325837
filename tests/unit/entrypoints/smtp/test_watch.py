"""One timer a connection, moved as seldom as possible."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gatepost.entrypoints.smtp.time_limits import Overrun, Phase, TimeLimits
from gatepost.entrypoints.smtp.watch import Watch

LIMITS = TimeLimits(
    preamble_timeout=timedelta(seconds=5),
    handshake_timeout=timedelta(seconds=30),
    authentication_timeout=timedelta(seconds=100),
    idle_timeout=timedelta(seconds=300),
    content_idle_timeout=timedelta(seconds=300),
    content_grace=timedelta(seconds=300),
    session_timeout=timedelta(seconds=1000),
    closing_timeout=timedelta(seconds=2),
)


class Loop:
    """The clock and the timers of an event loop, without waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []
        self.calls = 0

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> "Timer":
        self.calls += 1
        self.timers.append(Timer(self.now + seconds, action))
        return self.timers[-1]

    def run_until(self, instant: float) -> None:
        while due := [timer for timer in self.timers if timer.at <= instant]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = timer.at
            if not timer.is_cancelled:
                timer.action()
        self.now = instant


class Timer:
    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at, self.action, self.is_cancelled = at, action, False

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def overruns() -> list[Overrun]:
    return []


@pytest.fixture
def watch(loop: Loop, overruns: list[Overrun]) -> Watch:
    return Watch(LIMITS, loop, overruns.append)  # type: ignore[arg-type]  # all of a loop that it needs


def test_a_short_limit_is_met_to_the_point(watch: Watch, loop: Loop, overruns: list[Overrun]) -> None:
    watch.begin(Phase.HANDSHAKE)

    loop.run_until(1029.9)
    assert overruns == []
    loop.run_until(1030)

    assert overruns == [Overrun.HANDSHAKE]


def test_a_long_limit_is_met_to_within_a_quarter_of_the_shortest(
    watch: Watch, loop: Loop, overruns: list[Overrun]
) -> None:
    watch.begin(Phase.COMMAND)
    loop.run_until(1010)
    watch.progress.read_at = loop.now

    loop.run_until(1309.9)
    assert overruns == []
    loop.run_until(1335)

    assert overruns == [Overrun.IDLE]


def test_a_thousand_lines_move_no_timer(watch: Watch, loop: Loop) -> None:
    watch.begin(Phase.COMMAND)

    for _ in range(1000):
        watch.progress.read_at = loop.now
        watch.progress.enter(Phase.CONTENT, loop.now)
        watch.progress.enter(Phase.COMMAND, loop.now)

    assert loop.calls == 1


def test_a_cancelled_watch_finds_nothing(watch: Watch, loop: Loop, overruns: list[Overrun]) -> None:
    watch.begin(Phase.HANDSHAKE)

    watch.cancel()
    watch.cancel()
    loop.run_until(9999)

    assert overruns == []


def test_closing_has_its_own_time_and_nothing_else_is_watched(
    watch: Watch, loop: Loop, overruns: list[Overrun]
) -> None:
    ended = []
    watch.begin(Phase.HANDSHAKE)

    watch.end(lambda: ended.append(loop.now))
    loop.run_until(9999)

    assert ended == [1002]
    assert overruns == []
