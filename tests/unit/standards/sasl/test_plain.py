import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.secret import Secret
from gatepost.standards.sasl.mechanism import Challenge, Credential, IdentityRefused, MalformedResponse
from gatepost.standards.sasl.plain import PlainExchange

PART = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def test_without_an_initial_response_an_empty_challenge_asks_for_it() -> None:
    exchange = PlainExchange()

    assert exchange.respond(None) == Challenge(b"")
    assert exchange.respond(b"\0apikey\0key") == Credential("apikey", Secret(b"key"))


@given(PART, PART, st.booleans())
def test_user_name_and_password_come_out_as_they_went_in(username, password, names_itself) -> None:
    identity = username if names_itself else ""

    credential = PlainExchange().respond(f"{identity}\0{username}\0{password}".encode())

    assert credential == Credential(username, Secret(password.encode()))


@pytest.mark.parametrize(
    "response", [b"", b"apikey", b"\0apikey", b"\0apikey\0key\0", b"\0\0\0", b"\0\xff\0key"], ids=repr
)
def test_anything_else_is_malformed(response) -> None:
    with pytest.raises(MalformedResponse):
        PlainExchange().respond(response)


@pytest.mark.parametrize("response", [b"root\0apikey\0key", b"APIKEY\0apikey\0key", b"apikey\0\0key"], ids=repr)
def test_nobody_acts_for_another(response) -> None:
    with pytest.raises(IdentityRefused):
        PlainExchange().respond(response)
