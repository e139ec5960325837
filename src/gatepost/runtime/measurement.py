"""What a mail worker measures of itself every few seconds: the gauges."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.runtime.roles import QueueState
from gatepost.storage.disk_reserve import DiskReserve
from gatepost.telemetry.metrics import Metrics

_LIVE_STATES: Final = ("scheduled", "queued", "leased", "held")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the figures of one worker come from.

    Attributes:
        count_unbalanced_accounts: Of this worker's shard, whose books balance by themselves.
        disk: Measured anew when it is asked for room.
        certificate_expires_at: None for a worker that serves none.
    """

    queue_state: Callable[[], Awaitable[QueueState]]
    count_unbalanced_accounts: Callable[[], Awaitable[int]]
    count_sessions: Callable[[], int]
    count_content_octets: Callable[[], int]
    count_outgoing_connections: Callable[[], int]
    count_unusable_addresses: Callable[[], int]
    disk: DiskReserve
    certificate_expires_at: Callable[[], datetime | None]


async def measure(sources: Sources, metrics: Metrics) -> None:
    """Set every gauge to what it is now."""
    # First what costs nothing and cannot fail: a store in trouble must not hide it.
    metrics.sessions.set(sources.count_sessions())
    metrics.content_memory.set(sources.count_content_octets())
    metrics.outgoing_connections.set(sources.count_outgoing_connections())
    metrics.source_addresses_unusable.set(sources.count_unusable_addresses())
    metrics.disk_reserve_reached.set(int(not sources.disk.has_room()))
    metrics.disk_free.set(sources.disk.free_octets)
    expires_at = sources.certificate_expires_at()
    # The least of all workers is shown; one without a certificate must not look like one that has expired.
    metrics.certificate_expiry.set(expires_at.timestamp() if expires_at else math.inf)
    state = await sources.queue_state()
    for name in _LIVE_STATES:
        metrics.queue_recipients.set(state.recipients.get(name, 0), name)
    metrics.store_suspect.set(int(state.is_suspect))
    metrics.books_unbalanced_accounts.set(await sources.count_unbalanced_accounts())
