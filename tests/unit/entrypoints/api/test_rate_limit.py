from datetime import UTC, datetime, timedelta

from gatepost.entrypoints.api import rate_limit
from gatepost.entrypoints.api.rate_limit import RateLimit
from gatepost.primitives.ids import KeyId

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY, OTHER = KeyId("a" * 22), KeyId("b" * 22)


def test_a_burst_is_allowed_and_then_as_many_as_come_back():
    limit = RateLimit(per_second=2, burst=3)

    remaining = [limit.take(KEY, NOW).remaining for _ in range(3)]
    refused = limit.take(KEY, NOW)
    later = limit.take(KEY, NOW + timedelta(seconds=0.5))

    assert remaining == [2, 1, 0]
    assert refused.retry_after == timedelta(seconds=0.5)
    assert not later.retry_after
    assert limit.take(KEY, NOW + timedelta(seconds=0.5)).retry_after


def test_each_key_has_its_own():
    limit = RateLimit(per_second=1, burst=1)
    limit.take(KEY, NOW)

    assert limit.take(KEY, NOW).retry_after
    assert not limit.take(OTHER, NOW).retry_after


def test_headers_are_those_of_the_dialect():
    allowance = RateLimit(per_second=2, burst=10).take(KEY, NOW)

    assert allowance.headers() == {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "9",
        "X-RateLimit-Reset": str(int(NOW.timestamp()) + 1),
    }


def test_a_clock_set_back_neither_fills_nor_empties():
    limit = RateLimit(per_second=1, burst=2)
    limit.take(KEY, NOW)

    assert limit.take(KEY, NOW - timedelta(hours=1)).remaining == 0
    assert limit.take(KEY, NOW - timedelta(hours=1)).retry_after == timedelta(seconds=1)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(rate_limit, "_MAX_REMEMBERED", 2)
    limit = RateLimit(per_second=1, burst=1)

    for number in range(5):
        limit.take(KeyId(str(number)), NOW)

    assert len(limit._buckets) == 2
