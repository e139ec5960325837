import pytest

from gatepost.primitives.secret import Secret
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.accounts.token import TokenKind, draw_token, hash_token


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_token_is_known_by_its_kind_and_no_other(kind):
    token = draw_token(kind, SystemEntropy())

    assert token.reveal().startswith(kind.value)
    assert [each for each in TokenKind if hash_token(each, token, bytes) is not None] == [kind]


@pytest.mark.parametrize(
    "text", ["", "gps_", "gps_" + "a" * 42, "gps_" + "a" * 44, "gps_" + "a" * 42 + "b", "SG.a.b", "gps_" + "é" * 43]
)
def test_what_is_no_token_is_not_looked_for(text):
    assert hash_token(TokenKind.SESSION, Secret(text), bytes) is None


def test_a_line_end_copied_along_is_no_matter():
    token = draw_token(TokenKind.RESET, SystemEntropy())

    assert hash_token(TokenKind.RESET, Secret(token.reveal() + "\n"), bytes) == hash_token(
        TokenKind.RESET, token, bytes
    )
