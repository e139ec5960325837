"""The store of lists that writes down each edit."""

from collections.abc import Callable
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import AccessList
from gatepost.tenancy.access.ip_access.ports import IPAccessStore
from gatepost.tenancy.audit.entry import Act, Snapshot
from gatepost.tenancy.audit.recorder import Recorder


class AuditedIPAccessStore:
    """Implements IPAccessStore over another one; each change and its entry are one transaction."""

    def __init__(self, store: IPAccessStore, recorder: Recorder) -> None:
        self._store: Final = store
        self._recorder: Final = recorder

    def find(self, account_id: AccountId) -> AccessList:
        """Return the account's list."""
        return self._store.find(account_id)

    def change(
        self, account_id: AccountId, decide: Callable[[AccessList], AccessList | Deny], *, is_forced: bool = False
    ) -> AccessList | Deny:
        """Replace the account's list by what ``decide`` makes of the present one."""
        with self._recorder.acting():
            before = self._store.find(account_id)
            after = self._store.change(account_id, decide, is_forced=is_forced)
            if isinstance(after, AccessList):
                self._recorder.record(
                    account_id,
                    Act.IP_ACCESS_FORCED if is_forced else Act.IP_ACCESS_CHANGED,
                    f"ip_access/{account_id}",
                    before=_snapshot(before),
                    after=_snapshot(after),
                )
            return after


def _snapshot(access_list: AccessList) -> Snapshot:
    return {"mode": access_list.mode.value, "networks": sorted(str(rule.network) for rule in access_list.rules)}
