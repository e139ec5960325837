"""The domain store that writes down what is done to claims."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainId, ZoneChange
from gatepost.tenancy.senders.ports import DomainStore


class AuditedDomainStore:
    """Implements DomainStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: DomainStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add(self, domain: AuthenticatedDomain) -> DomainId:
        """Store a new claim; return its number."""
        with self._recorder.acting():
            number = self._store.add(domain)
            self._record(domain.account_id, number, Act.DOMAIN_CLAIMED, None)
            return number

    def find(self, account_id: AccountId, name: str) -> AuthenticatedDomain | None:
        """Return the account's claim to that exact name."""
        return self._store.find(account_id, name)

    def find_numbered(self, account_id: AccountId, number: DomainId) -> AuthenticatedDomain | None:
        """Return the account's claim of that number."""
        return self._store.find_numbered(account_id, number)

    def list_all(self, account_id: AccountId) -> Sequence[AuthenticatedDomain]:
        """Return the account's claims, by name."""
        return self._store.list_all(account_id)

    def list_kept(self, after: DomainId, limit: int) -> Sequence[AuthenticatedDomain]:
        """Return claims of all accounts that have to be kept up, by number."""
        return self._store.list_kept(after, limit)

    def read_zone(self, since: int) -> ZoneChange | None:
        """Return what has changed in our own zone since a serial."""
        return self._store.read_zone(since)

    def note_zone_settings(self, settings_hash: str) -> None:
        """Count our own zone's serial up if it was last made with other settings: nothing to write down."""
        self._store.note_zone_settings(settings_hash)

    def change(
        self,
        account_id: AccountId,
        number: DomainId,
        decide: Callable[[AuthenticatedDomain], AuthenticatedDomain],
    ) -> AuthenticatedDomain | None:
        """Replace a claim by what ``decide`` makes of the present one; what nobody could tell leaves no entry."""
        with self._recorder.acting():
            before = self._store.find_numbered(account_id, number)
            changed = self._store.change(account_id, number, decide)
            if changed is not None and before is not None:
                if _keys(changed) != _keys(before):
                    self._record(account_id, number, Act.DKIM_KEYS_CHANGED, before)
                elif _snapshot(changed) != _snapshot(before):
                    self._record(account_id, number, Act.DOMAIN_CHANGED, before)
            return changed

    def mark_verified(self, account_id: AccountId, number: DomainId, at: datetime) -> None:
        """Make the claim VERIFIED."""
        with self._recorder.acting():
            before = self._store.find_numbered(account_id, number)
            self._store.mark_verified(account_id, number, at)
            self._record(account_id, number, Act.DOMAIN_VERIFIED, before)

    def withdraw(self, account_id: AccountId, number: DomainId) -> None:
        """Make a VERIFIED claim PENDING again."""
        with self._recorder.acting():
            before = self._store.find_numbered(account_id, number)
            self._store.withdraw(account_id, number)
            self._record(account_id, number, Act.DOMAIN_WITHDRAWN, before)

    def remove(self, account_id: AccountId, number: DomainId) -> bool:
        """Forget the claim and, with it, its keys; return whether there was one."""
        with self._recorder.acting():
            before = self._store.find_numbered(account_id, number)
            is_removed = self._store.remove(account_id, number)
            self._record(account_id, number, Act.DOMAIN_REMOVED, before)
            return is_removed

    def find_verified(self, name: str) -> AuthenticatedDomain | None:
        """Return the VERIFIED claim to that exact name, whoever holds it."""
        return self._store.find_verified(name)

    def find_default(self, account_id: AccountId) -> AuthenticatedDomain | None:
        """Return the VERIFIED claim that signs for the account where no domain decides."""
        return self._store.find_default(account_id)

    def list_verified_below(self, name: str) -> Sequence[AuthenticatedDomain]:
        """Return the VERIFIED claims to names below a name, whoever holds them."""
        return self._store.list_verified_below(name)

    def list_verified_names(self, except_of: AccountId) -> Sequence[str]:
        """Return every name that another account than this one has verified."""
        return self._store.list_verified_names(except_of)

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

    def _record(self, account_id: AccountId, number: DomainId, act: Act, before: AuthenticatedDomain | None) -> None:
        after = self._store.find_numbered(account_id, number)
        claim = after or before
        if claim is not None:
            subject = f"domain/{claim.name}"
            self._recorder.record(account_id, act, subject, before=_snapshot(before), after=_snapshot(after))


def _assignees(claim: AuthenticatedDomain) -> Snapshot:
    return {"name": claim.name, "assigned_to": sorted(claim.assigned_to)}


def _snapshot(claim: AuthenticatedDomain | None) -> Snapshot | None:
    if claim is None:
        return None
    return {
        "name": claim.name,
        "number": str(claim.id),
        "state": claim.state.value,
        "security": "automatic" if claim.is_automatic else "manual",
        "is_default": "yes" if claim.is_default else "no",
        "addresses": list(claim.addresses),
        "records": "gone" if claim.failing_since else "there",
        "rotation_requested_at": claim.rotation_requested_at.isoformat() if claim.rotation_requested_at else None,
        "dkim_keys": _keys(claim),
    }


def _keys(claim: AuthenticatedDomain) -> list[str]:
    # The DNS shows the public keys to everybody.
    return [
        f"{key.selector} {key.algorithm.value} {key.state.value} {key.public_key}".rstrip() for key in claim.dkim_keys
    ]
