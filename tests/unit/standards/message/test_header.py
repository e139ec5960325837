"""The header section: read strictly, kept octet by octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.message.header import (
    MAX_FIELDS,
    MAX_SECTION_OCTETS,
    HeaderError,
    HeaderField,
    HeaderSection,
    HeaderTooLong,
    parse_header_section,
)

TAKEN = {
    "one field": (b"A: b\r\n\r\n", [(b"a", b"b")]),
    "no empty line: all header": (b"A: b\r\n", [(b"a", b"b")]),
    "no space after the colon": (b"A:b\r\n\r\n", [(b"a", b"b")]),
    "empty body": (b"A:\r\n\r\n", [(b"a", b"")]),
    "body of white space": (b"A: \t \r\n\r\n", [(b"a", b"")]),
    "folded": (b"A: b\r\n c\r\n\td\r\n\r\n", [(b"a", b"b c\td")]),
    "folded at once": (b"A:\r\n b\r\nC: d\r\n\r\n", [(b"a", b"b"), (b"c", b"d")]),
    "tab inside": (b"A: b\tc\r\n\r\n", [(b"a", b"b\tc")]),
    "colon in the body": (b"A: b: c\r\n\r\n", [(b"a", b"b: c")]),
    "same name twice": (b"A: b\r\na: c\r\n\r\n", [(b"a", b"b"), (b"a", b"c")]),
    "odd but legal name": (b"X!_'#: b\r\n\r\n", [(b"x!_'#", b"b")]),
    "UTF-8": ("A: bücher\r\n\r\n".encode(), [(b"a", "bücher".encode())]),
}

REFUSED = {
    "empty": (b"", "empty"),
    "only an empty line": (b"\r\n", "empty line"),
    "empty line first": (b"\r\nFrom: a@example.com\r\n\r\n", "empty line"),
    "space before the colon": (b"From : a@example.com\r\n\r\n", "line 1 .*white space"),
    "tab before the colon": (b"A: b\r\nFrom\t: a@example.com\r\n\r\n", "line 2 .*white space"),
    "continuation first": (b" From: a@example.com\r\n\r\n", "begins with white space"),
    "continuation of white space only": (b"A: b\r\n \t\r\n c\r\n\r\n", "line 2 .*holds nothing else"),
    "no colon": (b"A: b\r\nFrom a@example.com\r\n\r\n", "line 2 .*no colon"),
    "mbox line first": (b"From alice@example.com Mon Nov 23 2026\r\nA: b\r\n\r\n", "no colon"),
    "mbox line with a colon first": (b"From alice@example.com Mon Nov 23 10:00:00\r\n\r\n", "field name"),
    "no name": (b": b\r\n\r\n", "field name"),
    "name with 8-bit": ("Fröm: b\r\n\r\n".encode(), "field name"),
    "name with NUL": (b"\x00From: b\r\n\r\n", "control"),
    "NUL in the body": (b"A: b\x00c\r\n\r\n", "control"),
    "vertical tab": (b"A: b\x0bc\r\n\r\n", "control"),
    "form feed": (b"A: b\x0cc\r\n\r\n", "control"),
    "escape": (b"A: b\x1b[2Jc\r\n\r\n", "control"),
    "DEL": (b"A: b\x7fc\r\n\r\n", "control"),
    "control in a continuation": (b"A: b\r\n c\x00\r\n\r\n", "line 2 .*control"),
    "bare LF": (b"A: b\nFrom: c\r\n\r\n", "CR or LF"),
    "bare CR": (b"A: b\rFrom: c\r\n\r\n", "CR or LF"),
    "CRCRLF": (b"A: b\r\r\nFrom: c\r\n\r\n", "CR or LF"),
    "LF only everywhere": (b"A: b\n\nbody\n", "CR or LF"),
    "no CRLF at the end": (b"A: b\r\nC: d", "line 2 .*CRLF"),
    "not UTF-8": (b"A: b\r\nC: caf\xe9\r\n\r\n", "line 2 .*UTF-8"),
    "overlong UTF-8": (b"A: \xc0\x8a\r\n\r\n", "UTF-8"),
    "next line": ("A: b\u0085From: c\r\n\r\n".encode(), r"U\+0085"),
    "line separator": ("A: b\u2028From: c\r\n\r\n".encode(), r"U\+2028"),
}


@pytest.mark.parametrize(("octets", "fields"), TAKEN.values(), ids=TAKEN)
def test_section_is_read(octets, fields):
    section, _ = parse_header_section(octets)

    assert [(field.name, field.body) for field in section.fields] == fields


@pytest.mark.parametrize(("octets", "reason"), REFUSED.values(), ids=REFUSED)
def test_section_that_readers_split_differently_is_refused_with_the_place(octets, reason):
    with pytest.raises(HeaderError, match=reason):
        parse_header_section(octets)


@pytest.mark.parametrize(
    ("octets", "body"),
    [
        pytest.param(b"A: b\r\n\r\nbody\r\n", b"body\r\n", id="body"),
        pytest.param(b"A: b\r\n\r\n", b"", id="empty body"),
        pytest.param(b"A: b\r\n", b"", id="no empty line"),
        pytest.param(b"A: b\r\n\r\nX: y\r\n\r\nz", b"X: y\r\n\r\nz", id="first empty line ends the section"),
    ],
)
def test_body_begins_behind_the_first_empty_line(octets, body):
    section, body_at = parse_header_section(octets)

    assert octets[body_at:] == body
    assert section.octets == octets[: len(section.octets)]


def test_section_longer_than_the_limit_is_refused():
    field = b"A: " + b"b" * 993 + b"\r\n"

    with pytest.raises(HeaderTooLong):
        parse_header_section(field * (MAX_SECTION_OCTETS // len(field) + 1) + b"\r\n")


def test_section_of_exactly_the_limit_is_read():
    section, _ = parse_header_section(b"A: " + b"b" * (MAX_SECTION_OCTETS - 7) + b"\r\n\r\nbody")

    assert len(section.octets) == MAX_SECTION_OCTETS - 2


def test_too_many_fields_are_refused():
    assert parse_header_section(b"A: b\r\n" * MAX_FIELDS)
    with pytest.raises(HeaderTooLong, match=str(MAX_FIELDS)):
        parse_header_section(b"A: b\r\n" * (MAX_FIELDS + 1))


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"a" * 250_000, id="one line without a colon"),
        pytest.param(b"a\n" * 125_000, id="bare line feeds"),
        pytest.param(b"A: b" + b"\r\n a: c" * 40_000 + b"\x00", id="continuations, then a control"),
        pytest.param(b"A: b\r\n" + b" " * 250_000, id="white space"),
        pytest.param(b"A: b\r\n" * 900 + b"a" * 250_000, id="no colon at the end"),
    ],
)
def test_hostile_section_is_refused_in_linear_time(octets):
    with pytest.raises(HeaderError):
        parse_header_section(octets)


def test_utf8_is_reported():
    assert parse_header_section("A: ü\r\n".encode())[0].has_utf8
    assert not parse_header_section(b"A: u\r\n")[0].has_utf8


def test_fields_are_found_by_name_in_order():
    section, _ = parse_header_section(b"A: 1\r\nB: 2\r\na: 3\r\n")

    assert [field.body for field in section.find_all(b"a")] == [b"1", b"3"]


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        pytest.param(b"From: a\r\nTo: b\r\n", None, id="none"),
        pytest.param(b"Received: a\r\nReceived: b\r\n", None, id="a field that may repeat"),
        pytest.param(b"From: a\r\nfROM: b\r\n", b"from", id="another case"),
        pytest.param(b"Subject: a\r\nX: b\r\nSubject: c\r\n", b"subject", id="apart"),
    ],
)
def test_repetition_of_a_single_field_is_found(octets, name):
    assert parse_header_section(octets)[0].find_repeated() == name


@given(st.lists(st.sampled_from([b"A", b":", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\x00", b"\xc3\xbc", b"\xff", b"b"])))
def test_garbage_is_refused_or_kept_octet_by_octet(pieces):
    octets = b"".join(pieces)
    try:
        section, body_at = parse_header_section(octets)
    except HeaderError:
        return

    assert octets.startswith(section.octets)
    assert octets[len(section.octets) : body_at] in {b"", b"\r\n"}
    assert all(field.octets.endswith(b"\r\n") for field in section.fields)


def test_body_of_a_field_is_unfolded_without_touching_inner_white_space():
    field = HeaderField(b"a", b"A:  b\r\n\t c \r\n")

    assert field.body == b"b\t c"
    assert HeaderSection((field,)).octets == field.octets
