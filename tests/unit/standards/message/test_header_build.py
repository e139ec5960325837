import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.address import Mailbox, parse_mailbox
from gatepost.standards.message.author import find_author
from gatepost.standards.message.header import parse_header_section
from gatepost.standards.message.header_build import (
    BuildError,
    NamedMailbox,
    build_address_field,
    build_parameter_field,
    build_raw_field,
    build_text_field,
)

BOB = Mailbox(local_part="bob", domain="dest.test")

#: Everything that a JSON string can hold, with a bias to what ends fields, begins encoded words, or breaks quoting.
ANY_TEXT = st.text(max_size=200) | st.text(alphabet='\r\n\t\0 ":;,<>()[]\\=?@äß\u2028\u202eab', max_size=60)
PRINTABLE = st.text(
    alphabet=st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn"), exclude_characters="\x7f"),
    max_size=300,
)


def read(octets):
    return email.message_from_bytes(octets + b"\r\n", policy=email.policy.default)


def assert_one_field(octets, name):
    """It is one field to our strict reader, within the limits of RFC 5322 §2.1.1."""
    section, _ = parse_header_section(octets)
    assert [field.name for field in section.fields] == [name]
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))


@given(ANY_TEXT)
def test_no_text_ends_a_text_field_or_begins_another(text):
    try:
        octets = build_text_field("Subject", text)
    except BuildError:
        return

    assert_one_field(octets, b"subject")


@given(ANY_TEXT)
def test_no_text_ends_a_raw_field_or_begins_another(text):
    try:
        octets = build_raw_field("X-Custom", text)
    except BuildError:
        return

    assert_one_field(octets, b"x-custom")


@given(ANY_TEXT)
def test_no_display_name_ends_an_address_field_or_adds_an_address(name):
    try:
        octets = build_address_field("To", [NamedMailbox(BOB, name)])
    except BuildError:
        return

    assert_one_field(octets, b"to")
    assert [address.addr_spec for address in read(octets)["To"].addresses] == ["bob@dest.test"]


@given(ANY_TEXT)
def test_no_parameter_ends_its_field(text):
    try:
        octets = build_parameter_field("Content-Disposition", "attachment", [("filename", text)])
    except BuildError:
        return

    assert_one_field(octets, b"content-disposition")


@given(PRINTABLE)
def test_readers_see_the_subject_as_it_was_given(text):
    octets = build_text_field("Subject", text)

    assert "".join(fragment for fragment in _decode(octets)) == text


@given(PRINTABLE.filter(str.strip))
def test_readers_see_a_display_name_as_it_was_given(name):
    octets = build_address_field("To", [NamedMailbox(BOB, name)])

    phrase, _, _ = octets.partition(b" <") if b"\r\n <" not in octets else octets.partition(b"\r\n <")
    text = "".join(_decode(phrase))
    # The standard library's parser (3.11) puts a space between the encoded words of a phrase, so it is no judge here.
    assert (re.sub(r"\\(.)", r"\1", text[1:-1]) if phrase.startswith(b'To: "') else text) == name


@given(PRINTABLE.filter(bool))
def test_readers_see_a_file_name_as_it_was_given(name):
    octets = build_parameter_field("Content-Disposition", "attachment", [("filename", name)])

    assert _read_parameter(octets, "filename") == name


@pytest.mark.parametrize("count", [1, 2, 30, 1000])
def test_lists_of_addresses_are_folded(count):
    mailboxes = [
        NamedMailbox(Mailbox(local_part=f"user{number}", domain="dest.test"), f"User, {number}")
        for number in range(count)
    ]

    octets = build_address_field("To", mailboxes)

    assert all(len(line) <= 78 for line in octets.split(b"\r\n"))
    assert [address.addr_spec for address in read(octets)["To"].addresses] == [str(each.mailbox) for each in mailboxes]


def test_our_own_author_rule_reads_what_is_written():
    for name in ["Ann", "Ann Example", "Example, Ann", 'Ann "Q" Example', "Ann\\", "Änn Größe", ""]:
        octets = build_address_field("From", [NamedMailbox(BOB, name)])

        assert find_author(parse_header_section(octets)[0]) == BOB


def test_an_address_beyond_ascii_stays_as_it_is():
    mailbox = parse_mailbox("jörg@dest.test".encode(), allow_utf8=True)

    assert build_address_field("To", [NamedMailbox(mailbox, "J")]) == "To: J <jörg@dest.test>\r\n".encode()


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        pytest.param("Hello", b"Subject: Hello\r\n", id="plain"),
        pytest.param("", b"Subject: \r\n", id="empty"),
        pytest.param("Hello, Jürgen", b"Subject: =?utf-8?q?Hello=2C_J=C3=BCrgen?=\r\n", id="mostly ASCII"),
        pytest.param("日本語", b"Subject: =?utf-8?b?5pel5pys6Kqe?=\r\n", id="beyond ASCII"),
        pytest.param("=?utf-8?q?x?=", b"Subject: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?=\r\n", id="looks encoded"),
        pytest.param(" a ", b"Subject: =?utf-8?q?_a_?=\r\n", id="outer white space"),
        pytest.param("a " * 45 + "b", b"Subject: " + b"a " * 34 + b"a\r\n" + b" a" * 10 + b" b\r\n", id="folded"),
    ],
)
def test_text_fields(text, octets):
    assert build_text_field("Subject", text) == octets


def test_a_raw_field_keeps_what_its_author_encoded():
    assert build_raw_field("X-A", " =?utf-8?q?=C3=BC?= ") == b"X-A: =?utf-8?q?=C3=BC?=\r\n"


def test_a_raw_word_longer_than_a_line_is_refused():
    with pytest.raises(BuildError, match="too long"):
        build_raw_field("X-A", "a" * 999)


@pytest.mark.parametrize("text", ["a\r\nBcc: x@y.test", "a\nb", "a\rb", "a\0b", "a\u2028b", "a\x85b", "\ud800"])
@pytest.mark.parametrize("build", [build_text_field, build_raw_field])
def test_controls_and_line_ends_of_any_kind_are_refused(build, text):
    with pytest.raises(BuildError, match="control character"):
        build("X-A", text)


@pytest.mark.parametrize("name", ["", "A B", "A:", "Ä", "A\r\nB", "x" * 77])
def test_what_is_no_field_name_is_refused(name):
    with pytest.raises(BuildError, match="name of a header field"):
        build_text_field(name, "x")


def _decode(octets):
    """Decode an unstructured field by RFC 2047 §6.2: white space between encoded words goes, all else stays."""
    body = octets.decode("ascii").partition(":")[2].replace("\r\n", "").removeprefix(" ")
    at, after_word = 0, False
    for word in re.finditer(r"=\?utf-8\?([qb])\?([^? ]*)\?=", body):
        assert len(word[0]) <= 75
        between = body[at : word.start()]
        if between.strip() or not after_word:
            yield between
        yield email.header.decode_header(word[0])[0][0].decode() if word[2] else ""
        at, after_word = word.end(), True
    yield body[at:]


def _read_parameter(octets, name):
    """Decode a parameter by RFC 2231 §3 and §4, or the quoted string of RFC 2045."""
    text = octets.decode("ascii").replace("\r\n", "")
    pieces = re.findall(rf"{name}\*(?:(\d+)\*)?=([^; ]*)", text)
    if not pieces:
        return re.sub(r"\\(.)", r"\1", re.search(rf'{name}="((?:[^"\\]|\\.)*)"', text)[1])
    assert [int(number or 0) for number, _ in pieces] == list(range(len(pieces)))
    return email.utils.unquote(_unpercent("".join(piece for _, piece in pieces).removeprefix("utf-8''")))


def _unpercent(text):
    return re.sub(rb"%(..)", lambda pair: bytes([int(pair[1], 16)]), text.encode()).decode()
