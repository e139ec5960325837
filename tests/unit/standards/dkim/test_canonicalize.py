import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dkim.canonicalize import (
    Canonicalization,
    canonicalize_body,
    canonicalize_field,
    end_of_content,
    relaxed_body,
    relaxed_field,
    simple_body,
)

# The alphabet in which the rules differ; "ab" so that content has more than one octet.
BODY = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"b", b"  ", b"\r\n\r\n"])).map(b"".join)


def plain_lines(body: bytes) -> list[bytes]:
    lines = body.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    return lines


def plain_relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4 word by word, a line at a time."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in plain_lines(body)]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join([line + b"\r\n" for line in lines])


def plain_simple_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.3 word by word, a line at a time."""
    lines = plain_lines(body)
    while lines and not lines[-1]:
        lines.pop()
    return b"".join([line + b"\r\n" for line in lines]) or b"\r\n"


@given(BODY)
def test_relaxed_body_equals_the_plain_twin(body):
    assert relaxed_body(body) == plain_relaxed_body(body)


@given(BODY)
def test_simple_body_equals_the_plain_twin(body):
    assert simple_body(body) == plain_simple_body(body)


@given(BODY)
def test_relaxed_body_is_a_fixed_point(body):
    once = relaxed_body(body)

    assert relaxed_body(once) == once


@given(BODY)
def test_what_follows_the_content_is_nothing_but_crlf(body):
    end = end_of_content(body)

    assert body[end:] == b"\r\n" * ((len(body) - end) // 2)
    assert body[:end] == b"" or not body[:end].endswith(b"\r\n")


@pytest.mark.parametrize(
    ("body", "relaxed", "simple"),
    [
        pytest.param(b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n", b" C \r\nD \t E\r\n", id="RFC 6376 §3.4.5"),
        pytest.param(b"", b"", b"\r\n", id="empty"),
        pytest.param(b"\r\n\r\n", b"", b"\r\n", id="only empty lines"),
        pytest.param(b" \t\r\n \r\n", b"", b" \t\r\n \r\n", id="only white space"),
        pytest.param(b"no end", b"no end\r\n", b"no end\r\n", id="last line not ended"),
        pytest.param(b"a\x0b \x0cb\r\n", b"a\x0b \x0cb\r\n", b"a\x0b \x0cb\r\n", id="VT and FF are no white space"),
    ],
)
def test_body_examples(body, relaxed, simple):
    assert canonicalize_body(body, Canonicalization.RELAXED) == relaxed
    assert canonicalize_body(body, Canonicalization.SIMPLE) == simple


@pytest.mark.parametrize(
    ("field", "relaxed"),
    [
        pytest.param(b"A: X\r\n", b"a:X\r\n", id="RFC 6376 §3.4.5, first"),
        pytest.param(b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n", id="RFC 6376 §3.4.5, second"),
        pytest.param(b"Subject:\r\n", b"subject:\r\n", id="empty"),
        pytest.param(b"Subject: \r\n \t \r\n", b"subject:\r\n", id="only white space"),
        pytest.param(b"Subject: a:  b\r\n", b"subject:a: b\r\n", id="a colon in the value"),
        pytest.param(b"Subject: \xc3\x84\x0b \r\n", b"subject:\xc3\x84\x0b\r\n", id="8-bit and VT"),
    ],
)
def test_field_examples(field, relaxed):
    assert canonicalize_field(field, Canonicalization.RELAXED) == relaxed
    assert canonicalize_field(field, Canonicalization.SIMPLE) == field


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n ", b"\r\n\t", b"a", b":", b"  "])).map(b"".join))
def test_relaxed_field_equals_the_plain_twin(value):
    plain = re.sub(rb"[ \t]+", b" ", re.sub(rb"\r\n(?=[ \t])", b"", value)).strip(b" ")

    assert relaxed_field(b"X-Name:" + value + b"\r\n") == b"x-name:" + plain + b"\r\n"
