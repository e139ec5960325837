from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.ids import KeyId
from gatepost.tenancy.access.meters import MemoryCells, Meters
from gatepost.tenancy.access.throttle import AuthenticationThrottle, ThrottleLimits

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = ip_address("192.0.2.1")


def fail(
    throttle: AuthenticationThrottle, times: int, peer: str = "192.0.2.1", key_id: str | None = None
) -> list[float]:
    named = None if key_id is None else KeyId(key_id)
    return [throttle.penalize(ip_address(peer), named, NOW).total_seconds() for _ in range(times)]


def test_refusals_come_at_once_then_ever_slower_up_to_the_longest_delay() -> None:
    assert fail(AuthenticationThrottle(), 10) == [0, 0, 0, 0.5, 1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize(("failures", "expected"), [(0, True), (9, True), (10, False), (50, False)])
def test_a_network_at_its_limit_is_not_looked_at(failures: int, expected: bool) -> None:
    throttle = AuthenticationThrottle()

    fail(throttle, failures)

    assert throttle.admits(HERE, NOW) is expected


@pytest.mark.parametrize(
    ("guesser", "other", "expected"),
    [
        ("192.0.2.1", "192.0.2.254", False),
        ("192.0.2.1", "192.0.3.1", True),
        ("192.0.2.1", "::ffff:192.0.2.7", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::1", False),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", True),
        ("::1", "0.0.0.0", True),
    ],
)
def test_addresses_of_one_network_count_together(guesser: str, other: str, expected: bool) -> None:
    throttle = AuthenticationThrottle()

    fail(throttle, 10, guesser)

    assert throttle.admits(ip_address(other), NOW) is expected


@pytest.mark.parametrize(
    ("after", "expected"), [(timedelta(seconds=29), False), (timedelta(seconds=61), True), (timedelta(days=-1), False)]
)
def test_the_count_drains_with_time_and_not_with_a_clock_set_back(after: timedelta, expected: bool) -> None:
    throttle = AuthenticationThrottle()
    fail(throttle, 100)

    assert throttle.admits(HERE, NOW + after) is expected


def test_a_network_that_is_quiet_for_a_window_starts_afresh() -> None:
    throttle = AuthenticationThrottle()
    fail(throttle, 100)
    later = NOW + timedelta(minutes=6)

    assert throttle.penalize(HERE, None, later) == timedelta(0)


def test_a_key_id_guessed_from_many_networks_makes_refusals_slow_and_locks_out_nobody() -> None:
    throttle = AuthenticationThrottle()

    delays = [fail(throttle, 1, f"10.0.{network}.1", "victim")[0] for network in range(20)]

    assert delays[:5] == [0, 0, 0, 0.5, 1]
    assert delays[-1] == 8
    assert throttle.admits(HERE, NOW)
    assert fail(throttle, 1, "10.1.0.1", "another") == [0]


def test_an_attack_from_everywhere_makes_every_refusal_slow_and_locks_out_nobody() -> None:
    throttle = AuthenticationThrottle(ThrottleLimits(overall=20))

    delays = [fail(throttle, 1, f"10.0.{network}.1")[0] for network in range(25)]

    assert delays == [0] * 20 + [8] * 5
    assert throttle.admits(HERE, NOW)


def test_memory_is_bounded_and_the_longest_quiet_network_is_forgotten_first() -> None:
    cells = MemoryCells(capacity=4)
    throttle = AuthenticationThrottle(meters=Meters(cells))
    for network in range(3):
        fail(throttle, 10, f"10.0.{network}.1")
    fail(throttle, 1, "10.0.0.1")

    fail(throttle, 10, "10.0.3.1")

    admitted = [throttle.admits(ip_address(f"10.0.{network}.1"), NOW) for network in range(4)]
    assert admitted == [False, True, False, False]
    assert len(cells) == 4


@given(gaps=st.lists(st.floats(0, 600), max_size=60))
def test_in_any_window_no_more_than_twice_the_limit_is_looked_at(gaps: list[float]) -> None:
    # A leaky count lets a full burst through and what drains meanwhile: that is the bound, however one spaces tries.
    throttle, now, looked_at = AuthenticationThrottle(), NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if throttle.admits(HERE, now):
            throttle.penalize(HERE, None, now)
            looked_at.append(now)

    for start in looked_at:
        assert sum(start <= at < start + timedelta(minutes=5) for at in looked_at) <= 20
