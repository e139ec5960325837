import pytest

from gatepost.primitives.secret import Secret
from gatepost.standards.sasl import MECHANISMS
from gatepost.standards.sasl.mechanism import Credential, MalformedResponse, read_username


@pytest.mark.parametrize(("octets", "name"), [(b"apikey", "apikey"), (b"", ""), ("jürgen".encode(), "jürgen")])
def test_a_user_name_is_utf8(octets, name) -> None:
    assert read_username(octets) == name


@pytest.mark.parametrize("octets", [b"\xff", b"a\0b", b"\xed\xa0\x80"], ids=repr)
def test_a_user_name_that_is_not_is_refused_without_showing_it(octets) -> None:
    with pytest.raises(MalformedResponse) as caught:
        read_username(octets)

    assert caught.value.__cause__ is None
    assert repr(octets) not in str(caught.value)


def test_a_credential_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(Credential("apikey", Secret(b"hunter2")))


def test_plain_is_preferred_to_login() -> None:
    assert list(MECHANISMS) == ["PLAIN", "LOGIN"]


def test_every_exchange_begins_with_a_challenge_where_there_is_no_initial_response() -> None:
    assert [make().respond(None).octets for make in MECHANISMS.values()] == [b"", b"Username:"]
