"""Attempts: who came to an account from where, and what the list said; counted in memory, written now and then.

Only who has proved a credential is counted: otherwise anybody could fill an account's record, and the look-up of the
account would tell a wrong secret from an unknown key.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, TypeAlias

from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import Verdict
from gatepost.tenancy.access.ip_access.attempt import Attempt, AuthMethod
from gatepost.tenancy.access.ip_access.ports import AttemptStore
from gatepost.tenancy.access.ip_allowlist import Address, unmapped

MAX_ATTEMPTS: Final = 1000
"""Of one account, so many are kept, in memory and at rest; the longest quiet one goes first."""

KEPT_FOR: Final = timedelta(days=30)
"""Addresses are data about people: they are forgotten when they no longer say how a list would do."""


class _Tally:
    __slots__ = ("count", "first_at", "last_at")

    def __init__(self, at: datetime) -> None:
        self.first_at = self.last_at = at
        self.count = 1


_Kind: TypeAlias = tuple[Address, AuthMethod, Verdict]
_Pending: TypeAlias = dict[AccountId, OrderedDict[_Kind, _Tally]]


class AttemptLog:
    """One process's record; ``flush`` may run in another thread."""

    def __init__(self, store: AttemptStore) -> None:
        self._store: Final = store
        self._pending: _Pending = {}
        self._lock: Final = Lock()

    def note(self, account_id: AccountId, peer: Address, method: AuthMethod, verdict: Verdict, now: datetime) -> None:
        """Count one attempt, in memory."""
        kind = (unmapped(peer), method, verdict)
        with self._lock:
            tallies = self._pending.setdefault(account_id, OrderedDict())
            tally = tallies.get(kind)
            if tally is None:
                tallies[kind] = _Tally(now)
                if len(tallies) > MAX_ATTEMPTS:
                    tallies.popitem(last=False)
                return
            tally.last_at = now
            tally.count += 1
            tallies.move_to_end(kind)

    def flush(self, now: datetime) -> int:
        """Write what was counted since the last time, in one transaction; return how many kinds.

        Call it about once a minute, and before ending; never for each attempt, as it commits.

        Raises:
            Transient: They could not be written; they stay counted.
        """
        with self._lock:
            # Nobody counts in what was taken: each count is made, whole, in what is pending then.
            pending, self._pending = self._pending, {}
        attempts = _listed(pending)
        if not attempts:
            return 0
        try:
            self._store.record(attempts, keep=MAX_ATTEMPTS, forget_before=now - KEPT_FOR)
        except Transient:
            with self._lock:
                self._put_back(pending)
            raise
        return len(attempts)

    def _put_back(self, pending: _Pending) -> None:
        for account_id, tallies in pending.items():
            later = self._pending.get(account_id, OrderedDict())
            for kind, tally in later.items():
                if kind in tallies:
                    tally.first_at = tallies[kind].first_at
                    tally.count += tallies.pop(kind).count
                tallies[kind] = tally
            while len(tallies) > MAX_ATTEMPTS:
                tallies.popitem(last=False)
            self._pending[account_id] = tallies


def _listed(pending: _Pending) -> list[Attempt]:
    return [
        Attempt(
            account_id=account_id,
            address=str(address),
            method=method,
            verdict=verdict,
            first_at=tally.first_at,
            last_at=tally.last_at,
            count=tally.count,
        )
        for account_id, tallies in pending.items()
        for (address, method, verdict), tally in tallies.items()
    ]
