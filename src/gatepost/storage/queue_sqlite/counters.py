"""What a shard counts about itself, as plain numbers that metrics read; written by its own threads alone."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

COMMIT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds, in seconds."""


@dataclass(slots=True)
class QueueCounters:
    """Since the process began.

    Attributes:
        accepted_messages: Taken and durable.
        accepted_recipients: In those messages.
        refused_messages: That a caller was told to bring again.
        settled_leases: Ended and durable.
        interrupted_recipients: Found leased at opening.
        set_aside_messages: Could not be read back.
        groups: Transactions of the writer that were committed.
        jobs: In those transactions.
        failed_groups: Transactions that were rolled back.
        commit_seconds: From the begin of a transaction to the end of its commit, summed.
        commit_buckets: How many groups took at most as long as the bound of that index in ``COMMIT_BUCKETS``, and
            longer than the one before; the last counts the rest.
    """

    accepted_messages: int = 0
    accepted_recipients: int = 0
    refused_messages: int = 0
    settled_leases: int = 0
    interrupted_recipients: int = 0
    set_aside_messages: int = 0
    groups: int = 0
    jobs: int = 0
    failed_groups: int = 0
    commit_seconds: float = 0.0
    commit_buckets: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_BUCKETS) + 1))

    def count_group(self, jobs: int, seconds: float) -> None:
        """Count one committed transaction."""
        self.groups += 1
        self.jobs += jobs
        self.commit_seconds += seconds
        self.commit_buckets[bisect_left(COMMIT_BUCKETS, seconds)] += 1
