from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dkim.tag_list import TagListError, parse_tag_list, without_white_space


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        pytest.param(b"a=1; b=2", {"a": "1", "b": "2"}, id="two"),
        pytest.param(b" a = 1 ;\r\n\tb=2 ; ", {"a": "1", "b": "2"}, id="folded, with a last semicolon"),
        pytest.param(b"a=; b==", {"a": "", "b": "="}, id="empty, and an equals sign in a value"),
        pytest.param(b"a=x \r\n y", {"a": "x  y"}, id="a fold inside a value"),
        pytest.param(b"A=1; a=2", {"A": "1", "a": "2"}, id="names are case-sensitive"),
        pytest.param("d=ö.example".encode(), {"d": "ö.example"}, id="UTF-8"),
    ],
)
def test_tags_are_read(text, tags):
    assert parse_tag_list(text) == tags


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"", "name=value", id="empty"),
        pytest.param(b"a", "name=value", id="no equals sign"),
        pytest.param(b"a=1;;b=2", "name=value", id="an empty part in the middle"),
        pytest.param(b"1a=1", "name=value", id="a name that begins with a digit"),
        pytest.param(b"a=1; a=1", "a= occurs twice", id="twice"),
        pytest.param(b"a=\x00", "a= holds a character", id="NUL"),
        pytest.param(b"a=x\ny", "a= holds a character", id="bare LF"),
        pytest.param(b"a=\xff", "a= is not valid UTF-8", id="not UTF-8"),
    ],
)
def test_what_is_no_tag_list_is_refused_in_words(text, complaint):
    with pytest.raises(TagListError, match=complaint):
        parse_tag_list(text)


@given(st.binary())
def test_garbage_is_refused_or_read_and_nothing_else(text):
    with suppress(TagListError):
        assert parse_tag_list(text)


def test_white_space_inside_base64_is_removed():
    assert without_white_space("ab \tcd ") == "abcd"
