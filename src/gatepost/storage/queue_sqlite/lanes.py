"""What a shard holds in memory: its lanes, and a bounded stock of leases that are written down but not handed out.

Used by the event loop alone, without I/O. The table is the truth: a lane's ``due_at`` is when it is worth a look, and
an order that finds less corrects it. Instants are Unix milliseconds.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.queue.fairness import Lane, Rotation, Share
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.primitives.ids import AccountId
from gatepost.storage.queue_sqlite.jobs import LeaseRecord, Order

_UNKNOWN: Final = 1 << 30
"""How many leases a lane with due rows may have waiting: as many as one likes to ask for."""

_SET_BACK: Final = 60_000
"""A clock that went back by more than this has been set, and what is due is looked at anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLimits:
    """How much may lie in memory between being written down as LEASED and being handed out.

    Attributes:
        lane_leases: So many of one lane, so that one slow destination does not take it all.
    """

    leases: int = 512
    octets: int = 32 << 20
    lane_leases: int = 64


class StockedLane(Lane):
    """A lane and what of it is in memory."""

    __slots__ = ("due_at", "is_ordered", "stock", "stuck_since")

    def __init__(self, account_id: AccountId, domain: str) -> None:
        super().__init__(account_id, domain)
        self.stock: deque[LeaseRecord] = deque()
        #: When its first queued row is due; None if it has none.
        self.due_at: int | None = None
        #: An order for it is under way.
        self.is_ordered = False
        #: Since when there has been no room for its stock; None if there was at the last look.
        self.stuck_since: int | None = None


class Lanes:
    """All lanes with work, who is next, and the stock."""

    def __init__(self, *, limits: StockLimits, longest_delay: int) -> None:
        self._limits = limits
        self._longest_delay = longest_delay
        self._lanes: dict[tuple[AccountId, str], StockedLane] = {}
        self._rotation: Rotation[StockedLane] = Rotation()
        self._due: list[tuple[int, int, StockedLane]] = []  # a heap; an entry whose time is not its lane's is old
        self._entries = 0
        self._latest_now = 0
        self._ready: deque[LeaseRecord] = deque()  # read from the table; whose turn it was has been decided
        self.stocked_leases = 0
        self.stocked_octets = 0

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def next_due_at(self) -> int | None:
        """When the next lane that is waiting for its time is due."""
        return self._due[0][0] if self._due else None

    # What comes in.

    def find_leasable(self, message: QueuedMessage, now: int) -> tuple[str, ...]:
        """Return the message's domains whose recipients may be leased as they are accepted.

        Not where older mail of the lane waits in the table, nor beyond the limits of the stock.
        """
        if self.stocked_leases >= self._limits.leases or self.stocked_octets >= self._limits.octets:
            return ()
        domains = {mailbox.domain for mailbox in message.envelope.forward_paths}
        return tuple([domain for domain in domains if self._may_stock(message.account_id, domain, now)])

    def reserve(self, message: QueuedMessage, domains: Sequence[str]) -> None:
        """Count leases into the stock that are being written down."""
        self.stocked_leases += len(domains)
        self.stocked_octets += _octets(message) * len(domains)

    def cancel_reservation(self, message: QueuedMessage, domains: Sequence[str]) -> None:
        """Take back ``reserve``: they were not written, or are now counted by ``put``."""
        self.stocked_leases -= len(domains)
        self.stocked_octets -= _octets(message) * len(domains)

    def put(self, record: LeaseRecord) -> None:
        """Put a lease that is written down into the stock."""
        lane = self._lane(record.lease.message.account_id, record.lease.domain)
        lane.stock.append(record)
        self._remember(record)
        self._refresh(lane)

    def note_due(self, account_id: AccountId, domain: str, due_at: int) -> None:
        """Remember that rows of a lane have been queued, the first due at ``due_at``."""
        lane = self._lane(account_id, domain)
        if lane.due_at is None or due_at < lane.due_at:
            lane.due_at = due_at
            self._wait(lane)

    def note_found(self, account_id: AccountId, domain: str, first: int, last: int, now: int) -> None:
        """Remember what the table holds of a lane when it is opened."""
        self.note_due(account_id, domain, now if last > now + self._longest_delay else first)

    # What goes out.

    def mature(self, now: int) -> None:
        """Let the lanes take part that have become due."""
        if now < self._latest_now - _SET_BACK:
            for lane in self._lanes.values():
                if lane.due_at is not None and lane.due_at > now + self._longest_delay:
                    lane.due_at = now
                    self._wait(lane)
        self._latest_now = now
        while self._due and self._due[0][0] <= now:
            due_at, _, lane = heappop(self._due)
            if lane.due_at == due_at:
                self._refresh(lane)

    def allot(
        self, *, limit: int, room: Callable[[str], int], now: int
    ) -> tuple[list[LeaseRecord], list[Order], list[StockedLane]]:
        """Decide who is served now.

        Returns:
            Leases out of the stock, to be handed out; orders to read from the table, for whose lanes nothing else is
            read until ``deliver`` or ``cancel``; and the lanes whose stock found no room.
        """
        records: list[LeaseRecord] = []
        orders: list[Order] = []
        left = self._hand_over_ready(records, limit, room)
        shares, without_room = self._rotation.allot(limit=limit - len(records), room=left)
        for share in shares:
            lane = share.lane
            lane.stuck_since = None
            leases, recipients = self._take(share, records)
            if leases > 0 and self._is_due(lane, now):
                lane.is_ordered = True
                orders.append(Order(lane.account_id, lane.domain, leases, recipients))
            self._refresh(lane)
        stuck = [lane for lane in without_room if lane.stock]
        for lane in stuck:
            lane.stuck_since = now if lane.stuck_since is None else lane.stuck_since
        return records, orders, stuck

    def deliver(self, order: Order) -> None:
        """Make what an order has found the next to be handed out."""
        lane = self._lane(order.account_id, order.domain)
        lane.is_ordered = False
        for record in order.records:
            self._ready.append(record)
            self._remember(record)
        lane.due_at = order.due_at
        if order.due_at is not None:
            self._wait(lane)
        self._refresh(lane)

    def cancel(self, order: Order) -> None:
        """Forget an order that could not be carried out; its lane stays due."""
        lane = self._lane(order.account_id, order.domain)
        lane.is_ordered = False
        self._refresh(lane)

    def withdraw(self, lane: StockedLane) -> list[LeaseRecord]:
        """Take all of a lane's stock out again."""
        records = list(lane.stock)
        lane.stock.clear()
        for record in records:
            self._forget(record)
        lane.stuck_since = None
        self._refresh(lane)
        return records

    def withdraw_matching(self, matches: Callable[[LeaseRecord], bool]) -> list[LeaseRecord]:
        """Take those leases out of the stock again that match."""
        withdrawn = [record for record in self._ready if matches(record)]
        self._ready = deque([record for record in self._ready if not matches(record)])
        for record in withdrawn:
            self._forget(record)
        for lane in [lane for lane in self._lanes.values() if lane.stock]:
            chosen = [record for record in lane.stock if matches(record)]
            if chosen:
                lane.stock = deque([record for record in lane.stock if not matches(record)])
                for record in chosen:
                    self._forget(record)
                withdrawn += chosen
                self._refresh(lane)
        return withdrawn

    # Inside.

    def _lane(self, account_id: AccountId, domain: str) -> StockedLane:
        lane = self._lanes.get((account_id, domain))
        if lane is None:
            lane = self._lanes[account_id, domain] = StockedLane(account_id, domain)
        return lane

    def _may_stock(self, account_id: AccountId, domain: str, now: int) -> bool:
        lane = self._lanes.get((account_id, domain))
        if lane is None:
            return True
        return len(lane.stock) < self._limits.lane_leases and not lane.is_ordered and not self._is_due(lane, now)

    def _is_due(self, lane: StockedLane, now: int) -> bool:
        return lane.due_at is not None and lane.due_at <= now and not lane.is_ordered

    def _wait(self, lane: StockedLane) -> None:
        assert lane.due_at is not None
        self._entries += 1
        heappush(self._due, (lane.due_at, self._entries, lane))

    def _refresh(self, lane: StockedLane) -> None:
        """Bring a lane's part in the rotation up to date; drop it when it has nothing left."""
        lane.waiting = len(lane.stock) + (_UNKNOWN if self._is_due(lane, self._latest_now) else 0)
        if lane.waiting:
            self._rotation.add(lane)
        else:
            self._rotation.remove(lane)
            if lane.due_at is None and not lane.is_ordered:
                self._lanes.pop((lane.account_id, lane.domain), None)

    def _take(self, share: Share[StockedLane], records: list[LeaseRecord]) -> tuple[int, int]:
        """Move leases from a lane's stock to ``records``; return how many leases and recipients are left to give."""
        stock, leases, recipients = share.lane.stock, share.leases, share.recipients
        while stock and leases > 0 and recipients > 0:
            record = stock[0]
            if len(record.lease.recipients) > recipients:
                records.append(_split(record, recipients))
                return 0, 0
            stock.popleft()
            self._forget(record)
            records.append(record)
            leases -= 1
            recipients -= len(record.lease.recipients)
        return min(leases, recipients), recipients

    def _hand_over_ready(
        self, records: list[LeaseRecord], limit: int, room: Callable[[str], int]
    ) -> Callable[[str], int]:
        """Move what is ready to ``records`` as far as there is room; return the room that is left."""
        left: dict[str, int] = {}

        def room_left(domain: str) -> int:
            if domain not in left:
                left[domain] = room(domain)
            return left[domain]

        while self._ready and len(records) < limit:
            record = self._ready.popleft()
            domain, wanted = record.lease.domain, len(record.lease.recipients)
            if wanted <= room_left(domain):
                left[domain] -= wanted
                self._forget(record)
                records.append(record)
            else:  # room has shrunk meanwhile: it takes its turn again
                self._forget(record)
                self.put(record)
        return room_left

    def _remember(self, record: LeaseRecord) -> None:
        self.stocked_leases += 1
        self.stocked_octets += _octets(record.lease.message)

    def _forget(self, record: LeaseRecord) -> None:
        self.stocked_leases -= 1
        self.stocked_octets -= _octets(record.lease.message)


def _split(record: LeaseRecord, recipients: int) -> LeaseRecord:
    """Cut the first ``recipients`` off a lease, as a lease of their own."""
    lease = record.lease
    record.lease = replace(lease, recipients=lease.recipients[recipients:])
    return LeaseRecord(replace(lease, recipients=lease.recipients[:recipients]), record.message_key, record.is_marked)


def _octets(message: QueuedMessage) -> int:
    """What a message takes in memory, nearly."""
    return message.content.size_octets if isinstance(message.content, MemoryContent) else 4096
