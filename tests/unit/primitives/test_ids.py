import re
from base64 import urlsafe_b64decode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.ids import base64url, new_account_id, new_key_id, new_message_id

NOW = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Counting:
    """Draws 0, 1, 2 … so that what is drawn can be seen."""

    def draw(self, size):
        return bytes(range(size))


@pytest.mark.parametrize(
    ("new_id", "shape"),
    [
        pytest.param(new_account_id, r"acc_[\w-]{16}", id="account"),
        pytest.param(new_key_id, r"[\w-]{22}", id="key"),
        pytest.param(lambda entropy: new_message_id(NOW, entropy), r"[\w-]{22}", id="message"),
    ],
)
def test_ids_have_the_shape_that_is_written_down(new_id, shape):
    assert re.fullmatch(shape, new_id(Counting()), re.ASCII)


def test_key_id_is_all_randomness():
    assert urlsafe_b64decode(new_key_id(Counting()) + "==") == bytes(range(16))


def test_message_id_begins_with_its_time_and_ends_with_80_random_bits():
    octets = urlsafe_b64decode(new_message_id(NOW, Counting()) + "==")

    assert int.from_bytes(octets[:6], "big") == int(NOW.timestamp()) * 1000 + 123
    assert octets[6:] == bytes(range(10))


@given(st.binary(max_size=50))
def test_base64url_has_no_padding_and_is_read_back(octets):
    text = base64url(octets)

    assert re.fullmatch(r"[\w-]*", text, re.ASCII)
    assert urlsafe_b64decode(text + "=" * (-len(text) % 4)) == octets
