import pytest

from gatepost.cli.demo.inbox.reading import MAX_READ_OCTETS, find_field, make_printable, read_fields, read_message


def test_fields_are_unfolded_and_decoded():
    fields = read_fields(b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n again\r\nX:y\r\n\r\nA: no field\r\n")

    assert fields == [("Subject", "Grüße again"), ("X", "y")]


def test_encoded_word_that_is_none_stays_as_written():
    assert read_fields(b"Subject: =?x-nonsense?Q?a?=\r\n\r\n") == [("Subject", "=?x-nonsense?Q?a?=")]


def test_first_field_of_a_name_is_found_whatever_its_case():
    assert find_field([("SUBJECT", "one"), ("subject", "two")], "subject") == "one"
    assert find_field([], "subject") == ""


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"A: b\r\n\r\nplain\r\n", "plain\n"),
        (b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe", "Grüße"),
        (b"Content-Type: text/plain; charset=nonsense\r\n\r\nx", "x"),
        (b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n", "hello"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n", "one"),
    ],
    ids=["plain", "charset", "unknown charset", "base64", "multipart"],
)  # fmt: skip
def test_text_of_a_message_is_found(octets, text):
    assert read_message(octets).text == text


def test_html_is_shown_as_its_source():
    read = read_message(b"Content-Type: text/html\r\n\r\n<b>x</b>")

    assert (read.text, "source" in read.note) == ("<b>x</b>", True)


def test_message_without_text_says_so():
    assert read_message(b"Content-Type: image/png\r\n\r\nx").note == "The message has no text."


def test_long_message_is_cut_and_says_so():
    read = read_message(b"A: b\r\n\r\n" + b"x" * MAX_READ_OCTETS)

    assert len(read.text) < MAX_READ_OCTETS
    assert "256 KiB" in read.note


@pytest.mark.parametrize(
    "octets", [b"", b"\x00\xff" * 50, b":\r\n:\r\n", b"Content-Type: multipart/x; boundary=\r\n\r\n--"]
)
def test_broken_messages_raise_nothing(octets):
    assert isinstance(read_message(octets).text, str)


def test_deeply_nested_message_raises_nothing():
    octets = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000))

    assert isinstance(read_message(octets).note, str)


def test_control_and_direction_characters_do_not_reach_the_screen():
    assert make_printable("a\x1b[31m\u202eb\tc\nd") == "a\ufffd[31m\ufffdb\tc\nd"
