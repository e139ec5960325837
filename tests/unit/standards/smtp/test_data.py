"""ContentReader against a reader of lines that is too simple to be wrong."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.smtp.data import ContentReader
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.status_codes import (
    CONTENT_LINE_TOO_LONG,
    TOO_LARGE,
    UNDECLARED_8BIT,
)

HOSTILE_ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "LF.CR": b"\n.\r",
    "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.CR": b"\r.\r",
    "CR.LF": b"\r.\n",
    "CR.CRLF": b"\r.\r\n",
    "LFCR.LFCR": b"\n\r.\n\r",
    "CRCRLF.CRLF": b"\r\r\n.\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLFCR.CRLF": b"\r\n\r.\r\n",
    "CRLFLF.CRLF": b"\r\n\n.\r\n",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
    "CR NUL LF.CRLF": b"\r\0\n.\r\n",
    "CRLF.CR NUL LF": b"\r\n.\r\0\n",
}
NO_ENDS = {
    "VT.VT": b"\x0b.\x0b",
    "FF.FF": b"\x0c.\x0c",
    "NEL.NEL": b"\x85.\x85",
    "LS.LS": b"\xe2\x80\xa8.\xe2\x80\xa8",
    "CRLF .CRLF": b"\r\n .\r\n",
    "CRLF. CRLF": b"\r\n. \r\n",
    "CRLF..CRLF": b"\r\n..\r\n",
    "CRLF.VT": b"\r\n.\x0b",
    "x.CRLF": b"x.\r\n",
}


def new_reader(*, max_size_octets: int = 100_000, allows_8bit: bool = True) -> ContentReader:
    return ContentReader(max_size_octets=max_size_octets, allows_8bit=allows_8bit)


def read_lines(octets: bytes) -> tuple[str, bytes, bytes]:
    """Read content line by line: what became of it, the content, what is behind its end."""
    content = b""
    while b"\n" in octets:
        line, _, octets = octets.partition(b"\n")
        if not line.endswith(b"\r") or b"\r" in line[:-1] or b"\0" in line:
            return "stray", b"", b""
        if line == b".\r":
            return "complete", content, octets
        content += line.removeprefix(b".") + b"\n"
    return "unfinished", content, b""


def read_pieces(reader: ContentReader, pieces: list[bytes]) -> tuple[str, bytes, bytes]:
    content = b""
    for index, piece in enumerate(pieces):
        try:
            content += reader.read(piece)
        except ProtocolViolation as violation:
            if not violation.closes:
                raise
            return "too large" if violation.reply is TOO_LARGE else "stray", b"", b""
        if reader.is_complete:
            return "complete", content, reader.rest + b"".join(pieces[index + 1 :])
    return "unfinished", content, b""


def octet_by_octet(octets: bytes) -> list[bytes]:
    return [octets[index : index + 1] for index in range(len(octets))]


@pytest.mark.parametrize("end", HOSTILE_ENDS.values(), ids=HOSTILE_ENDS)
@pytest.mark.parametrize("before", [b"", b"a", b"a\r\n", b"..", b"a" * 998], ids=repr)
@pytest.mark.parametrize("split", [lambda octets: [octets], octet_by_octet], ids=["whole", "octet by octet"])
def test_what_only_looks_like_an_end_is_refused(before, end, split) -> None:
    smuggled = b"MAIL FROM:<eve@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nHello.\r\n.\r\n"

    assert read_pieces(new_reader(), split(before + end + smuggled))[0] == "stray"


@pytest.mark.parametrize("octets", NO_ENDS.values(), ids=NO_ENDS)
@pytest.mark.parametrize("split", [lambda octets: [octets], octet_by_octet], ids=["whole", "octet by octet"])
def test_what_is_no_end_is_content(octets, split) -> None:
    sent = b"a" + octets + b"b\r\n.\r\nNOOP\r\n"

    outcome, content, rest = read_pieces(new_reader(), split(sent))

    assert (outcome, rest) == ("complete", b"NOOP\r\n")
    assert content == b"a" + octets.replace(b"\r\n.", b"\r\n") + b"b\r\n"


def test_every_short_sequence_is_read_as_line_by_line() -> None:
    for length in range(8):
        for letters in product(b"\r\n.a", repeat=length):
            octets = bytes(letters)
            expected = read_lines(octets)
            assert read_pieces(new_reader(), [octets]) == expected
            assert read_pieces(new_reader(), octet_by_octet(octets)) == expected


PIECES = st.sampled_from(
    [b"\r\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"\r\n..", b"\r", b"\n", b"\0", b"x" * 500, b"x" * 997, b"\xe9"]
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.data())
def test_splits_do_not_matter(octets: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    pieces = [octets[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    whole, split, bytewise = (new_reader(max_size_octets=1_000, allows_8bit=False) for _ in range(3))

    expected = read_pieces(whole, [octets])
    outcomes = [read_pieces(split, pieces), read_pieces(bytewise, octet_by_octet(octets))]

    for reader, outcome in zip((split, bytewise), outcomes, strict=True):
        # what is wrong in an incomplete line may be found now or when the line goes on
        assert outcome[0] == expected[0] or (
            "unfinished" in {outcome[0], expected[0]} and "complete" not in {outcome[0], expected[0]}
        )
        if expected[0] == "complete":
            assert reader.refusal == whole.refusal
            assert outcome[2] == expected[2]
            assert outcome == expected or whole.refusal is not None


@given(st.lists(st.binary(max_size=60).map(lambda line: line.translate(None, b"\r\n\0")), max_size=20))
def test_what_was_stuffed_comes_out_as_it_was(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)

    assert read_pieces(new_reader(), [stuffed + b".\r\nQUIT\r\n"]) == ("complete", content, b"QUIT\r\n")


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        pytest.param(b"x" * 998 + b"\r\n.\r\n", None, id="998 octets"),
        pytest.param(b"x" * 999 + b"\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="999 octets"),
        pytest.param(b"." + b"x" * 998 + b"\r\n.\r\n", None, id="998 octets and a stuffed dot"),
        pytest.param(b"." + b"x" * 999 + b"\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="999 octets and a stuffed dot"),
        pytest.param(b"ok\r\n" * 300 + b"x" * 999 + b"\r\nok\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="in the middle"),
        pytest.param(b"x" * 5000 + b"\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="5000 octets"),
        pytest.param(b"x" * 1000 + b".\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="a dot at octet 1001 is no end"),
        pytest.param(b"x" * 1001 + b".\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="a dot at octet 1002 is no end"),
        pytest.param(b"x" * 2002 + b".\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="a dot at octet 2003 is no end"),
        pytest.param(
            b"." + b"x" * 9_998 + b"\r\n.\r\n", CONTENT_LINE_TOO_LONG, id="a long line, exactly the size limit"
        ),
        pytest.param(b"." + b"x" * 9_999 + b"\r\n.\r\n", TOO_LARGE, id="a long line, one over the size limit"),
        pytest.param(b"\xe9\r\n.\r\n", UNDECLARED_8BIT, id="8 bits"),
        pytest.param((b"x" * 98 + b"\r\n") * 100 + b".\r\n", None, id="exactly the size limit"),
        pytest.param((b"x" * 98 + b"\r\n") * 100 + b"\r\n.\r\n", TOO_LARGE, id="one line over the size limit"),
        pytest.param((b".." + b"x" * 97 + b"\r\n") * 100 + b".\r\n", None, id="stuffed dots do not count"),
        pytest.param(b"\xe9" + b"x" * 10_000 + b"\r\n.\r\n", TOO_LARGE, id="size counts most"),
    ],
)
@pytest.mark.parametrize("split", [lambda octets: [octets], octet_by_octet], ids=["whole", "octet by octet"])
def test_what_has_to_be_refused_is_read_to_its_end(sent, refusal, split) -> None:
    reader = new_reader(max_size_octets=10_000, allows_8bit=False)

    outcome, _, rest = read_pieces(reader, split(sent + b"NOOP\r\n"))

    assert (outcome, rest) == ("complete", b"NOOP\r\n")
    assert reader.refusal == refusal


@pytest.mark.parametrize("octets", [b"x" * 1001 + b"\rx", b"x" * 1001 + b"\0"], ids=repr)
@pytest.mark.parametrize("size", [1, 7, 1003])
def test_a_stray_octet_in_a_long_line_is_found_though_nothing_is_held(octets, size) -> None:
    pieces = [octets[begin : begin + size] for begin in range(0, len(octets), size)] + [b"x" * 1001]

    assert read_pieces(new_reader(), pieces)[0] == "stray"


def test_an_endless_line_is_not_held() -> None:
    reader = new_reader(max_size_octets=100_000)

    for _ in range(100):
        reader.read(b"x" * 1500)

    assert len(reader._held) <= 1000
    assert reader.refusal is TOO_LARGE


def test_twice_the_size_limit_closes() -> None:
    reader = new_reader(max_size_octets=1000)
    reader.read(b"x" * 98 + b"\r\n" + b"x" * 1898 + b"\r\n")

    with pytest.raises(ProtocolViolation) as caught:
        reader.read(b"\r\n")

    assert caught.value.closes
    assert caught.value.reply is TOO_LARGE


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        pytest.param(b"x\r\n" * 666 + b"ab\n", "stray", id="within the limit"),
        pytest.param(b"x\r\n" * 666 + b"abc\n", "too large", id="one octet beyond the limit"),
        pytest.param(b"..\r\n" * 666 + b".ab\0\r\n", "stray", id="stuffed dots do not count"),
        pytest.param(b"..\r\n" * 666 + b".abc\0\r\n", "too large", id="stuffed dots do not make room"),
        pytest.param(b"." + b"x" * 2000 + b"\rx" + b"x" * 2000, "stray", id="in a line that is let go of"),
        pytest.param(b"x" * 2001 + b"\rx" + b"x" * 2000, "too large", id="behind what was let go of"),
        pytest.param(b"a\nb\r\n" + b"x\r\n" * 1000, "stray", id="far before the limit"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 700, 10_000])
def test_whichever_comes_first_is_said_a_stray_octet_or_twice_the_limit(sent, outcome, size) -> None:
    pieces = [sent[begin : begin + size] for begin in range(0, len(sent), size)]

    assert read_pieces(new_reader(max_size_octets=1000), pieces)[0] == outcome
