from gatepost.standards.sasl import MECHANISMS


def test_plain_is_preferred_to_login() -> None:
    assert list(MECHANISMS) == ["PLAIN", "LOGIN"]


def test_every_exchange_begins_with_a_challenge_where_there_is_no_initial_response() -> None:
    assert [make().respond(None).octets for make in MECHANISMS.values()] == [b"", b"Username:"]
