"""The domain store that writes down what is done to claims."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder
from gatepost.tenancy.senders.domain import AuthenticatedDomain
from gatepost.tenancy.senders.ports import DomainStore


class AuditedDomainStore:
    """Implements DomainStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: DomainStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add(self, domain: AuthenticatedDomain) -> None:
        """Store a new claim."""
        with self._recorder.acting():
            self._store.add(domain)
            self._record(domain.account_id, domain.name, Act.DOMAIN_CLAIMED, None)

    def find(self, account_id: AccountId, name: str) -> AuthenticatedDomain | None:
        """Return the account's claim to that exact name."""
        return self._store.find(account_id, name)

    def list_all(self, account_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the account's claims, by name."""
        return self._store.list_all(account_id)

    def mark_verified(self, account_id: AccountId, name: str, at: datetime) -> None:
        """Make the claim VERIFIED."""
        with self._recorder.acting():
            before = self._store.find(account_id, name)
            self._store.mark_verified(account_id, name, at)
            self._record(account_id, name, Act.DOMAIN_VERIFIED, before)

    def withdraw(self, account_id: AccountId, name: str) -> None:
        """Make a VERIFIED claim PENDING again."""
        with self._recorder.acting():
            before = self._store.find(account_id, name)
            self._store.withdraw(account_id, name)
            self._record(account_id, name, Act.DOMAIN_WITHDRAWN, before)

    def remove(self, account_id: AccountId, name: str) -> bool:
        """Forget the claim and, with it, its keys; return whether there was one."""
        with self._recorder.acting():
            before = self._store.find(account_id, name)
            is_removed = self._store.remove(account_id, name)
            self._record(account_id, name, Act.DOMAIN_REMOVED, before)
            return is_removed

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        """Return the one VERIFIED claim to that exact name, whoever holds it."""
        return self._store.find_verified(name)

    def _record(self, account_id: AccountId, name: str, act: Act, before: AuthenticatedDomain | None) -> None:
        after = self._store.find(account_id, name)
        self._recorder.record(account_id, act, f"domain/{name}", before=_snapshot(before), after=_snapshot(after))


def _snapshot(claim: AuthenticatedDomain | None) -> Snapshot | None:
    if claim is None:
        return None
    return {
        "name": claim.name,
        "state": claim.state.value,
        # The DNS shows the public keys to everybody.
        "dkim_keys": [f"{key.selector} {key.algorithm.value} {key.public_key}" for key in claim.dkim_keys],
    }
