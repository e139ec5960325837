from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from gatepost.mailflow.delivery.pool import ConnectionPool, PoolLimits
from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.standards.smtp.peer_extensions import PeerExtensions
from gatepost.standards.smtp.transaction import Transaction, TransactionResult

HOP = NextHop(host="mx.test", address="192.0.2.1", port=25)
LIMITS = PoolLimits(idle_seconds=10, messages_per_connection=3, max_idle=2)


@dataclass(eq=False)
class Line:
    """A connection that only knows whether it is open."""

    is_usable: bool = True
    transactions: int = 1
    is_closed: bool = False
    tls: str = ""
    extensions: PeerExtensions = field(default_factory=PeerExtensions)

    def close(self) -> None:
        self.is_closed = True

    async def send(self, transaction: Transaction, content: Iterator[bytes]) -> TransactionResult:
        raise NotImplementedError


class Ticks:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def pool(ticks: Ticks) -> ConnectionPool:
    return ConnectionPool(LIMITS, monotonic=ticks)


def test_a_connection_is_taken_once(pool: ConnectionPool) -> None:
    line = Line()
    pool.put(HOP, line)

    assert pool.take(HOP) is line
    assert pool.take(HOP) is None


def test_hops_are_kept_apart(pool: ConnectionPool) -> None:
    pool.put(HOP, Line())

    assert pool.take(replace(HOP, port=26)) is None
    assert pool.take(replace(HOP, tls=TLSRequirement.VERIFIED)) is None


def test_a_connection_in_the_clear_serves_only_opportunistic_hops(pool: ConnectionPool) -> None:
    clear = Line()
    pool.put(replace(HOP, tls=TLSRequirement.NONE), clear)

    assert pool.take(replace(HOP, tls=TLSRequirement.ENCRYPTED)) is None
    assert pool.take(HOP) is clear


@pytest.mark.parametrize("line", [Line(is_usable=False), Line(transactions=3)], ids=["dead", "used up"])
def test_what_cannot_be_used_again_is_closed(pool: ConnectionPool, line: Line) -> None:
    pool.put(HOP, line)

    assert line.is_closed
    assert pool.take(HOP) is None


def test_what_died_meanwhile_is_skipped(pool: ConnectionPool) -> None:
    alive, dead = Line(), Line()
    pool.put(HOP, alive)
    pool.put(HOP, dead)
    dead.is_usable = False

    assert pool.take(HOP) is alive
    assert dead.is_closed


def test_where_all_died_meanwhile_there_is_none(pool: ConnectionPool) -> None:
    dead = Line()
    pool.put(HOP, dead)
    dead.is_usable = False

    assert pool.take(HOP) is None


def test_idle_connections_are_closed_after_a_while(pool: ConnectionPool, ticks: Ticks) -> None:
    old, young = Line(), Line()
    pool.put(HOP, old)
    ticks.now = 5
    pool.put(HOP, young)
    ticks.now = 10

    pool.close_idle()

    assert (old.is_closed, young.is_closed) == (True, False)
    assert pool.take(HOP) is young


def test_too_many_idle_connections_close_the_one_longest_idle(pool: ConnectionPool, ticks: Ticks) -> None:
    lines = [Line(), Line(), Line()]
    for number, line in enumerate(lines):
        ticks.now = number
        pool.put(replace(HOP, port=number + 1), line)

    assert [line.is_closed for line in lines] == [True, False, False]


def test_closing_the_pool_closes_all(pool: ConnectionPool) -> None:
    lines = [Line(), Line()]
    for line in lines:
        pool.put(HOP, line)

    pool.close()

    assert all(line.is_closed for line in lines)
    assert pool.take(HOP) is None
