from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dkim.canonicalize import Canonicalization
from gatepost.standards.dkim.signature import (
    DKIMSignature,
    SignatureError,
    add_signature,
    parse_signature,
    serialize_signature,
    without_signature,
)

MADE_AT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
SIGNATURE = DKIMSignature(
    algorithm="rsa-sha256",
    domain="example.com",
    selector="gp2026",
    header_names=(b"from", b"to", b"subject"),
    body_hash=bytes(32),
    signature=bytes(range(256)),
    identity="@example.com",
    signed_at=MADE_AT,
    expires_at=datetime(2026, 11, 30, 10, 0, 0, tzinfo=UTC),
)
TAGS = {"v": "1", "a": "rsa-sha256", "d": "example.com", "s": "sel", "h": "From:To", "bh": "AAAA", "b": "BBBB"}

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?){0,5}", fullmatch=True)


def field_value(**changes: str | None) -> bytes:
    """The value of a good field, with tags changed, added, or (None) left out."""
    tags = TAGS | changes
    return "; ".join([f"{name}={value}" for name, value in tags.items() if value is not None]).encode()


@given(
    domain=LABELS,
    selector=LABELS,
    names=st.lists(st.from_regex(rb"[a-z][a-z0-9-]{0,120}", fullmatch=True), max_size=40),
    signature=st.binary(min_size=1, max_size=600),
    form=st.sampled_from(Canonicalization),
    octets=st.none() | st.integers(0, 10**9),
    seconds=st.none() | st.integers(0, 4 * 10**9),
)
def test_a_signature_survives_being_written_and_read(domain, selector, names, signature, form, octets, seconds):
    made = DKIMSignature(
        algorithm="ed25519-sha256",
        domain=domain,
        selector=selector,
        header_names=(b"from", *names),
        body_hash=bytes(32),
        signature=signature,
        header_form=form,
        identity=f"news@mail.{domain}",
        body_octets=octets,
        signed_at=None if seconds is None else datetime.fromtimestamp(seconds, UTC),
    )

    field = serialize_signature(made)

    assert parse_signature(field.partition(b":")[2]) == made


def test_lines_are_folded_near_76_octets():
    field = serialize_signature(replace(SIGNATURE, header_names=(b"from", b"list-unsubscribe-post") * 40))

    assert max(len(line) for line in field.split(b"\r\n")) <= 78
    assert all(line[:1] == b" " for line in field.split(b"\r\n")[1:-1])


def test_a_signature_added_later_gives_the_same_field():
    unsigned = serialize_signature(replace(SIGNATURE, signature=b""))

    assert add_signature(unsigned, SIGNATURE.signature) == serialize_signature(SIGNATURE)
    assert without_signature(serialize_signature(SIGNATURE)) == unsigned


@pytest.mark.parametrize(
    ("field", "without"),
    [
        pytest.param(
            b"DKIM-Signature: b=AB\r\n CD ; bh=EF;\r\n",
            b"DKIM-Signature: b=; bh=EF;\r\n",
            id="in front, folded",
        ),
        pytest.param(b"DKIM-Signature: bh=EF; b =AB\r\n", b"DKIM-Signature: bh=EF; b =\r\n", id="at the end"),
        pytest.param(b"DKIM-Signature: bh=b=;\r\n b=X;\r\n", b"DKIM-Signature: bh=b=;\r\n b=;\r\n", id="b= in a value"),
    ],
)
def test_only_the_value_of_the_b_tag_is_removed(field, without):
    assert without_signature(field) == without


def test_defaults_are_those_of_the_rfc():
    signature = parse_signature(field_value())

    assert (signature.header_form, signature.body_form) == (Canonicalization.SIMPLE, Canonicalization.SIMPLE)
    assert signature.identity == "@example.com"
    assert (signature.body_octets, signature.signed_at, signature.expires_at) == (None, None, None)
    assert signature.header_names == (b"from", b"to")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param("relaxed", (Canonicalization.RELAXED, Canonicalization.SIMPLE), id="header only"),
        pytest.param("simple/relaxed", (Canonicalization.SIMPLE, Canonicalization.RELAXED), id="both"),
    ],
)
def test_one_form_names_that_of_the_header(form, expected):
    signature = parse_signature(field_value(c=form))

    assert (signature.header_form, signature.body_form) == expected


def test_instants_beyond_the_year_9999_are_its_end():
    assert parse_signature(field_value(x="9" * 76)).expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        *[pytest.param({name: None}, f"{name}= is missing", id=f"no {name}=") for name in TAGS],
        pytest.param({"b": " "}, "b= is missing or empty", id="empty b="),
        pytest.param({"v": "2"}, "version", id="version 2"),
        pytest.param({"a": "rsa"}, "a= is malformed", id="half an algorithm"),
        pytest.param({"d": "-example.com"}, "d= is malformed", id="a label that begins with a hyphen"),
        pytest.param({"s": "a b"}, "s= is malformed", id="a space in the selector"),
        pytest.param({"b": "AAA"}, "b= is not base64", id="b= of wrong length"),
        pytest.param({"bh": "ÄÄÄÄ"}, "bh= is not base64", id="bh= not ASCII"),
        pytest.param({"h": "To:Subject"}, "From field is not signed", id="From not signed"),
        pytest.param({"h": "From::To"}, "h= is malformed", id="an empty name in h="),
        pytest.param({"h": "From:Tö"}, "h= is malformed", id="a name not ASCII"),
        pytest.param({"c": "nowsp"}, "canonicalisation", id="an old canonicalisation"),
        pytest.param({"l": "-1"}, "l= is malformed", id="negative length"),
        pytest.param({"l": "9" * 77}, "l= is malformed", id="length of 77 digits"),
        pytest.param({"t": "soon"}, "t= is malformed", id="t= no number"),
        pytest.param({"t": "2", "x": "1"}, "expires", id="expired before it was made"),
        pytest.param({"t": "1", "x": "1"}, "expires", id="expired when it was made"),
        pytest.param({"q": "http/json"}, "dns/txt", id="another way to ask"),
        pytest.param({"i": "joe@example.org"}, "identity", id="identity elsewhere"),
        pytest.param({"i": "joe@notexample.com"}, "identity", id="identity with the domain as a mere suffix"),
        pytest.param({"i": "example.com"}, "identity", id="identity without @"),
    ],
)
def test_a_malformed_field_is_refused_in_words(changes, complaint):
    with pytest.raises(SignatureError, match=complaint):
        parse_signature(field_value(**changes))


def test_a_repeated_tag_is_refused():
    with pytest.raises(SignatureError, match="twice"):
        parse_signature(field_value() + b"; d=evil.example")


@given(st.dictionaries(st.sampled_from([*TAGS, "c", "i", "l", "q", "t", "x", "z"]), st.text()))
def test_garbage_in_a_tag_is_refused_or_read_and_nothing_else(changes):
    with suppress(SignatureError):
        assert b"from" in parse_signature(field_value(**changes)).header_names


def test_base64_is_written_without_losing_an_octet():
    assert b64encode(SIGNATURE.signature) in serialize_signature(SIGNATURE).replace(b"\r\n ", b"")
