from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.reply_reader import MAX_REPLY_LINE_OCTETS, ReplyReader, ReplyViolation


def read(octets: bytes) -> list[Reply]:
    return list(ReplyReader().feed(octets))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"250 2.1.0 Ok\r\n", Reply(250, "2.1.0", "Ok"), id="enhanced"),
        pytest.param(b"250 Ok\r\n", Reply(250, "", "Ok"), id="plain"),
        pytest.param(b"250\r\n", Reply(250, "", ""), id="no text"),
        pytest.param(b"250 \r\n", Reply(250, "", ""), id="empty text"),
        pytest.param(b"250 Ok\n", Reply(250, "", "Ok"), id="bare LF"),
        pytest.param(b"250 2.1.0\r\n", Reply(250, "2.1.0", ""), id="enhanced code alone"),
        pytest.param(b"550 2.1.0 no\r\n", Reply(550, "", "2.1.0 no"), id="enhanced code of another class"),
        pytest.param(b"220 2.0.0.example here\r\n", Reply(220, "", "2.0.0.example here"), id="no enhanced code"),
        pytest.param(b"250-a\r\n250-B C\r\n250 d\r\n", Reply(250, "", "a\nB C\nd"), id="several lines"),
        pytest.param(b"550-5.7.1 a\r\n550 5.7.1 b\r\n", Reply(550, "5.7.1", "a\nb"), id="enhanced on each line"),
        pytest.param(b"550-5.7.1 a\r\n550 b\r\n", Reply(550, "5.7.1", "a\nb"), id="enhanced on the first line"),
        pytest.param(b"550 a\x00\x1b[2J\rb\tc\r\n", Reply(550, "", "a??[2J?b c"), id="controls become printable"),
        pytest.param("550 \u202egnol ü\r\n".encode(), Reply(550, "", "?gnol ü"), id="direction override"),
        pytest.param(b"550 \xff\r\n", Reply(550, "", "\ufffd"), id="not UTF-8"),
    ],
)
def test_a_reply_is_read(octets: bytes, expected: Reply) -> None:
    assert read(octets) == [expected]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\r\n", id="empty line"),
        pytest.param(b"150 hm\r\n", id="1xx"),
        pytest.param(b"650 hm\r\n", id="6xx"),
        pytest.param(b"25 0\r\n", id="two digits"),
        pytest.param(b"2500 ok\r\n", id="four digits"),
        pytest.param(b"250ok\r\n", id="no separator"),
        pytest.param("２５０ ok\r\n".encode(), id="wide digits"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="another protocol"),
        pytest.param(b"250-ok\r\n550 no\r\n", id="code changes"),
        pytest.param(b"250 " + b"x" * 1_000_000, id="endless line"),
        pytest.param(b"250 " + b"x" * MAX_REPLY_LINE_OCTETS + b"\r\n", id="long line"),
        pytest.param(b"250-x\r\n" * 100_000, id="endless lines"),
    ],
)
def test_what_is_no_reply_is_a_violation(octets: bytes) -> None:
    with pytest.raises(ReplyViolation):
        read(octets)


def test_replies_before_a_violation_come_out_first() -> None:
    reader = ReplyReader()
    replies = reader.feed(b"250 ok\r\nbad\r\n")

    assert next(replies) == Reply(250, "", "ok")
    with pytest.raises(ReplyViolation):
        next(replies)


@pytest.mark.parametrize("octets", [b"2", b"250-a\r\n", b"250 a\r\n250 b\r\n"], ids=["part", "first line", "second"])
def test_the_reader_knows_whether_something_is_left_over(octets: bytes) -> None:
    reader = ReplyReader()
    replies = reader.feed(octets)

    next(replies, None)

    assert reader.holds_octets


def outcome(pieces: list[bytes]) -> tuple[list[Reply], bool]:
    reader = ReplyReader()
    replies: list[Reply] = []
    try:
        for piece in pieces:
            replies.extend([])
            for reply in reader.feed(piece):
                replies.append(reply)  # noqa: PERF402 - what came before a violation counts
    except ReplyViolation:
        return replies, True
    return replies, False


@given(
    octets=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [b"250 ok\r\n", b"250-a\r\n", b"550 5.1.1 no\r\n", b"250\n", b"x", b"\r", b"421 4.3.2 \xff\r\n"]
            ),
            max_size=12,
        ).map(b"".join),
    ),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_pieces_give_the_same_replies_as_the_whole(octets: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut <= len(octets)), len(octets)]
    pieces = [octets[start:end] for start, end in pairwise(borders)]

    whole = outcome([octets])

    assert outcome(pieces) == whole
    assert outcome([octets[i : i + 1] for i in range(len(octets))]) == whole
