"""The account store that writes down what is done to accounts."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.account import Account, AccountState, Monitor
from gatepost.tenancy.accounts.credits import Allocation
from gatepost.tenancy.accounts.ports import AccountStore, SendingLimitsStore
from gatepost.tenancy.accounts.sending_limits import SendingLimits
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder

_MOVES: Final = {
    AccountState.ACTIVE: Act.ACCOUNT_RESUMED,
    AccountState.UNDER_REVIEW: Act.ACCOUNT_REVIEWED,
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

    def find_subuser(self, parent_id: AccountId, name: str) -> Account | None:
        """Return the parent's subuser of exactly that name."""
        return self._store.find_subuser(parent_id, name)

    def list_all(self) -> Sequence[Account]:
        """Return every account, by name."""
        return self._store.list_all()

    def list_subusers(self, parent_id: AccountId) -> Sequence[Account]:
        """Return the parent's subusers, by name."""
        return self._store.list_subusers(parent_id)

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

    def change_subuser(
        self, parent_id: AccountId, subuser_id: AccountId, change: Callable[[Account], Account]
    ) -> Account | None:
        """Replace what a parent decides about its subuser."""
        with self._recorder.acting():
            before = self._store.find(subuser_id)
            after = self._store.change_subuser(parent_id, subuser_id, change)
            if before is None or after is None:
                return None
            for act, earlier, later in _describe(before, after):
                self._recorder.record(subuser_id, act, _subject(subuser_id), before=earlier, after=later)
            return after

    def find_allocation(self, account_id: AccountId) -> Allocation | None:
        """Return the account's credits; None where they are unlimited."""
        return self._store.find_allocation(account_id)

    def change_allocation(
        self, account_id: AccountId, change: Callable[[Allocation | None], Allocation | None]
    ) -> Allocation | None:
        """Replace the account's credits by what ``change`` makes of them; return them."""
        with self._recorder.acting():
            before = self._store.find_allocation(account_id)
            after = self._store.change_allocation(account_id, change)
            self._recorder.record(
                account_id,
                Act.CREDITS_CHANGED,
                _subject(account_id),
                before=_allocation(before),
                after=_allocation(after),
            )
            return after

    def take_credits(self, account_id: AccountId, wanted: int, *, spare: Callable[[int], int], now: datetime) -> int:
        """Take credits from an account and from its parent; it is mail that is sent, and no act."""
        return self._store.take_credits(account_id, wanted, spare=spare, now=now)

    def give_back_credits(self, account_id: AccountId, count: int, *, taken_at: datetime, now: datetime) -> None:
        """Return credits that were taken and not used."""
        self._store.give_back_credits(account_id, count, taken_at=taken_at, now=now)

    def count_credits(self, account_id: AccountId, now: datetime) -> int | None:
        """Return how many the scarcer of account and parent has left."""
        return self._store.count_credits(account_id, now)


def _subject(account_id: AccountId) -> str:
    return f"account/{account_id}"


def _snapshot(account: Account | None) -> Snapshot | None:
    if account is None:
        return None
    own = {"name": account.name, "state": account.state.value}
    return own if account.parent_id is None else own | {"parent": account.parent_id, "email": account.email}


def _describe(before: Account, after: Account) -> list[tuple[Act, Snapshot, Snapshot]]:
    """Return what a parent has changed, each as an act with what was and what is."""
    disabled = Act.SUBUSER_DISABLED if after.disabled_at else Act.SUBUSER_ENABLED
    barred = Act.SUBUSER_WEBSITE_BARRED if after.website_disabled_at else Act.SUBUSER_WEBSITE_OPENED
    monitors = [_monitor(each.monitor) for each in (before, after)]
    addresses: list[Snapshot] = [{"addresses": each.addresses} for each in (before, after)]
    return [
        (disabled, _since("disabled_at", before.disabled_at), _since("disabled_at", after.disabled_at)),
        (barred, _since("barred_at", before.website_disabled_at), _since("barred_at", after.website_disabled_at)),
        (Act.SUBUSER_ADDRESSES_ASSIGNED, addresses[0], addresses[1]),
        (Act.SUBUSER_MONITOR_CHANGED, monitors[0], monitors[1]),
    ]


def _monitor(monitor: Monitor | None) -> Snapshot:
    return {"monitor": None if monitor is None else f"1 of {monitor.frequency} to {monitor.mailbox}"}


def _since(name: str, at: datetime | None) -> Snapshot:
    return {name: None if at is None else at.isoformat()}


def _allocation(allocation: Allocation | None) -> Snapshot:
    if allocation is None:
        return {"credits": "unlimited"}
    period = "once" if allocation.period is None else allocation.period.value
    return {"credits": period, "total": str(allocation.total), "extra": str(allocation.extra)}


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
