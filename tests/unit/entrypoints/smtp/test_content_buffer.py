"""A content is whole or refused, and whatever happens the memory is given back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.entrypoints.smtp.content_buffer import ContentBuffer, MemoryBudget
from gatepost.mailflow.content import Content, MemoryContent
from gatepost.primitives.errors import Transient


class Spool:
    """Keeps what is written, in a list; can run out of room."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.open_writers = 0

    def open(self) -> "Writer":
        if self.room == 0:
            raise Transient("no room")
        self.open_writers += 1
        return Writer(self)


class Writer:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._chunks: list[bytes] = []
        self._is_discarded = False

    def write(self, octets: bytes) -> None:
        if sum(map(len, self._chunks)) + len(octets) > self._spool.room:
            raise Transient("no room")
        self._chunks.append(octets)

    def finish(self) -> Content:
        return MemoryContent(b"".join(self._chunks))

    def discard(self) -> None:
        if not self._is_discarded:
            self._is_discarded = True
            self._spool.open_writers -= 1


def buffer_with(budget: MemoryBudget, spool: Spool, threshold: int = 100) -> ContentBuffer:
    return ContentBuffer(budget=budget, spool=spool, threshold_octets=threshold)


def test_a_small_content_stays_in_memory() -> None:
    budget, spool = MemoryBudget(1000), Spool()
    buffer = buffer_with(budget, spool)

    buffer.add(b"a" * 60)
    buffer.add(b"b" * 40)

    assert buffer.finish() == MemoryContent(b"a" * 60 + b"b" * 40)
    assert budget.held_octets == 100
    assert spool.open_writers == 0


def test_one_piece_is_not_copied() -> None:
    octets = b"a" * 60
    buffer = buffer_with(MemoryBudget(1000), Spool())

    buffer.add(octets)

    assert buffer.finish().head() is octets


def test_a_content_beyond_the_threshold_goes_to_the_spool_and_gives_its_memory_back() -> None:
    budget, spool = MemoryBudget(1000), Spool()
    buffer = buffer_with(budget, spool)

    buffer.add(b"a" * 100)
    buffer.add(b"b")

    assert budget.held_octets == 0
    assert spool.open_writers == 1
    assert b"".join(buffer.finish().chunks()) == b"a" * 100 + b"b"


def test_a_content_goes_to_the_spool_when_the_sessions_together_hold_enough() -> None:
    budget, spool = MemoryBudget(150), Spool()
    first, second = buffer_with(budget, spool), buffer_with(budget, spool)

    first.add(b"a" * 100)
    second.add(b"b" * 50)
    second.add(b"c")

    assert budget.held_octets == 100
    assert b"".join(second.finish().chunks()) == b"b" * 50 + b"c"


@pytest.mark.parametrize("room", [0, 120], ids=["cannot open", "cannot write on"])
def test_a_content_without_room_is_refused_at_its_end_and_nothing_of_it_is_kept(room: int) -> None:
    budget, spool = MemoryBudget(1000), Spool(room)
    buffer = buffer_with(budget, spool)

    for _ in range(5):
        buffer.add(b"a" * 50)

    with pytest.raises(Transient, match="no room"):
        buffer.finish()
    buffer.discard()
    assert (budget.held_octets, spool.open_writers) == (0, 0)


@given(
    contents=st.lists(st.lists(st.integers(0, 200), max_size=6), max_size=6),
    limit=st.integers(0, 400),
    room=st.sampled_from([0, 300, 1 << 20]),
    ends=st.lists(st.integers(1, 2), min_size=6, max_size=6),
)
def test_the_budget_is_never_exceeded_and_always_given_back(
    contents: list[list[int]], limit: int, room: int, ends: list[int]
) -> None:
    budget, spool = MemoryBudget(limit), Spool(room)
    buffers = [buffer_with(budget, spool) for _ in contents]

    for buffer, sizes in zip(buffers, contents, strict=True):
        for size in sizes:
            buffer.add(b"x" * size)
            assert 0 <= budget.held_octets <= limit
    for buffer, end, sizes in zip(buffers, ends, contents, strict=False):
        try:
            assert buffer.finish().size_octets == sum(sizes)
        except Transient:
            assert room < sum(sizes) or room == 0
        for _ in range(end):
            buffer.discard()

    assert budget.held_octets == 0


def test_room_is_told_before_it_is_taken() -> None:
    budget = MemoryBudget(100)

    assert budget.has_room(100)
    assert budget.reserve(60)
    assert not budget.has_room(41)
    assert not budget.reserve(41)
    assert budget.held_octets == 60
