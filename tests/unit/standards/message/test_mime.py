"""8-bit content made fit for 7-bit peers; the standard library's reader says whether it still means the same."""

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.message.mime import MAX_DEPTH, MAX_PARTS, NotConvertible, downgrade_to_7bit


def lines(*rows: str) -> bytes:
    return "\r\n".join([*rows, ""]).encode()


def payloads(message: bytes) -> list[bytes]:
    """Return the decoded bodies of all leaves, by an independent reader."""
    return [part.get_payload(decode=True) for part in message_from_bytes(message).walk() if not part.is_multipart()]


PLAIN = lines(
    "From: a@example.com",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "Subject: x",
    "",
    "This is a long enough line of English, with one café in it.",
    ".",
    "From here: = and space at the end ",
    "",
)


def test_ascii_message_is_returned_as_it_is():
    message = PLAIN.replace("é".encode(), b"e")

    assert downgrade_to_7bit(message) is message


def test_text_with_few_high_octets_becomes_quoted_printable():
    converted = downgrade_to_7bit(PLAIN)

    assert converted == lines(
        "From: a@example.com",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "Subject: x",
        "",
        "This is a long enough line of English, with one caf=C3=A9 in it.",
        "=2E",
        "From here: =3D and space at the end=20",
        "",
    )
    assert payloads(converted) == payloads(PLAIN)


def test_text_of_another_script_becomes_base64():
    message = PLAIN.replace("café".encode(), "漢字".encode() * 40)

    converted = downgrade_to_7bit(message)

    assert b"Content-Transfer-Encoding: base64\r\n" in converted
    assert payloads(converted) == payloads(message)
    assert max(len(line) for line in converted.split(b"\r\n")) <= 76


def test_what_is_no_text_becomes_base64():
    message = PLAIN.replace(b"text/plain; charset=utf-8", b"application/x-data")

    assert b"Content-Transfer-Encoding: base64\r\n" in downgrade_to_7bit(message)


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        pytest.param("caf\u00e9 and a lot of other text\r\n".encode(), b"utf-8", id="UTF-8"),
        pytest.param(b"caf\xe9 and a lot of other text\r\n", b"unknown-8bit", id="anything else"),
    ],
)
def test_message_without_mime_gets_what_it_needs(body, charset):
    converted = downgrade_to_7bit(b"From: a@example.com\r\n\r\n" + body)

    header, _, encoded = converted.partition(b"\r\n\r\n")
    assert header.split(b"\r\n") == [
        b"From: a@example.com",
        b"Content-Type: text/plain; charset=" + charset,
        b"Content-Transfer-Encoding: quoted-printable",
        b"MIME-Version: 1.0",
    ]
    assert encoded.isascii()


def test_one_long_line_gets_soft_breaks_with_crlf():
    converted = downgrade_to_7bit(b"From: a@example.com\r\n\r\n" + b"caf\xc3\xa9 and more text " * 20)

    assert b"\n" not in converted.replace(b"\r\n", b"")
    assert max(len(line) for line in converted.split(b"\r\n")) <= 76


MULTIPART = lines(
    "From: a@example.com",
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; charset="x; boundary=no"; boundary="outer"',
    "Content-Transfer-Encoding: 8bit",
    "",
    "preamble",
    "--outer",
    "Content-Type: multipart/alternative; boundary=outer2",
    "",
    "--outer2 \t",
    "",
    "text with one é in a rather long line of ASCII",
    "--outer2",
    "Content-Type: TEXT/html",
    "Content-Transfer-Encoding: 7bit",
    "",
    "<p>plain  ",
    "--outer2--",
    "--outer",
    "Content-Type: application/pdf",
    "Content-Transfer-Encoding: base64",
    "",
    "aGVsbG8=",
    "--outer",
    "Content-Type: message/rfc822",
    "Content-Transfer-Encoding: 8bit",
    "",
    "From: b@example.org",
    "Content-Type: application/octet-stream",
    "Content-Transfer-Encoding: binary",
    "",
    "ééé",
    "--outer--",
    "epilogue",
)


def test_only_parts_that_need_it_are_changed():
    converted = downgrade_to_7bit(MULTIPART)

    expected = (
        MULTIPART.replace(
            b"--outer2 \t\r\n\r\n",
            b"--outer2 \t\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        )
        .replace("one é".encode(), b"one =C3=A9")
        .replace(b"Encoding: 8bit", b"Encoding: 7bit")
        .replace(b"Encoding: binary", b"Encoding: base64")
        .replace("ééé".encode(), b"w6nDqcOp\r\n")
    )
    assert converted == expected
    assert payloads(converted) == payloads(MULTIPART)


def test_multipart_without_a_last_delimiter_is_converted():
    message = lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "é")

    converted = downgrade_to_7bit(message)

    assert converted.isascii()
    assert converted.endswith(b"\r\nw6kNCg==\r\n")


def test_boundary_is_unquoted():
    message = lines('Content-Type: multipart/mixed; boundary="a \\b"', "", "--a b", "", "é", "--a b--")

    assert b"\r\n\r\nw6k=\r\n\r\n--a b--\r\n" in downgrade_to_7bit(message)


def nested(depth: int) -> bytes:
    rows = ["From: a@example.com"]
    for level in range(depth):
        rows += [f"Content-Type: multipart/mixed; boundary=b{level}", "", f"--b{level}"]
    return lines(*rows, "", "é")


REFUSED = {
    "8-bit header": ("Subject: é\r\n\r\né\r\n", "header field"),
    "8-bit header of a part": (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: é\r\n\r\nx\r\n--b--",
        "header",
    ),
    "broken header": ("no header\r\n\r\né\r\n", "cannot be read"),
    "signed": ("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b--", "multipart/signed"),
    "encrypted": ("Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b--", "multipart/encrypted"),
    "signed inside": (
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: Multipart/Signed; boundary=b\r\n\r\n"
            "--b\r\n\r\né\r\n--b--\r\n--a--"
        ),
        "multipart/signed",
    ),
    "message/global": ("Content-Type: message/global\r\n\r\nFrom: é\r\n\r\n", "message part"),
    "8-bit header inside message/rfc822": ("Content-Type: message/rfc822\r\n\r\nSubject: é\r\n\r\nx", "header field"),
    "claims base64": ("Content-Transfer-Encoding: base64\r\n\r\né\r\n", "claims"),
    "unknown encoding": ("Content-Transfer-Encoding: x-uue\r\n\r\né\r\n", "claims"),
    "encoded multipart": (
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\né",
        "must not have",
    ),
    "two content types": ("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\né", "several"),
    "no media type": ("Content-Type: ?\r\n\r\né", "Content-Type"),
    "no boundary": ("Content-Type: multipart/mixed\r\n\r\né", "boundary"),
    "empty boundary": ('Content-Type: multipart/mixed; boundary=""\r\n\r\né', "boundary"),
    "boundary behind a comment": ("Content-Type: multipart/mixed (x); boundary=b\r\n\r\né", "boundary"),
    "no delimiter": ("Content-Type: multipart/mixed; boundary=b\r\n\r\né", "outside all parts"),
    "delimiter not at the start of a line": (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\nx--b\r\n\r\né",
        "outside",
    ),
    "delimiter with more on its line": ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--bc\r\n\r\né", "outside"),
    "8-bit preamble": ("Content-Type: multipart/mixed; boundary=b\r\n\r\né\r\n--b\r\n\r\nx\r\n--b--", "outside"),
    "8-bit epilogue": ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\né", "outside"),
}


@pytest.mark.parametrize(("message", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_or_cannot_be_changed_is_refused(message, reason):
    with pytest.raises(NotConvertible, match=reason):
        downgrade_to_7bit(message.encode())


def test_depth_has_a_limit():
    assert downgrade_to_7bit(nested(MAX_DEPTH)).isascii()
    with pytest.raises(NotConvertible, match="levels"):
        downgrade_to_7bit(nested(MAX_DEPTH + 1))


def test_number_of_parts_has_a_limit():
    message = lines("Content-Type: multipart/mixed; boundary=b", "", *["--b", "", "é"] * (MAX_PARTS + 5))

    with pytest.raises(NotConvertible, match="parts"):
        downgrade_to_7bit(message)


def test_size_has_a_limit():
    with pytest.raises(NotConvertible, match="100 octets"):
        downgrade_to_7bit(PLAIN, max_octets=100)


@given(st.text(max_size=300), st.sampled_from(["text/plain; charset=utf-8", "application/x", "text/html"]))
def test_converted_part_decodes_to_what_it_was(text, media_type):
    body = text.replace("\r", "").replace("\n", "\r\n").replace("--b", "").encode()
    header = (
        f"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: {media_type}"
    )
    message = header.encode() + b"\r\n\r\n" + body + b"\r\n--b--\r\n"

    converted = downgrade_to_7bit(message)

    assert converted.isascii()
    assert b"\n" not in converted.replace(b"\r\n", b"")
    assert payloads(converted) == [body]


@given(
    st.lists(
        st.sampled_from(
            [b"Content-Type: multipart/mixed; boundary=b", b"--b", b"--b--", b"\r\n", b"\xc3\xa9", b"x", b" ", b": "]
        ),
        max_size=25,
    )
)
def test_garbage_is_refused_or_comes_out_as_ascii(pieces):
    try:
        converted = downgrade_to_7bit(b"".join(pieces))
    except NotConvertible:
        return

    assert converted.isascii()
