import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.smtp.commands import MAX_LINE_OCTETS
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.input_buffer import InputBuffer
from gatepost.standards.smtp.status_codes import LINE_TOO_LONG, STRAY_OCTET_IN_COMMAND


def fill(octets: bytes) -> InputBuffer:
    buffer = InputBuffer()
    buffer.append(octets)
    return buffer


def take_all_lines(buffer: InputBuffer) -> list[bytes | str]:
    lines: list[bytes | str] = []
    while True:
        try:
            line = buffer.take_line()
        except ProtocolViolation as violation:
            lines.append(str(violation))
            if violation.closes:
                return lines
        else:
            if line is None:
                return lines
            lines.append(line)


def test_lines_come_out_one_by_one() -> None:
    buffer = fill(b"one\r\ntwo\r\n\r\nthr")

    assert [buffer.take_line() for _ in range(4)] == [b"one", b"two", b"", None]
    buffer.append(b"ee\r\n")
    assert buffer.take_line() == b"three"
    assert not buffer


def test_take_all_leaves_nothing() -> None:
    buffer = fill(b"one\r\ntwo\nthree")
    buffer.take_line()

    assert buffer.take_all() == b"two\nthree"
    assert len(buffer) == 0


def test_clear_forgets() -> None:
    buffer = fill(b"one\r\ntw")
    buffer.clear()
    buffer.append(b"o\r\n")

    assert buffer.take_line() == b"o"


@pytest.mark.parametrize(
    "line", [b"a\n", b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\n", b"a\0\r\n", b"\n", b"\r\r\n", b"a\n\r\n"], ids=repr
)
def test_a_stray_octet_closes(line) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        fill(line).take_line()

    assert caught.value.closes
    assert caught.value.reply is STRAY_OCTET_IN_COMMAND


@pytest.mark.parametrize("size", [1, 100, 12_287, 12_288, 12_289, 100_000])
def test_a_line_too_long_is_dropped_and_the_next_is_read(size) -> None:
    octets = b"x" * 20_000 + b"\r\nNOOP\r\n"
    buffer = InputBuffer()
    lines = []
    for begin in range(0, len(octets), size):
        buffer.append(octets[begin : begin + size])
        lines += take_all_lines(buffer)
        assert len(buffer) <= MAX_LINE_OCTETS

    assert lines == [str(LINE_TOO_LONG), b"NOOP"]


@pytest.mark.parametrize(("size", "fits"), [(12_288, True), (12_289, False)])
def test_the_limit_counts_crlf(size, fits) -> None:
    lines = take_all_lines(fill(b"x" * (size - 2) + b"\r\n"))

    assert (lines == [b"x" * (size - 2)]) == fits


@pytest.mark.parametrize("octets", [b"x" * 12_289 + b"\rx", b"x" * 12_289 + b"\0"], ids=["CR", "NUL"])
def test_a_stray_octet_in_a_line_too_long_closes(octets) -> None:
    buffer = fill(octets)

    with pytest.raises(ProtocolViolation) as caught:
        buffer.take_line()

    assert caught.value.closes


def test_what_has_been_read_is_not_kept_in_memory() -> None:
    buffer = fill(b"NOOP\r\n" * 10_000 + b"NO")

    take_all_lines(buffer)

    assert buffer._octets == b"NO"


@given(
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b"ab", b"x" * 12_286, b"x" * 600]), max_size=8), st.data()
)
def test_splits_do_not_matter(pieces, data) -> None:
    octets = b"".join(pieces)
    if len(octets) % 2:
        octets += b"\r\n"
    whole = take_all_lines(fill(octets))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))

    buffer = InputBuffer()
    lines: list[bytes | str] = []
    for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        buffer.append(octets[begin:end])
        lines += take_all_lines(buffer)
        if lines[-1:] == [str(STRAY_OCTET_IN_COMMAND)]:
            break

    # a stray octet in an incomplete line may be found now or when the line goes on
    strays = [str(STRAY_OCTET_IN_COMMAND)]
    assert lines == whole or strays in (lines[len(whole) :], whole[len(lines) :])
