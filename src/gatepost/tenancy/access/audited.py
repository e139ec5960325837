"""The key store that writes down what is done to API keys."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.budget import tightest
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ports import ApiKeyStore, KeyUse
from gatepost.tenancy.access.scope import kind_of
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder


class AuditedApiKeyStore:
    """Implements ApiKeyStore over another one; each change and its entry are one transaction.

    A key's use is no act: it is counted elsewhere, and may lag.
    """

    def __init__(self, store: ApiKeyStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add(self, key: ApiKey, secret_hash: bytes, *, at_most: int | None = None) -> bool:
        """Store a new key, unless the account has as many as it may."""
        with self._recorder.acting():
            is_added = self._store.add(key, secret_hash, at_most=at_most)
            if is_added:
                self._record(Act.KEY_ISSUED, None, key)
            return is_added

    def secret_hash(self, key_id: KeyId, *, otherwise: bytes) -> bytes:
        """Return the key's hash, or ``otherwise``, at the same cost."""
        return self._store.secret_hash(key_id, otherwise=otherwise)

    def resolve(self, key_id: KeyId) -> ApiKey | None:
        """Return the key, whichever account has it."""
        return self._store.resolve(key_id)

    def find(self, account_id: AccountId, key_id: KeyId) -> ApiKey | None:
        """Return the account's key."""
        return self._store.find(account_id, key_id)

    def list_all(self, account_id: AccountId) -> Sequence[ApiKey]:
        """Return the account's keys, oldest first."""
        return self._store.list_all(account_id)

    def change_grant(
        self, account_id: AccountId, key_id: KeyId, decide: Callable[[Grant], Grant | Deny], *, name: str | None = None
    ) -> ApiKey | Deny | None:
        """Replace the grant by what ``decide`` makes of it, and the name if one is given, in one transaction."""
        with self._recorder.acting():
            before = self._store.find(account_id, key_id)
            outcome = self._store.change_grant(account_id, key_id, decide, name=name)
            if isinstance(outcome, ApiKey) and before is not None:
                self._record(_act_between(before, outcome), before, outcome)
            return outcome

    def revoke(self, account_id: AccountId, key_id: KeyId, at: datetime) -> ApiKey | None:
        """Revoke the key for good; the first time stands."""
        with self._recorder.acting():
            before = self._store.find(account_id, key_id)
            after = self._store.revoke(account_id, key_id, at)
            if after is not None:
                self._record(Act.KEY_REVOKED, before, after)
            return after

    def record_uses(self, uses: Sequence[KeyUse]) -> None:
        """Note the last use of each key in one transaction."""
        self._store.record_uses(uses)

    def _record(self, act: Act, before: ApiKey | None, after: ApiKey) -> None:
        self._recorder.record(
            after.account_id,
            act,
            f"key/{after.id}",
            before=None if before is None else _snapshot(before),
            after=_snapshot(after),
        )


def _act_between(before: ApiKey, after: ApiKey) -> Act:
    if before.grant == after.grant:
        return Act.KEY_RENAMED
    return Act.KEY_NARROWED if after.grant.scopes <= before.grant.scopes else Act.KEY_WIDENED


def _snapshot(key: ApiKey) -> Snapshot:
    return {
        "name": key.name,
        "scopes": sorted(key.grant.scopes),
        "allowed_networks": sorted(map(str, key.grant.allowed_networks)),
        "allowed_authors": sorted(key.grant.allowed_authors),
        "allowed_recipient_domains": sorted(key.grant.allowed_recipient_domains),
        "budget": [f"{measure.value}={limit}" for measure, limit in tightest(key.grant.purses).limits()],
        "kind": "honey" if key.is_honey else kind_of(key.grant.scopes).value,
        "expires_at": _text(key.grant.expires_at),
        "revoked_at": _text(key.revoked_at),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
