from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.primitives.secret import Secret
from gatepost.standards.smtp.authentication import begin_authentication
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.events import CredentialOffered
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import AUTH_CANCELLED, AUTH_IDENTITY, AUTH_SYNTAX, UNKNOWN_MECHANISM


def encode(text: str) -> bytes:
    return b64encode(text.encode())


def converse(argument: bytes, *lines: bytes) -> list[Reply | CredentialOffered]:
    exchange, initial = begin_authentication(argument)
    steps: list[Reply | CredentialOffered] = []
    for line in (initial, *lines):
        steps.append(exchange.respond(line))
        if isinstance(steps[-1], CredentialOffered):
            break
    return steps


@pytest.mark.parametrize(
    ("argument", "lines", "challenges"),
    [
        pytest.param(b"PLAIN " + encode("\0apikey\0key"), [], [], id="PLAIN, initial response"),
        pytest.param(b"plain  " + encode("apikey\0apikey\0key"), [], [], id="PLAIN, the same identity"),
        pytest.param(b"PLAIN", [encode("\0apikey\0key") + b" "], [""], id="PLAIN, challenge"),
        pytest.param(b"LOGIN", [encode("apikey"), encode("key")], ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], id="LOGIN"),
        pytest.param(b"Login " + encode("apikey"), [encode("key")], ["UGFzc3dvcmQ6"], id="LOGIN, initial response"),
    ],
)
def test_an_exchange_ends_with_the_credential(argument, lines, challenges) -> None:
    *replies, credential = converse(argument, *lines)

    assert replies == [Reply(334, "", text) for text in challenges]
    assert credential == CredentialOffered(argument[:5].upper().decode(), "apikey", Secret(b"key"))


@pytest.mark.parametrize(
    ("argument", "lines", "reply", "closes"),
    [
        pytest.param(b"", [], UNKNOWN_MECHANISM, False, id="no mechanism"),
        pytest.param(b"CRAM-MD5", [], UNKNOWN_MECHANISM, False, id="another mechanism"),
        pytest.param(b"\xff", [], UNKNOWN_MECHANISM, False, id="no ASCII"),
        pytest.param(b"PLAIN *", [], AUTH_CANCELLED, False, id="cancelled at once"),
        pytest.param(b"PLAIN", [b"*"], AUTH_CANCELLED, False, id="cancelled"),
        pytest.param(b"LOGIN", [encode("apikey"), b"*"], AUTH_CANCELLED, False, id="cancelled late"),
        pytest.param(b"PLAIN =", [], AUTH_SYNTAX, False, id="empty initial response"),
        pytest.param(b"PLAIN", [b""], AUTH_SYNTAX, False, id="empty response"),
        pytest.param(b"PLAIN ????", [], AUTH_SYNTAX, False, id="not base64"),
        pytest.param(b"PLAIN AGE", [], AUTH_SYNTAX, False, id="no padding"),
        pytest.param(b"PLAIN AGEAYg==AGEAYg==", [], AUTH_SYNTAX, False, id="octets behind the padding"),
        pytest.param(b"PLAIN AGEA Yg==", [], AUTH_SYNTAX, False, id="a space in it"),
        pytest.param(b"PLAIN " + encode("root\0apikey\0key"), [], AUTH_IDENTITY, True, id="another identity"),
    ],
)
def test_an_exchange_fails(argument, lines, reply, closes) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        converse(argument, *lines)

    assert (caught.value.reply, caught.value.closes) == (reply, closes)


def test_an_empty_initial_response_is_a_response() -> None:
    assert converse(b"LOGIN =") == [Reply(334, "", "UGFzc3dvcmQ6")]


@given(st.sampled_from([b"PLAIN", b"LOGIN"]), st.lists(st.binary(max_size=40), min_size=1, max_size=3))
def test_garbage_is_a_violation_or_a_step(mechanism, lines) -> None:
    try:
        outcome = converse(mechanism, *lines)[-1]
    except ProtocolViolation as violation:
        outcome = violation.reply

    assert isinstance(outcome, CredentialOffered) or outcome.code in (334, 501, 535)


def test_nothing_of_what_was_sent_hangs_on_to_the_error() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        converse(b"PLAIN", b"c2VjcmV0")

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
