import base64

import pytest

from gatepost.primitives.secret import Secret
from gatepost.telemetry.redaction import REDACTED, clean, clean_text, redact
from gatepost.tenancy.accounts.token import TokenKind

KEY = "SG." + "a" * 22 + "." + "b-_Z" * 10 + "xyz"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(KEY, id="bare"),
        pytest.param(f"AUTH PLAIN {KEY} again", id="inside a sentence"),
        pytest.param(base64.b64encode(f"\0apikey\0{KEY}".encode()).decode(), id="AUTH PLAIN"),
        pytest.param(base64.b64encode(KEY.encode()).decode(), id="AUTH LOGIN"),
        pytest.param(base64.b64encode(f"apikey:{KEY}".encode()).decode(), id="HTTP Basic"),
        pytest.param(f"{KEY} and {KEY}", id="twice"),
    ],
)
def test_key_shaped_text_is_replaced_whole(text):
    cleaned = clean_text(text)

    assert REDACTED in cleaned
    assert "b-_Z" not in cleaned
    assert base64.b64encode(KEY.encode()).decode()[8:24] not in cleaned


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_token_of_any_kind_is_replaced_wherever_it_stands(kind):
    token = kind.value + "b-_Z" * 10 + "abA"

    assert clean_text(f"GET /v3/verify/{token}?x") == f"GET /v3/verify/{REDACTED}?x"


def test_what_only_looks_a_little_like_a_key_stays():
    assert clean_text("SG.short.one U0cu") == "SG.short.one U0cu"


@pytest.mark.parametrize(
    "name", ["password", "Password", "client_secret", "token", "X-Auth-Token", "authorization", "cookie"]
)
def test_fields_named_for_a_secret_lose_their_value(name):
    assert redact(None, "info", {name: "hunter2"}) == {name: REDACTED}


@pytest.mark.parametrize("name", ["tokens_left", "key_id", "author", "secretary"])
def test_fields_with_other_names_keep_it(name):
    assert redact(None, "info", {name: "hunter2"}) == {name: "hunter2"}


def test_secret_is_replaced_wherever_it_stands():
    event = redact(None, "info", {"a": Secret("x"), "b": [Secret(b"y")], "c": {"d": (Secret("z"),), "token": "t"}})

    assert event == {"a": REDACTED, "b": [REDACTED], "c": {"d": [REDACTED], "token": REDACTED}}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("a\r\nb", r"a\r\nb", id="line end"),
        pytest.param("\x1b[2J", r"\x1b[2J", id="terminal sequence"),
        pytest.param("a\x85b\u2028c", r"a\x85b\u2028c", id="NEL and line separator"),
        pytest.param("\u202egnp", r"\u202egnp", id="right-to-left override"),
        pytest.param("a\x00", r"a\x00", id="NUL"),
        pytest.param("caf\udce9", r"caf\udce9", id="lone surrogate"),
        pytest.param("grüße 日本", "grüße 日本", id="letters stay"),
    ],
)
def test_characters_that_do_not_print_are_escaped(text, cleaned):
    assert clean_text(text) == cleaned


def test_octets_are_read_as_utf_8_and_cleaned():
    assert clean(b"ok\xff\r\n" + KEY.encode()) == rf"ok\xff\r\n{REDACTED}"


def test_other_values_are_written_as_their_text():
    class Named:
        def __str__(self):
            return "named\n"

    assert clean({1: Named()}) == {"1": r"named\n"}
    assert clean((1, 2.5, True, None)) == [1, 2.5, True, None]


def test_nesting_without_end_is_cut():
    endless: list[object] = []
    endless.append(endless)

    assert clean(endless) == [[[[REDACTED]]]]


def test_a_traceback_keeps_its_line_ends_and_nothing_else():
    event = redact(None, "info", {"exception": f"Traceback\n  {KEY}\r\n\x1b[0m"})

    assert event["exception"] == f"Traceback\n  {REDACTED}\\r\n\\x1b[0m"
