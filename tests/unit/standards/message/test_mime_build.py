import email
import email.policy
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.message.header_build import BuildError
from gatepost.standards.message.mime_build import (
    build_attachment,
    build_multipart,
    build_text,
    decode_base64,
    is_content_id,
    is_media_type,
)

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=400) | st.text(
    alphabet="ab .\r\n\t=ä日\0-", max_size=3000
)


def read(entity):
    return email.message_from_bytes(entity.fields + b"\r\n" + entity.body, policy=email.policy.default)


def normalized(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(TEXT)
def test_readers_get_the_text_as_it_was_given(text):
    entity = build_text("text/plain", text)

    octets = read(entity).get_payload(decode=True)
    assert octets.decode().replace("\r\n", "\n") == normalized(text)


@given(TEXT)
def test_what_leaves_is_seven_bit_in_lines_of_legal_length(text):
    entity = build_text("text/html", text)

    assert entity.body.isascii()
    assert b"\0" not in entity.body
    assert all(len(line) <= 998 for line in entity.body.split(b"\r\n"))
    assert b"\n" not in entity.body.replace(b"\r\n", b"")
    assert b"\r" not in entity.body.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param("Hello\n", "7bit", id="ASCII"),
        pytest.param("a" * 997, "quoted-printable", id="long line"),
        pytest.param("Viele herzliche Grüße\n", "quoted-printable", id="mostly ASCII"),
        pytest.param("日本語日本語", "base64", id="beyond ASCII"),
    ],
)
def test_the_encoding_is_the_plainest_that_will_do(text, encoding):
    assert read(build_text("text/plain", text))["Content-Transfer-Encoding"] == encoding


@given(st.binary(max_size=3000), st.booleans())
def test_attachments_arrive_as_they_were_given(octets, is_inline):
    entity = build_attachment(
        "image/png", b64encode(octets), filename='Größe "a".png', is_inline=is_inline, content_id="logo@here"
    )

    part = read(entity)
    assert part.get_payload(decode=True) == octets
    assert part.get_filename() == 'Größe "a".png'
    assert part.get_content_disposition() == ("inline" if is_inline else "attachment")
    assert part["Content-ID"] == "<logo@here>"
    assert all(len(line) <= 76 for line in entity.body.split(b"\r\n"))


@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from(["mixed", "alternative", "related"]))
def test_parts_of_a_multipart_are_told_apart(texts, subtype):
    entity = build_multipart(subtype, [build_text("text/plain", text) for text in texts], "b" * 32)

    parts = list(read(entity).iter_parts())
    assert [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in parts] == [
        normalized(text) for text in texts
    ]


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        pytest.param("aGk=", b"hi", id="plain"),
        pytest.param("aG\r\nk=", b"hi", id="with line ends"),
        pytest.param("aGk", None, id="without padding"),
        pytest.param("a-_=", None, id="of URLs"),
        pytest.param("äöü=", None, id="beyond ASCII"),
        pytest.param("aGk=aGk=", None, id="after its end"),
        pytest.param("", b"", id="empty"),
    ],
)
def test_base64_is_read_strictly(text, octets):
    assert decode_base64(text) == octets


@pytest.mark.parametrize("text", ["", "text", "text/", "/plain", "text/plain; a=b", "text/pl\r\nain", "a b/c", "ä/b"])
def test_what_is_no_media_type_is_refused(text):
    assert not is_media_type(text)
    with pytest.raises(BuildError, match="media type"):
        build_text(text, "x")


@pytest.mark.parametrize("text", ["", "a b", "<a>", "a\r\nb", "ä"])
def test_what_is_no_content_id_is_refused(text):
    assert not is_content_id(text)


def test_a_content_id_that_would_end_its_field_is_refused():
    with pytest.raises(BuildError, match="content id"):
        build_attachment("image/png", b"", filename="a", content_id="a>\r\nX: y")


@pytest.mark.parametrize("media_type", ["multipart/mixed", "message/rfc822", "Message/RFC822"])
def test_composite_types_are_not_attached(media_type):
    with pytest.raises(BuildError, match="octet-stream"):
        build_attachment(media_type, b"", filename="a")


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(BuildError, match="surrogate"):
        build_text("text/plain", "a\ud800")
