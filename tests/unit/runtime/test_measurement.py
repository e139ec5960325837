import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.primitives.errors import Transient
from gatepost.runtime.measurement import Sources, measure
from gatepost.runtime.roles import QueueState
from gatepost.storage.disk_reserve import DiskReserve
from gatepost.telemetry.metrics import Metrics


def sources(*, expires_at=None, trouble=None):
    async def queue_state():
        if trouble:
            raise trouble
        return QueueState(recipients={"queued": 3, "held": 1}, is_suspect=True)

    async def count_unbalanced_accounts():
        return 2

    return Sources(
        queue_state=queue_state,
        count_unbalanced_accounts=count_unbalanced_accounts,
        count_sessions=lambda: 5,
        count_content_octets=lambda: 600,
        count_outgoing_connections=lambda: 7,
        count_unusable_addresses=lambda: 4,
        disk=DiskReserve(Path("/"), 1 << 62, monotonic=lambda: 0.0),
        certificate_expires_at=lambda: expires_at,
    )


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"gatepost_{name}", labels)


async def test_every_gauge_says_what_is_now():
    metrics = Metrics()

    await measure(sources(expires_at=datetime(2027, 1, 1, tzinfo=UTC)), metrics)

    assert [value(metrics, "queue_recipients", state=state) for state in ("queued", "leased", "held")] == [3, 0, 1]
    assert value(metrics, "store_suspect") == 1
    assert value(metrics, "books_unbalanced_accounts") == 2
    assert value(metrics, "sessions") == 5
    assert value(metrics, "content_memory_octets") == 600
    assert value(metrics, "outgoing_connections") == 7
    assert value(metrics, "source_addresses_unusable") == 4
    assert value(metrics, "disk_reserve_reached") == 1
    assert value(metrics, "disk_free_octets") > 0
    assert value(metrics, "certificate_expiry_timestamp_seconds") == datetime(2027, 1, 1, tzinfo=UTC).timestamp()


async def test_a_worker_without_a_certificate_does_not_look_like_one_that_has_expired():
    metrics = Metrics()

    await measure(sources(), metrics)

    assert value(metrics, "certificate_expiry_timestamp_seconds") == math.inf


async def test_a_store_in_trouble_hides_nothing_else():
    metrics = Metrics()

    with pytest.raises(Transient):
        await measure(sources(trouble=Transient("disk")), metrics)

    assert value(metrics, "sessions") == 5
