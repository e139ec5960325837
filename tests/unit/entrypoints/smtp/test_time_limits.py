"""Patience ends where the limits say, and not before."""

from datetime import timedelta

import pytest

from gatepost.entrypoints.smtp.time_limits import Overrun, Phase, Progress, TimeLimits, find_overrun

LIMITS = TimeLimits(
    preamble_timeout=timedelta(seconds=5),
    handshake_timeout=timedelta(seconds=30),
    authentication_timeout=timedelta(seconds=120),
    idle_timeout=timedelta(seconds=300),
    content_idle_timeout=timedelta(seconds=180),
    content_grace=timedelta(seconds=100),
    content_min_rate=1000,
    session_timeout=timedelta(seconds=3600),
)


def progress(phase: Phase, *, since: float = 0.0, read_at: float = 0.0, octets: int = 0) -> Progress:
    return Progress(phase=phase, opened_at=0.0, phase_since=since, read_at=read_at, content_octets=octets)


@pytest.mark.parametrize(
    ("seen", "passed_at", "overrun"),
    [
        pytest.param(progress(Phase.PREAMBLE, read_at=4), 5, Overrun.PREAMBLE, id="a preamble in pieces"),
        pytest.param(progress(Phase.HANDSHAKE, since=50, read_at=79), 80, Overrun.HANDSHAKE, id="a slow handshake"),
        pytest.param(progress(Phase.STRANGER, read_at=119), 120, Overrun.IDLE, id="a stranger who only talks"),
        pytest.param(progress(Phase.COMMAND, read_at=1000), 1300, Overrun.IDLE, id="silence between commands"),
        pytest.param(progress(Phase.COMMAND, since=1100, read_at=1000), 1400, Overrun.IDLE, id="after our decision"),
        pytest.param(progress(Phase.COMMAND, read_at=3599), 3600, Overrun.SESSION, id="an endless session"),
        pytest.param(
            progress(Phase.CONTENT, since=4000, read_at=4010, octets=10**9), 4190, Overrun.IDLE, id="silence in content"
        ),
        pytest.param(
            progress(Phase.CONTENT, since=4000, read_at=4149, octets=50_000), 4150, Overrun.CONTENT_RATE, id="a trickle"
        ),
    ],
)
def test_a_limit_is_passed_to_the_second(seen: Progress, passed_at: float, overrun: Overrun) -> None:
    assert find_overrun(LIMITS, seen, passed_at - 0.1) is None
    assert find_overrun(LIMITS, seen, passed_at) is overrun


def test_a_decision_of_ours_has_no_limit() -> None:
    assert find_overrun(LIMITS, progress(Phase.DECISION), 1e9) is None


def test_a_content_that_keeps_the_rate_may_outlast_the_session_limit() -> None:
    seen = progress(Phase.CONTENT, since=3000, read_at=4999, octets=2_000_000)

    assert find_overrun(LIMITS, seen, 5000) is None


def test_entering_a_phase_starts_its_time_and_its_count() -> None:
    seen = progress(Phase.CONTENT, octets=500)

    seen.enter(Phase.COMMAND, 70.0)

    assert (seen.phase, seen.phase_since, seen.content_octets, seen.opened_at) == (Phase.COMMAND, 70.0, 0, 0.0)


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [(Phase.PREAMBLE, 5), (Phase.HANDSHAKE, 30), (Phase.STRANGER, 25), (Phase.COMMAND, 25), (Phase.CONTENT, 25)],
    ids=str,
)
def test_short_limits_are_looked_at_to_the_point_and_the_others_from_time_to_time(phase: Phase, seconds: float) -> None:
    assert LIMITS.look_again_after(phase) == seconds
