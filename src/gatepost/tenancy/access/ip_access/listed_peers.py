"""From where an account's people may come: by the list that its keys are held to."""

from typing import Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import Verdict
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.ip_access.attempt_log import AttemptLog
from gatepost.tenancy.access.ip_access.ports import IPAccessStore
from gatepost.tenancy.access.ip_allowlist import Address


class ListedPeers:
    """Implements PeerRules."""

    def __init__(self, lists: IPAccessStore, attempts: AttemptLog, clock: Clock) -> None:
        self._lists: Final = lists
        self._attempts: Final = attempts
        self._clock: Final = clock

    def permits(self, account_id: AccountId, peer: Address) -> bool:
        """Say whether somebody of the account may come from there, and count that he came."""
        verdict = self._lists.find(account_id).judge(peer)
        self._attempts.note(account_id, peer, AuthMethod.WEB, verdict, self._clock.now())
        return verdict is not Verdict.REFUSED
