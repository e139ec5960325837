import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.entrypoints.api.body import decode_body
from gatepost.entrypoints.api.problem import BAD_REQUEST, NOT_UTF8, Problem
from gatepost.entrypoints.api.v3.mail_send_body import MailSend

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from", "email", "to", "personalizations", "content", "value", "headers", "send_at", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def errors(octets):
    problem = decode_body(MailSend, octets)
    assert isinstance(problem, Problem)
    return [(error.field, error.message) for error in problem.errors]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"[]", [(None, "Invalid type. Expected: object, given: array.")]),
        (b'"x"', [(None, "Invalid type. Expected: object, given: string.")]),
        (b'{"from": null}', [("from", "Invalid type. Expected: object, given: null.")]),
        (b'{"from": {"email": 1}}', [("from.email", "Invalid type. Expected: string, given: integer.")]),
        (b'{"content": {}}', [("content", "Invalid type. Expected: array, given: object.")]),
        (
            b'{"personalizations": ["x", {"to": ["y", {"email": true}]}], "send_at": 1.5}',
            [
                ("personalizations.0", "Invalid type. Expected: object, given: string."),
                ("personalizations.1.to.0", "Invalid type. Expected: object, given: string."),
                ("personalizations.1.to.1.email", "Invalid type. Expected: string, given: boolean."),
                ("send_at", "Invalid type. Expected: integer, given: number."),
            ],
        ),
        (b'{"headers": {"X-A": 1}}', [("headers.X-A", "Invalid type. Expected: string, given: integer.")]),
        (
            b'{"mail_settings": {"sandbox_mode": {"enable": "yes"}}}',
            [("mail_settings.sandbox_mode.enable", "Invalid type. Expected: boolean, given: string.")],
        ),
    ],
)
def test_every_error_of_shape_is_told_with_its_field(octets, expected):
    assert sorted(errors(octets), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("octets", [b"", b"{", b"{}x", b'{"a": "\\ud800"}', b"[" * 100_000, b"nul", b"{'a': 1}"])
def test_what_is_no_json_is_a_bad_request(octets):
    assert decode_body(MailSend, octets) is BAD_REQUEST


def test_octets_that_are_not_utf8_are_told_as_such():
    assert decode_body(MailSend, b'{"subject": "\xff\xfe"}') is NOT_UTF8


def test_there_is_an_end_to_the_telling():
    assert len(errors(b'{"content": [' + b"1," * 1000 + b"1]}")) == 50


@given(JSON)
def test_whatever_json_comes_it_is_a_body_or_a_problem_that_names_a_type(value):
    outcome = decode_body(MailSend, msgspec.json.encode(value))

    if isinstance(outcome, Problem):
        assert all(error.message.startswith("Invalid type. Expected: ") for error in outcome.errors)
        assert outcome.errors


@given(st.binary(max_size=60))
def test_whatever_octets_come_nothing_is_raised(octets):
    decode_body(MailSend, octets)


def test_members_that_nobody_knows_are_read_over():
    assert decode_body(MailSend, b'{"subject": "x", "new": {"a": [1]}}') == MailSend(subject="x")
