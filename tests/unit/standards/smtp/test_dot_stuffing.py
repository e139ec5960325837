from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.smtp.dot_stuffing import DotStuffer


def stuff(pieces: list[bytes]) -> bytes:
    stuffer = DotStuffer()
    return b"".join([stuffer.stuff(piece) for piece in pieces]) + stuffer.end()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", b".\r\n", id="empty"),
        pytest.param(b"a\r\n", b"a\r\n.\r\n", id="plain"),
        pytest.param(b"a", b"a\r\n.\r\n", id="last line without end"),
        pytest.param(b".\r\n", b"..\r\n.\r\n", id="a lone dot"),
        pytest.param(b"a\r\n.\r\n.b\r\n", b"a\r\n..\r\n..b\r\n.\r\n", id="dots after line ends"),
        pytest.param(b"a.b\r\n", b"a.b\r\n.\r\n", id="dot within a line"),
        pytest.param(b"a\r\n..\r\n", b"a\r\n...\r\n.\r\n", id="two dots"),
    ],
)
def test_a_dot_at_the_start_of_a_line_is_doubled(content: bytes, expected: bytes) -> None:
    assert stuff([content]) == expected


@given(
    content=st.lists(st.sampled_from([b".", b"\r\n", b"a", b"\r\n."]), max_size=30).map(b"".join),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_pieces_are_stuffed_as_the_whole_and_come_back(content: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut <= len(content)), len(content)]
    pieces = [content[start:end] for start, end in pairwise(borders)]

    whole = stuff([content])
    lines = whole.split(b"\r\n")

    assert stuff(pieces) == whole
    assert stuff([content[i : i + 1] for i in range(len(content))]) == whole
    assert lines.index(b".") == len(lines) - 2, "the only lone dot is the last line"
    assert b"\r\n".join([line.removeprefix(b".") for line in lines[:-2]]).rstrip(b"\r\n") == content.rstrip(b"\r\n")
