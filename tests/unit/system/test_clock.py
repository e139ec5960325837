from datetime import UTC, datetime, timedelta

from gatepost.system.clock import SystemClock


def test_the_present_is_aware_and_in_utc():
    now = SystemClock().now()

    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
