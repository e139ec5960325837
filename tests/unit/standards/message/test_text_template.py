"""Texts are changed as they are read; whatever is not changed keeps every octet."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.message.header import HeaderSection
from gatepost.standards.message.text_template import NotRewritable, TextTemplate

MULTIPART = b"""\
From: a@example.com
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="m m"

preamble
--m m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=iso-8859-1; format=flowed
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe -na=
me-

--a
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: base64

PHA+LW5hbWUtPC9wPg==
--a--
--m m
Content-Type: text/plain
Content-Disposition: attachment; filename=x.txt

-name-
--m m
Content-Type: image/png
Content-Transfer-Encoding: base64

LW5hbWUt
--m m--
epilogue
""".replace(b"\n", b"\r\n")


def put(value):
    return lambda _, text: text.replace("-name-", value)


def content_of(part):
    return part.get_content().replace("\r\n", "\n")


def parse(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def test_what_does_not_change_keeps_every_octet():
    assert TextTemplate(MULTIPART).write(lambda _, text: text) == MULTIPART


def test_texts_change_whatever_their_encoding_and_attachments_do_not():
    written = TextTemplate(MULTIPART).write(put("Zoë €"))

    plain, html, text, image = [part for part in parse(written).walk() if not part.is_multipart()]
    assert (content_of(plain), plain.get_param("format")) == ("Grüße Zoë €\n", "flowed")
    assert content_of(html).strip() == "<p>Zoë €</p>"
    assert text.get_content().strip() == "-name-"
    assert image.get_content() == b"-name-"
    assert written.isascii()
    assert written.startswith(MULTIPART[: MULTIPART.index(b"--a\r\n")])
    assert written.endswith(MULTIPART[MULTIPART.index(b"--a--") :])


def test_a_template_is_written_often():
    template = TextTemplate(MULTIPART)

    assert template.write(put("A")) != template.write(put("B"))
    assert template.write(lambda _, text: text) == MULTIPART


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"", id="no MIME fields"),
        pytest.param(b"Content-Type: text/plain; charset=us-ascii\r\nMIME-Version: 1.0\r\n", id="US-ASCII"),
        pytest.param(b'Content-Type: TEXT/Plain; x="a\\"b"\r\nContent-Transfer-Encoding: 7BIT\r\n', id="other case"),
    ],
)
def test_a_message_that_is_one_text_changes(fields):
    written = TextTemplate(b"From: a@example.com\r\n" + fields + b"\r\nDear -name-\r\n").write(put("Zoë"))

    message = parse(written)
    assert content_of(message) == "Dear Zoë\n"
    assert message["MIME-Version"] == "1.0"
    assert len(message.get_all("content-type")) == len(message.get_all("content-transfer-encoding")) == 1


def test_a_value_ends_no_part():
    written = TextTemplate(MULTIPART).write(put("x\r\n--a--\r\n--m m--"))

    plain = parse(written).get_body(("plain",))
    assert content_of(plain) == "Grüße x\n--a--\n--m m--\n"
    assert len(list(parse(written).walk())) == len(list(parse(MULTIPART).walk()))


def test_long_lines_are_encoded_so_that_they_pass():
    written = TextTemplate(b"From: a@example.com\r\n\r\n-name-\r\n").write(put("x" * 5000))

    assert max(map(len, written.split(b"\r\n"))) <= 998
    assert content_of(parse(written)) == "x" * 5000 + "\n"


def test_eight_bits_without_a_charset_are_utf8():
    written = TextTemplate("From: a@b.test\r\n\r\në -name-\r\n".encode()).write(put("x"))

    assert content_of(parse(written)) == "ë x\n"


def test_line_ends_in_values_are_those_of_mail():
    written = TextTemplate(b"From: a@b.test\r\n\r\n-name-").write(put("a\nb\rc\r\nd"))

    assert written.endswith(b"\r\n\r\na\r\nb\r\nc\r\nd\r\n")


def test_the_header_section_is_amended():
    def amend(section):
        return HeaderSection(section.fields[:1])

    assert (
        TextTemplate(b"From: a@b.test\r\nTo: x\r\n\r\nhi\r\n").write(put("x"), amend) == b"From: a@b.test\r\n\r\nhi\r\n"
    )


def test_where_no_text_is_to_change_the_body_is_not_read():
    signed = b"From: a@b.test\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\n-name-\r\n--x--\r\n"

    assert TextTemplate(signed, has_texts=False).write(put("x")) == signed


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x--\r\n", "may not be changed"),
        (b"Content-Type: text/plain; charset=utf-7\r\n\r\na\r\n", "charset that is not read"),
        (b"Content-Type: text/plain; charset=us-ascii\r\n\r\n\xc3\xab\r\n", "does not have"),
        (b"Content-Transfer-Encoding: x-zip\r\n\r\na\r\n", "Content-Transfer-Encoding that is not read"),
        (b"Content-Transfer-Encoding: base64\r\n\r\nabcde\r\n", "claims to be base64"),
        (b"Content-Type: nothing\r\n\r\na\r\n", "cannot be read"),
        (b"Content-Type: multipart/mixed\r\n\r\na\r\n", "no boundary"),
        (
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 1001 + b"--x--\r\n",
            "more than 1000 parts",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_one_way_only_is_refused(message, reason):
    with pytest.raises(NotRewritable, match=reason):
        TextTemplate(message).write(put("x"))


def test_a_message_without_a_body_stays_so():
    assert TextTemplate(b"From: a@b.test\r\n\r\n").write(put("x")) == b"From: a@b.test\r\n\r\n"


PIECES = st.sampled_from(
    [
        b"--a\r\n", b"--a--\r\n", b"--b\r\n", b"--b--\r\n", b"\r\n", b"text -name-\r\n", b"x: y\r\n", b"=E2=82\r\n",
        b"LW5h\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: text/html; charset=iso-8859-1\r\n",
        b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n", b"\xff\xfe\r\n",
    ]
)  # fmt: skip
TOPS = st.sampled_from(
    [
        b"", b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: text/plain; charset=utf-8\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
    ]
)  # fmt: skip


@given(TOPS, st.lists(PIECES, max_size=20))
def test_whatever_it_is_it_keeps_its_octets_or_is_refused_and_what_is_written_can_be_read_again(top, pieces):
    message = b"From: a@b.test\r\n" + top + b"\r\n" + b"".join(pieces)
    try:
        template = TextTemplate(message)
    except NotRewritable:
        return

    written = template.write(put("Zo\xeb\r\n--a--"))

    assert template.write(lambda _, text: text) == message
    again = TextTemplate(written)
    assert again.write(lambda _, text: text) == written
    assert len(list(parse(written).walk())) == len(list(parse(message).walk()))


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(NotRewritable, match="surrogate"):
        TextTemplate(b"From: a@b.test\r\n\r\n-name-\r\n").write(put("\ud800"))
