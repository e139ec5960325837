"""What the audit log needs from the world."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.chain import Fault, Head, KeptHead
from gatepost.tenancy.audit.entry import AuditEntry, AuditEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a check of the log found."""

    accounts: int
    entries: int
    faults: tuple[Fault, ...]


class AuditLog(Protocol):
    """The chains at rest. There is no way to change or forget an entry."""

    def unit_of_work(self) -> AbstractContextManager[object]:
        """Open a block whose changes, by any store of this control plane in this thread, commit together at its end.

        They are on stable storage when the block has been left, and none of them is if it raises. Do not await in it.
        """
        ...

    def append(self, event: AuditEvent) -> None:
        """Put an event at the end of its account's chain, in the present unit of work, or in one of its own."""
        ...

    def list_after(self, account_id: AccountId, sequence: int, limit: int) -> Sequence[AuditEntry]:
        """Return up to ``limit`` entries that follow that number, oldest first.

        Raises:
            Permanent: One of them cannot be read; the text says what to do.
        """
        ...

    def list_heads(self) -> Sequence[Head]:
        """Return where each chain ends, by account id: for operators only."""
        ...

    def verify(self, account_id: AccountId | None, kept: Sequence[KeptHead]) -> Verification:
        """Check one account's chain, or every one, as of one moment, and compare them with heads kept elsewhere."""
        ...
