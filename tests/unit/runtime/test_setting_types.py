import tomllib
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from gatepost.primitives.secret import Secret
from gatepost.runtime.setting_types import (
    describe_type,
    format_duration,
    parse_duration,
    parse_setting,
    plain_type,
    to_toml,
)
from gatepost.runtime.settings import HOST_NAME, IPAddress, ListenerTLS, Network


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("72h", timedelta(hours=72)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(hours=1, minutes=30)),
    ],
)
def test_duration_is_read(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5m ", "1.5h", "5M", "0s", "٥m", "9" * 10 + "d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"is no duration|is no time"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**12))
def test_duration_written_is_read_back(milliseconds):
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(format_duration(duration)) == duration


def test_duration_is_written_in_hours_not_days():
    assert format_duration(timedelta(days=3)) == "72h"


@pytest.mark.parametrize(
    ("hint", "raw", "value"),
    [
        pytest.param(Annotated[timedelta, Meta()], "5m", timedelta(minutes=5), id="duration"),
        pytest.param(Path | None, "/x", Path("/x"), id="path"),
        pytest.param(Annotated[IPAddress | None, Meta()], "192.0.2.1", IPv4Address("192.0.2.1"), id="address"),
        pytest.param(tuple[Network, ...], ["2001:db8::/32"], (IPv6Network("2001:db8::/32"),), id="networks"),
        pytest.param(Secret[str] | None, "x", Secret("x"), id="secret"),
        pytest.param(Annotated[int, Meta(ge=1)], 1, 1, id="whole number"),
        pytest.param(ListenerTLS, "implicit", ListenerTLS.IMPLICIT, id="choice"),
        pytest.param(tuple[str, ...], ["a"], ("a",), id="texts"),
        pytest.param(dict[str, str], {"a": "b"}, {"a": "b"}, id="table"),
    ],
)
def test_setting_is_read_as_its_type(hint, raw, value):
    assert parse_setting(hint, raw) == value


@pytest.mark.parametrize(
    ("hint", "raw", "problem"),
    [
        pytest.param(timedelta, 300, "is not text", id="duration without a unit"),
        pytest.param(Path, "", "is not text", id="empty path"),
        pytest.param(Path, "a\0b", "is not text", id="path with NUL"),
        pytest.param(tuple[Network, ...], "10.0.0.0/8", "is not a list", id="one network for a list"),
        pytest.param(tuple[Network, ...], ["10.0.0.1/8"], "host bits", id="network with host bits"),
        pytest.param(Annotated[int, Meta(ge=1)], 0, "expected int >= 1", id="too small"),
        pytest.param(int, "1", "expected int, got str", id="text for a number"),
        pytest.param(int, True, "expected int, got bool", id="boolean for a number"),
        pytest.param(Annotated[str, Meta(pattern=HOST_NAME)], "a_b", "not the right form", id="host name"),
        pytest.param(ListenerTLS, "none", "invalid enum value 'none'", id="choice"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(hint, raw, problem):
    with pytest.raises(ValueError, match=problem):
        parse_setting(hint, raw)


@pytest.mark.parametrize(
    ("hint", "description"),
    [
        (Annotated[int, Meta(ge=0, le=9)], "a whole number from 0 to 9"),
        (Annotated[int, Meta(ge=1)], "a whole number, 1 or more"),
        (ListenerTLS, '"starttls" or "implicit"'),
        (Annotated[str, Meta(pattern=HOST_NAME)], "a host name"),
        (Path | None, "a path in quotes"),
        (tuple[str, ...], "a list, each text in quotes"),
    ],
)
def test_type_is_described_for_people(hint, description):
    assert describe_type(hint) == description


def test_plain_type_keeps_unions_of_more_than_none():
    assert plain_type(Annotated[IPAddress | None, Meta()])[0] == IPAddress


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (5, "5"),
        (timedelta(minutes=5), '"5m"'),
        (ListenerTLS.IMPLICIT, '"implicit"'),
        (("a", 1), '["a", 1]'),
        ({"a.b": "c"}, '{"a.b" = "c"}'),
        (Path("/x"), '"/x"'),
    ],
)
def test_value_is_written_as_toml(value, text):
    assert to_toml(value) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_written_is_read_back(text):
    assert tomllib.loads(f"value = {to_toml(text)}") == {"value": text}
