"""The account store that writes down what is done to accounts."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.ports import AccountStore, SendingLimitsStore
from gatepost.tenancy.accounts.sending_limits import SendingLimits
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder

_MOVES: Final = {
    AccountState.ACTIVE: Act.ACCOUNT_RESUMED,
    AccountState.SUSPENDED: Act.ACCOUNT_SUSPENDED,
    AccountState.CLOSED: Act.ACCOUNT_CLOSED,
}


class AuditedAccountStore:
    """Implements AccountStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: AccountStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def add(self, account: Account) -> None:
        """Store a new account."""
        with self._recorder.acting():
            self._store.add(account)
            self._recorder.record(
                account.id, Act.ACCOUNT_CREATED, _subject(account.id), before=None, after=_snapshot(account)
            )

    def find(self, account_id: AccountId) -> Account | None:
        """Return the account of that id."""
        return self._store.find(account_id)

    def find_by_name(self, name: str) -> Account | None:
        """Return the account of exactly that name."""
        return self._store.find_by_name(name)

    def list_all(self) -> Sequence[Account]:
        """Return every account, by name."""
        return self._store.list_all()

    def change_state(self, account_id: AccountId, *, to: AccountState, only_from: Collection[AccountState]) -> bool:
        """Move the account if it is in one of those states; return whether it was."""
        with self._recorder.acting():
            before = self._store.find(account_id)
            if not self._store.change_state(account_id, to=to, only_from=only_from):
                return False
            self._recorder.record(
                account_id,
                _MOVES[to],
                _subject(account_id),
                before=_snapshot(before),
                after=_snapshot(self._store.find(account_id)),
            )
            return True


def _subject(account_id: AccountId) -> str:
    return f"account/{account_id}"


def _snapshot(account: Account | None) -> Snapshot | None:
    return None if account is None else {"name": account.name, "state": account.state.value}


class AuditedSendingLimitsStore:
    """Implements SendingLimitsStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: SendingLimitsStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def find(self, account_id: AccountId) -> SendingLimits:
        """Return what was set for the account."""
        return self._store.find(account_id)

    def put(self, account_id: AccountId, limits: SendingLimits) -> None:
        """Set them, in place of all that were set."""
        with self._recorder.acting():
            before = self._store.find(account_id)
            self._store.put(account_id, limits)
            self._recorder.record(
                account_id,
                Act.SENDING_LIMITS_CHANGED,
                _subject(account_id),
                before=_limits_snapshot(before),
                after=_limits_snapshot(limits),
            )


def _limits_snapshot(limits: SendingLimits) -> Snapshot:
    return {name: None if value is None else str(value) for name, value in asdict(limits).items()}
