import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.api_key import ApiKey, find_all, issue, parse
from gatepost.tenancy.access.grant import Grant

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Fixed:
    """Entropy of one octet, repeated."""

    def __init__(self, octet: int = 0xA5) -> None:
        self.octet = octet

    def draw(self, size: int) -> bytes:
        return bytes([self.octet]) * size


class Dealt:
    """Entropy that Hypothesis deals."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data

    def draw(self, size: int) -> bytes:
        return self.data.draw(st.binary(min_size=size, max_size=size))


def make(entropy: Any) -> tuple[ApiKey, bytes]:
    key, secret = issue(
        account_id=AccountId("acc_1"), name="n", grant=Grant(scopes=frozenset()), now=NOW, entropy=entropy
    )
    return key, secret.reveal().encode()


def test_a_key_has_the_shape_and_checksum_that_scanners_know() -> None:
    key, text = make(Fixed())

    assert key == ApiKey(
        id=KeyId("paWlpaWlpaWlpaWlpaWlpQ"),
        account_id=AccountId("acc_1"),
        name="n",
        grant=Grant(scopes=frozenset()),
        created_at=NOW,
    )
    assert text == b"SG.paWlpaWlpaWlpaWlpaWlpQ.paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpSpXPD4"
    assert len(text) == 69


@given(data=st.data())
def test_every_key_issued_is_read_back(data: st.DataObject) -> None:
    key, text = make(Dealt(data))

    assert re.fullmatch(rb"SG\.\w[\w-]{21}\.[\w-]{43}", text)
    credential = parse(text)
    assert credential is not None
    assert credential[0] == key.id
    assert len(credential[1].reveal()) == 22 + 32


def test_an_id_never_begins_with_a_hyphen_since_a_command_line_would_take_it_for_an_option() -> None:
    class HyphensFirst:
        octets = iter([b"\xfb", b"\xf8", b"\x00", b"\x00"])

        def draw(self, size: int) -> bytes:
            return next(self.octets) * size

    key, _ = make(HyphensFirst())

    assert key.id == "A" * 22


@pytest.mark.parametrize("around", [b"%s\n", b"%s\r\n", b" %s ", b"\t%s"])
def test_white_space_around_a_key_is_dropped(around: bytes) -> None:
    _, text = make(Fixed())

    assert parse(around % text) == parse(text)


@given(position=st.integers(0, 68), octet=st.integers(0, 255))
def test_a_key_with_any_octet_changed_is_none(position: int, octet: int) -> None:
    _, text = make(Fixed())
    changed = text[:position] + bytes([octet]) + text[position + 1 :]

    assert (parse(changed) is None) == (changed != text or octet != text[position])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + b"A",
        lambda text: text[3:25],
        lambda text: text.lower(),
        lambda text: text[:40] + b" " + text[40:],
        lambda text: text.replace(b".", b" "),
        lambda text: b"Bearer " + text,
        lambda text: text + b"\n" + text,
        lambda text: b"",
        lambda text: b"\xff" * 69,
        lambda text: text.decode().encode("utf-16"),
    ],
)
def test_what_only_resembles_a_key_is_none(change: Any) -> None:
    assert parse(change(make(Fixed())[1])) is None


@pytest.mark.parametrize("position", [24, 68], ids=["id", "secret"])
def test_a_key_has_one_spelling_only(position: int) -> None:
    # The last character of each part has bits that decode to nothing; other settings of them must not be taken.
    _, text = make(Fixed())
    spellings = [text[:position] + bytes([octet]) + text[position + 1 :] for octet in BASE64URL]

    assert [spelling for spelling in spellings if parse(spelling)] == [text]


def test_a_secret_belongs_to_its_id() -> None:
    _, one = make(Fixed(1))
    _, two = make(Fixed(2))

    assert parse(one[:26] + two[26:]) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"revoked_at": NOW}, False),
        ({"grant": Grant(scopes=frozenset(), expires_at=NOW + timedelta(microseconds=1))}, True),
        ({"grant": Grant(scopes=frozenset(), expires_at=NOW)}, False),
    ],
    ids=["plain", "revoked", "expires later", "expires now"],
)
def test_a_key_is_valid_until_revoked_or_expired(change: dict[str, Any], expected: bool) -> None:
    assert replace(make(Fixed())[0], **change).is_valid(NOW) is expected


def test_keys_are_found_in_any_text_once_and_only_whole() -> None:
    (one, two) = (make(Fixed(1))[1], make(Fixed(2))[1])
    text = b"API_KEY=" + one + b"\n'" + two + b"', " + one + b" x" + two + b" " + one + b"x " + one[:26] + two[26:]

    assert find_all(text) == [one, two]
    assert find_all(b"SG." + b"x" * 70_000) == []
