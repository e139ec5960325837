"""Batches: mail that its sender may pause or cancel as one, by an id that was asked for before."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.ports import AccessVersion

VALID_FOR: Final = timedelta(days=10)
"""So long mail can be put into a batch."""

KEPT_FOR: Final = timedelta(days=20)
"""Until the last mail of a batch has left the queue: in time, paused, or tried again and again."""

MAX_BATCHES: Final = 10_000
MAX_DECISIONS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDecision:
    """What was decided about one batch."""

    batch_id: str
    status: BatchStatus


class NotDecided(Enum):
    """Why a decision was not stored."""

    UNKNOWN_BATCH = "unknown batch"
    DECIDED_BEFORE = "decided before"
    TOO_MANY = "too many"


class BatchStore(Protocol):
    """Batches at rest. What a call changed is on stable storage when it returns."""

    def add(self, account_id: AccountId, batch_id: str, now: datetime, *, at_most: int) -> bool:
        """Store a new batch; False, and nothing is stored, if the account has so many that are kept.

        What is older than ``KEPT_FOR`` is forgotten.
        """
        ...

    def is_valid(self, account_id: AccountId, batch_id: str, now: datetime) -> bool:
        """Return whether mail can be put into the batch: it is the account's, and not older than ``VALID_FOR``."""
        ...

    def list_decisions(self, account_id: AccountId) -> Sequence[BatchDecision]:
        """Return what the account has decided, oldest first."""
        ...

    def find_status(self, account_id: AccountId, batch_id: str) -> BatchStatus | None:
        """Return what was decided about the batch; None if nothing."""
        ...

    def is_known(self, account_id: AccountId, batch_id: str) -> bool:
        """Return whether the batch is the account's, however old."""
        ...

    def decide(
        self, account_id: AccountId, batch_id: str, status: BatchStatus, now: datetime, *, at_most: int
    ) -> NotDecided | None:
        """Pause or cancel a batch about which nothing was decided; return why not, or None. One transaction."""
        ...

    def change(self, account_id: AccountId, batch_id: str, status: BatchStatus, now: datetime) -> bool:
        """Replace a decision; return whether there was one."""
        ...

    def undo(self, account_id: AccountId, batch_id: str) -> bool:
        """Take a decision back; return whether there was one."""
        ...


class CurrentStatuses:
    """Implements BatchStatuses: asks the store once for as long as nothing in the control plane has changed."""

    def __init__(self, store: BatchStore, version: AccessVersion) -> None:
        self._store: Final = store
        self._current: Final[Current[dict[tuple[AccountId, str], BatchStatus | None]]] = Current(version, dict)

    def find_status(self, account_id: AccountId, batch_id: str) -> BatchStatus | None:
        """Return what was decided, by whatever process. Raises ``Transient``."""
        held, key = self._current.get(), (account_id, batch_id)
        if key not in held:
            held[key] = self._store.find_status(account_id, batch_id)
        return held[key]


def new_batch_id(entropy: Entropy) -> str:
    """Draw the id of a batch; its form is the dialect's: a UUID and nine hexadecimal digits, in base64."""
    octets = entropy.draw(21)
    text = f"{UUID(bytes=octets[:16], version=4)}-{octets[16:].hex()[:9]}"
    return urlsafe_b64encode(text.encode("ascii")).rstrip(b"=").decode("ascii")
