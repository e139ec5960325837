import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.smtp.commands import Command, Verb, parse_command
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.status_codes import (
    AUTH_LINE_TOO_LONG,
    LINE_TOO_LONG,
    NO_BDAT,
    NOT_SMTP,
    UNKNOWN_COMMAND,
)


@pytest.mark.parametrize("verb", Verb)
def test_every_verb_is_known_in_any_case(verb) -> None:
    assert parse_command(verb.value.encode()) == Command(verb, b"")
    assert parse_command(verb.value.lower().encode()) == Command(verb, b"")


@pytest.mark.parametrize(
    ("line", "argument"),
    [
        (b"NOOP", b""),
        (b"NOOP ", b""),
        (b"NOOP \t ", b""),
        (b"NOOP a b ", b"a b"),
        (b"NOOP  a", b"a"),
        (b"NOOP \x0ba\x0c", b"\x0ba\x0c"),
    ],
    ids=repr,
)
def test_white_space_around_the_argument_does_not_count(line, argument) -> None:
    assert parse_command(line) == Command(Verb.NOOP, argument)


@pytest.mark.parametrize(
    "line", [b"", b" ", b" NOOP", b"NOOP\tx", b"NOO", b"NOOPS", b"MAIL:", b"ETRN", b"\xff", b"N\xc3\xb6OP"]
)
def test_anything_else_is_unknown(line) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_command(line)

    assert (caught.value.reply, caught.value.closes) == (UNKNOWN_COMMAND, False)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"GET / HTTP/1.1", NOT_SMTP),
        (b"post /", NOT_SMTP),
        (b"CONNECT a:25 HTTP/1.1", NOT_SMTP),
        (b"PRI * HTTP/2.0", NOT_SMTP),
        (b"BDAT 10 LAST", NO_BDAT),
    ],
    ids=repr,
)
def test_what_follows_these_cannot_be_commands_so_they_close(line, reply) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_command(line)

    assert (caught.value.reply, caught.value.closes) == (reply, True)


@pytest.mark.parametrize(
    ("verb", "limit", "reply"),
    [
        (b"NOOP", 512, LINE_TOO_LONG),
        (b"RCPT", 512, LINE_TOO_LONG),
        (b"WHAT", 512, LINE_TOO_LONG),
        (b"MAIL", 1065, LINE_TOO_LONG),
        (b"AUTH", 12_288, AUTH_LINE_TOO_LONG),
    ],
    ids=repr,
)
def test_each_verb_has_its_length(verb, limit, reply) -> None:
    longest = verb + b" " + b"x" * (limit - 7)  # and CRLF

    with pytest.raises(ProtocolViolation) as caught:
        parse_command(longest + b"x")

    assert caught.value.reply == reply
    if verb != b"WHAT":
        assert parse_command(longest).argument == longest[5:]


@given(st.binary(max_size=600))
def test_garbage_is_a_command_or_a_violation(line) -> None:
    try:
        outcome = parse_command(line)
    except ProtocolViolation as violation:
        outcome = violation.reply

    assert isinstance(outcome, Command) or outcome.is_permanent
