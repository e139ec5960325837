import pytest

from gatepost.primitives.secret import Secret
from gatepost.standards.sasl.login import LoginExchange
from gatepost.standards.sasl.mechanism import Challenge, Credential, MalformedResponse


def test_user_name_and_password_are_asked_for_one_by_one() -> None:
    exchange = LoginExchange()

    assert exchange.respond(None) == Challenge(b"Username:")
    assert exchange.respond(b"apikey") == Challenge(b"Password:")
    assert exchange.respond(b"key") == Credential("apikey", Secret(b"key"))


def test_the_user_name_may_be_empty_and_is_still_the_user_name() -> None:
    exchange = LoginExchange()

    assert exchange.respond(b"") == Challenge(b"Password:")
    assert exchange.respond(b"key") == Credential("", Secret(b"key"))


@pytest.mark.parametrize("responses", [[b"\xff"], [b"a\0b"], [b"apikey", b"a\0b"]], ids=repr)
def test_what_is_malformed_is_refused(responses) -> None:
    exchange = LoginExchange()

    for response in responses[:-1]:
        exchange.respond(response)
    with pytest.raises(MalformedResponse):
        exchange.respond(responses[-1])
