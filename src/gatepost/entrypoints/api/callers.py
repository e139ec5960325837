"""Callers: the two kinds of them behind one question."""

from gatepost.entrypoints.api.ports import Access, PeerAddress, Sessions
from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.people import Need
from gatepost.tenancy.access.person import Caller
from gatepost.tenancy.access.principal import Principal


class CurrentCallers:
    """Implements Callers: each kind is asked for where it is known."""

    def __init__(self, keys: Access, people: Sessions) -> None:
        self._keys = keys
        self._people = people

    def recheck(self, caller: Caller, peer: PeerAddress, *, scope: str | None) -> Caller | Deny:
        """Return the caller as he stands now, or why he may not do that any more."""
        if isinstance(caller, Principal):
            return self._keys.recheck(caller, peer, scope=scope)
        return self._people.recheck(caller, peer, Need(scope=scope))
