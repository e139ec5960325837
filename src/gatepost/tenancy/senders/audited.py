"""The domain store that writes down what is done to claims."""

from collections.abc import Callable, Sequence
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

    def assign(self, account_id: AccountId, name: str, subuser_id: AccountId) -> bool:
        """Let a subuser send as the account's domain."""
        return self._reassign(Act.DOMAIN_ASSIGNED, self._store.assign, account_id, name, subuser_id)

    def unassign(self, account_id: AccountId, name: str, subuser_id: AccountId) -> bool:
        """Take the domain from the subuser."""
        return self._reassign(Act.DOMAIN_UNASSIGNED, self._store.unassign, account_id, name, subuser_id)

    def list_assigned(self, subuser_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the claims that the account's parent has assigned to it."""
        return self._store.list_assigned(subuser_id)

    def _reassign(
        self,
        act: Act,
        change: Callable[[AccountId, str, AccountId], bool],
        account_id: AccountId,
        name: str,
        subuser_id: AccountId,
    ) -> bool:
        """Change an assignment, and write it down in both chains: it is a right of the one and an act of the other."""
        with self._recorder.acting():
            before = self._store.find(account_id, name)
            is_done = change(account_id, name, subuser_id)
            after = self._store.find(account_id, name)
            earlier, later = (None if claim is None else _assignees(claim) for claim in (before, after))
            for chain in (account_id, subuser_id) if is_done else ():
                self._recorder.record(chain, act, f"domain/{name}", before=earlier, after=later)
            return is_done

    def _record(self, account_id: AccountId, name: str, act: Act, before: AuthenticatedDomain | None) -> None:
        after = self._store.find(account_id, name)
        self._recorder.record(account_id, act, f"domain/{name}", before=_snapshot(before), after=_snapshot(after))


def _assignees(claim: AuthenticatedDomain) -> Snapshot:
    return {"name": claim.name, "assigned_to": sorted(claim.assigned_to)}


def _snapshot(claim: AuthenticatedDomain | None) -> Snapshot | None:
    if claim is None:
        return None
    return {
        "name": claim.name,
        "state": claim.state.value,
        # The DNS shows the public keys to everybody.
        "dkim_keys": [f"{key.selector} {key.algorithm.value} {key.public_key}" for key in claim.dkim_keys],
    }
