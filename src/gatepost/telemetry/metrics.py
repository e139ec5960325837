"""Every metric, declared once: name, unit, labels, help.

The hot path counts with plain ints and lists (``Counter.add``, ``Histogram.observe``: well under a microsecond);
``Metrics.flush`` hands them to prometheus_client once a second or so. Each process counts for itself into files
under one directory, and the web worker's exposition sums them up; see ``MULTIPROCESS_DIRECTORY_VARIABLE``.

No label may hold what a client chose: an address, a domain, a key or a greeting would make series without end, and
tell secrets to whoever reads the metrics.
"""

import math
import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as _Counter
from prometheus_client import Gauge as _Gauge
from prometheus_client import Histogram as _Histogram

MULTIPROCESS_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Must be in a process's environment before it imports this module, or it counts for itself alone."""

_FAST_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SLOW_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 259200)


class Counter:
    """A count that only grows; ``add`` touches nothing but a dict of ints."""

    def __init__(self, registry: CollectorRegistry, name: str, help_text: str, labels: tuple[str, ...] = ()) -> None:
        self.labels = labels
        self._pending: dict[tuple[str, ...], int] = {}
        self._total = _Counter(name, help_text, labels, namespace="gatepost", registry=registry)

    def add(self, *labels: str, amount: int = 1) -> None:
        """Count ``amount`` more for these label values, given in the declared order."""
        pending = self._pending
        pending[labels] = pending.get(labels, 0) + amount

    def flush(self) -> None:
        """Hand over what was counted since the last time."""
        pending, self._pending = self._pending, {}
        for labels, amount in pending.items():
            (self._total.labels(*labels) if labels else self._total).inc(amount)


class Histogram:
    """A distribution; ``observe`` appends to a list."""

    def __init__(
        self, registry: CollectorRegistry, name: str, help_text: str, unit: str, buckets: tuple[float, ...]
    ) -> None:
        self.labels = ()
        self._pending: list[float] = []
        self._distribution = _Histogram(
            name, help_text, namespace="gatepost", unit=unit, buckets=buckets, registry=registry
        )

    def observe(self, value: float) -> None:
        """Note one value, in the histogram's unit."""
        self._pending.append(value)

    def flush(self) -> None:
        """Hand over what was noted since the last time."""
        pending, self._pending = self._pending, []
        for value in pending:
            self._distribution.observe(value)


class Gauge:
    """A value that goes up and down, summed over the processes that are alive."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        help_text: str,
        unit: str = "",
        labels: tuple[str, ...] = (),
        *,
        across: str = "livesum",
    ) -> None:
        self.labels = labels
        self._gauge = _Gauge(
            name,
            help_text,
            labels,
            namespace="gatepost",
            unit=unit,
            registry=registry,
            multiprocess_mode=across,  # type: ignore[arg-type]  # one of prometheus_client's words
        )
        if across == "livemin" and not labels:
            # A process that never sets it must not be the least of all: it would look like a full disk, or like a
            # certificate that has expired.
            self._gauge.set(math.inf)

    def set(self, value: float, *labels: str) -> None:
        """Set the value; not for the hot path."""
        (self._gauge.labels(*labels) if labels else self._gauge).set(value)


class Metrics:
    """All metrics of one process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        r = registry if registry is not None else CollectorRegistry()
        self.registry = r
        self.connections = Counter(r, "connections", "Connections taken.", ("listener",))
        self.connections_refused = Counter(r, "connections_refused", "Connections closed unread.", ("reason",))
        self.connections_ended = Counter(
            r, "connections_ended", "Connections we ended: a time limit that was passed, or a failure of ours.",
            ("reason",),
        )  # fmt: skip
        self.tls_handshakes = Counter(r, "tls_handshakes", "TLS handshakes of clients.", ("outcome",))
        self.authentications = Counter(r, "authentications", "AUTH exchanges, by how they ended.", ("outcome",))
        self.honey_key_uses = Counter(r, "honey_key_uses", "Times that somebody proved to hold a honey key.")
        self.security_notices = Counter(
            r, "security_notices", "Notices to people, by outcome (sent, limited, refused).", ("outcome",)
        )
        self.submissions = Counter(
            r, "submissions", "Messages offered, by outcome (accepted, refused, deferred) and reason.",
            ("outcome", "reason"),
        )  # fmt: skip
        self.api_requests = Counter(
            r, "api_requests", "Requests to the HTTP API, by operation and status.", ("operation", "status")
        )
        self.recipients_accepted = Counter(r, "recipients_accepted", "Recipients we answered for.")
        self.content_octets = Counter(r, "content_octets", "Octets of content accepted.")
        self.accept_seconds = Histogram(
            r, "accept", "Time from the end of data to the durable commit.", "seconds", _FAST_SECONDS
        )
        self.sessions = Gauge(r, "sessions", "Open submission sessions.")
        self.content_memory = Gauge(r, "content_memory", "Content held in memory by all sessions.", "octets")

        self.attempts = Counter(r, "attempts", "Delivery attempts, by recipient and outcome.", ("outcome",))
        self.delivery_seconds = Histogram(
            r, "delivery", "Time from the accepting commit to the receiver's 250.", "seconds", _SLOW_SECONDS
        )
        self.outgoing_connections = Gauge(r, "outgoing_connections", "Open connections to next hops.")
        self.dkim_rotation_steps = Counter(
            r, "dkim_rotation_steps", "Steps of DKIM key rotation (publish, check, empty).", ("step",)
        )
        self.domain_rechecks = Counter(
            r, "domain_rechecks", "Looks at the records of verified domains, by what came of it.", ("standing",)
        )
        self._declare_state(r)
        _set_aside_room()

    def _declare_state(self, r: CollectorRegistry) -> None:
        """Declare what tells how queue, disk, certificates and the process are, looked at every few seconds."""
        self.queue_recipients = Gauge(
            r, "queue_recipients", "Live recipients, by state (queued, leased, held).", labels=("state",)
        )
        self.books_unbalanced_accounts = Gauge(
            r, "books_unbalanced_accounts", "Accounts whose accepted recipients are not all accounted for; must be 0."
        )
        self.store_suspect = Gauge(
            r, "store_suspect", "Stores that failed to reach the disk and accept no more until restarted; must be 0."
        )
        self.source_addresses_unusable = Gauge(
            r, "source_addresses_unusable", "Local source addresses no connection can leave from; must be 0.",
            across="livemax",
        )  # fmt: skip
        self.disk_free = Gauge(r, "disk_free", "Free on the queue's disk.", "octets", across="livemin")
        self.disk_reserve_reached = Gauge(
            r, "disk_reserve_reached", "1 while the disk is too full for new mail.", across="livemax"
        )
        self.certificate_expiry = Gauge(
            r, "certificate_expiry_timestamp", "When the first served certificate expires.", "seconds",
            across="livemin",
        )  # fmt: skip
        self.event_loop_lag = Gauge(
            r, "event_loop_lag", "The longest delay of a timer since the last look.", "seconds", across="livemax"
        )

    def flush(self) -> None:
        """Hand all that was counted to prometheus_client; call every second or so, and at the end."""
        for metric in vars(self).values():
            if isinstance(metric, (Counter, Histogram)):
                metric.flush()


def _set_aside_room() -> None:
    """Give the files of this process's counts their blocks now.

    They are mapped into memory, and full of holes: to count into a hole on a full disk would be the process's end.
    """
    directory = os.environ.get(MULTIPROCESS_DIRECTORY_VARIABLE)
    if directory is None:
        return
    for path in Path(directory).glob(f"*_{os.getpid()}.db"):
        with path.open("r+b") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
