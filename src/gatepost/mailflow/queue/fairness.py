"""Who is served next: accounts in turn, and within an account its destinations in turn.

A *lane* is what one account has waiting for one destination domain. Turns go round per lease, so an account with a
million recipients waiting gets as many turns as one with a single message, and a destination that has no room costs
the others nothing. Nothing here reads a clock or a table: the owner says which lanes have work.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gatepost.primitives.ids import AccountId


class Lane:
    """One account's work for one destination domain.

    Attributes:
        waiting: How many leases could be handed out now. A guess that is too high only costs a look.
    """

    __slots__ = ("account_id", "domain", "waiting")

    def __init__(self, account_id: AccountId, domain: str, waiting: int = 0) -> None:
        self.account_id = account_id
        self.domain = domain
        self.waiting = waiting


L = TypeVar("L", bound=Lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(Generic[L]):
    """What one lane is given in one round.

    Attributes:
        leases: At most this many.
        recipients: At most this many in all of them together; never less than ``leases``.
    """

    lane: L
    leases: int
    recipients: int


class Rotation(Generic[L]):
    """The lanes that have work, in the order of their turns."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[AccountId, OrderedDict[str, L]] = OrderedDict()

    def add(self, lane: L) -> None:
        """Let a lane take part, as the last of its account (and its account as the last); nothing if it does."""
        self._accounts.setdefault(lane.account_id, OrderedDict()).setdefault(lane.domain, lane)

    def remove(self, lane: L) -> None:
        """Let a lane take part no longer; nothing if it does not."""
        lanes = self._accounts.get(lane.account_id)
        if lanes is not None and lanes.pop(lane.domain, None) is not None and not lanes:
            del self._accounts[lane.account_id]

    def allot(self, *, limit: int, room: Callable[[str], int]) -> tuple[list[Share[L]], list[L]]:
        """Share out at most ``limit`` leases; who was served goes to the back.

        Args:
            limit: How many leases in all.
            room: How many more recipients of a domain may be under way; asked once a domain.

        Returns:
            The shares, and the lanes that had work but no room.
        """
        turn: _Round[L] = _Round(room)
        while turn.given < limit and self._accounts:
            account_id, lanes = next(iter(self._accounts.items()))
            if turn.serve_one_of(lanes):
                self._accounts.move_to_end(account_id)
            else:
                del self._accounts[account_id]  # all its lanes were taken out; they come back below
        served = {lane.account_id for lane in turn.leases}
        for lane in turn.spent:
            self.add(lane)
        for lane in reversed(turn.without_room):
            # They keep their place: first of their account, and the account first if it was given nothing.
            self.add(lane)
            self._accounts[lane.account_id].move_to_end(lane.domain, last=False)
            if lane.account_id not in served:
                self._accounts.move_to_end(lane.account_id, last=False)
        return turn.shares(), turn.without_room


class _Round(Generic[L]):
    """One round of turns: what was given to whom, and what room is left."""

    def __init__(self, room: Callable[[str], int]) -> None:
        self.given = 0
        self.leases: dict[L, int] = {}
        self.spent: list[L] = []
        self.without_room: list[L] = []
        self._room = room
        self._room_left: dict[str, int] = {}

    def serve_one_of(self, lanes: OrderedDict[str, L]) -> bool:
        """Give the account's next lane one lease; take out the lanes that cannot be given any."""
        while lanes:
            domain, lane = next(iter(lanes.items()))
            left = self._room_left.get(domain)
            if left is None:
                left = self._room_left[domain] = self._room(domain)
            given = self.leases.get(lane, 0)
            if given < lane.waiting and left > 0:
                self.leases[lane] = given + 1
                self._room_left[domain] = left - 1
                self.given += 1
                lanes.move_to_end(domain)
                return True
            del lanes[domain]
            (self.spent if given or lane.waiting < 1 else self.without_room).append(lane)
        return False

    def shares(self) -> list[Share[L]]:
        """Turn the count into shares; the room that is left in a domain is split between its lanes."""
        lanes_of: dict[str, int] = {}
        for lane in self.leases:
            lanes_of[lane.domain] = lanes_of.get(lane.domain, 0) + 1
        return [
            Share(lane=lane, leases=leases, recipients=leases + self._room_left[lane.domain] // lanes_of[lane.domain])
            for lane, leases in self.leases.items()
        ]
