from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mailflow.queue.retry import DEFAULT_SCHEDULE, RetrySchedule, decide_next

ACCEPTED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("attempts", "delay"),
    [
        (1, MINUTE),
        (2, 5 * MINUTE),
        (3, 15 * MINUTE),
        (4, 30 * MINUTE),
        (5, HOUR),
        (6, 2 * HOUR),
        (7, 4 * HOUR),
        (8, 4 * HOUR),
        (1000, 4 * HOUR),
    ],
)
def test_delays_grow_and_then_stay(attempts, delay):
    now = ACCEPTED + 10 * HOUR

    assert decide_next(attempts, ACCEPTED, now, 0.0) == now + delay


@pytest.mark.parametrize(
    ("jitter", "minutes"), [(0.0, 60), (0.5, 66), (0.999999, 72)], ids=["none", "half", "nearly all"]
)
def test_jitter_stretches_a_delay_by_up_to_a_fifth(jitter, minutes):
    found = decide_next(5, ACCEPTED, ACCEPTED, jitter)

    assert abs(found - ACCEPTED - minutes * MINUTE) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(72 * HOUR, None, id="at its end"),
        pytest.param(30 * DAY, None, id="long past its end, after one attempt all the same"),
        pytest.param(72 * HOUR - MINUTE, ACCEPTED + 72 * HOUR, id="a minute before its end"),
        pytest.param(70 * HOUR, ACCEPTED + 72 * HOUR, id="less than a delay before its end"),
        pytest.param(68 * HOUR, ACCEPTED + 72 * HOUR, id="exactly a delay before its end"),
        pytest.param(60 * HOUR, ACCEPTED + 64 * HOUR, id="well before its end"),
        pytest.param(-4 * DAY, ACCEPTED - 4 * DAY + 4 * HOUR, id="the clock was set back"),
    ],
)
def test_the_last_attempt_falls_on_the_end_of_the_lifetime(age, expected):
    assert decide_next(9, ACCEPTED, ACCEPTED + age, 0.0) == expected


@given(
    attempts=st.integers(1, 100),
    age=st.timedeltas(timedelta(0), timedelta(days=3650)),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_the_next_attempt_is_ahead_and_never_further_than_the_longest_delay(attempts, age, jitter):
    now = ACCEPTED + age
    found = decide_next(attempts, ACCEPTED, now, jitter)

    assert (found is None) == (age >= DEFAULT_SCHEDULE.lifetime)
    assert found is None or now < found <= now + DEFAULT_SCHEDULE.longest_delay


def test_nothing_follows_what_has_not_been_attempted():
    with pytest.raises(ValueError, match="attempt"):
        decide_next(0, ACCEPTED, ACCEPTED, 0.0)


@pytest.mark.parametrize(
    ("delays", "lifetime"),
    [((), DAY), ((MINUTE, timedelta(0)), DAY), ((MINUTE,), timedelta(0))],
    ids=["no delay", "a delay of nothing", "no lifetime"],
)
def test_a_schedule_that_cannot_work_is_refused(delays, lifetime):
    with pytest.raises(ValueError, match=r"schedule|lifetime"):
        RetrySchedule(delays=delays, lifetime=lifetime)


def test_a_schedule_of_ones_own():
    schedule = RetrySchedule(delays=(timedelta(seconds=2),), lifetime=MINUTE)

    assert decide_next(5, ACCEPTED, ACCEPTED, 0.0, schedule) == ACCEPTED + timedelta(seconds=2)
    assert decide_next(5, ACCEPTED, ACCEPTED + MINUTE, 0.0, schedule) is None
