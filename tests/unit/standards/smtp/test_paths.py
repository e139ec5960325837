import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.paths import parse_forward_path, parse_reverse_path, split_path
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import NEEDS_SMTPUTF8, SENDER_SYNTAX


@pytest.mark.parametrize(
    ("argument", "path", "parameters"),
    [
        (b"FROM:<a@b.example>", b"a@b.example", b""),
        (b"from:<a@b.example>", b"a@b.example", b""),
        (b"FROM: <a@b.example> SIZE=1", b"a@b.example", b" SIZE=1"),
        (b"FROM:a@b.example", b"a@b.example", b""),
        (b"FROM:  a@b.example SIZE=1 X", b"a@b.example", b"SIZE=1 X"),
        (b"FROM:<>", b"", b""),
        (b"FROM:<> BODY=7BIT", b"", b" BODY=7BIT"),
        (b'FROM:<"a>b c"@b.example> SIZE=1', b'"a>b c"@b.example', b" SIZE=1"),
        (b'FROM:<a@b.example> "', b"a@b.example", b' "'),
        (b'FROM:<"a\\"> b"@b.example>', b'"a\\"> b"@b.example', b""),
    ],
    ids=repr,
)
def test_path_and_parameters_are_told_apart(argument, path, parameters) -> None:
    assert split_path(argument, b"FROM:", SENDER_SYNTAX) == (path, parameters)


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"FROM",
        b"FROM:",
        b"FROM: ",
        b"FROM <a@b.example>",
        b"TO:<a@b.example>",
        b"FROM:<a@b.example",
        b"FROM:<a@b.example>SIZE=1",
        b"FROM:<a@b.example>>",
        b"FROM:<a@b.example>\tSIZE=1",
        b'FROM:<"a>b@b.example>',
        b'FROM:<"a"@b.example>X',
    ],
    ids=repr,
)
def test_what_cannot_be_told_apart_is_refused(argument) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        split_path(argument, b"FROM:", SENDER_SYNTAX)

    assert caught.value.reply is SENDER_SYNTAX


def test_paths_are_mailboxes() -> None:
    ann = Mailbox(local_part="ann", domain="example.com")

    assert parse_reverse_path(b"ann@example.com", allow_utf8=False) == ann
    assert parse_forward_path(b"ann@example.com", allow_utf8=False) == ann


def test_the_null_path_is_for_mail_only() -> None:
    assert parse_reverse_path(b"", allow_utf8=False) is None
    with pytest.raises(ProtocolViolation) as caught:
        parse_forward_path(b"", allow_utf8=False)
    assert (caught.value.reply.code, caught.value.reply.enhanced) == (501, "5.1.3")


@pytest.mark.parametrize(
    "path", [b"@a.example:b@c.example", b"@a.example,@d.example:b@c.example", b"@c.example"], ids=repr
)
def test_source_routes_are_refused(path) -> None:
    with pytest.raises(ProtocolViolation, match="source routes are not taken"):
        parse_forward_path(path, allow_utf8=True)
    with pytest.raises(ProtocolViolation, match=r"501 5\.1\.7 Sender syntax error: source routes"):
        parse_reverse_path(path, allow_utf8=True)


def test_utf8_needs_to_be_asked_for() -> None:
    path = "jürgen@example.com".encode()

    assert parse_forward_path(path, allow_utf8=True).local_part == "jürgen"
    with pytest.raises(ProtocolViolation) as caught:
        parse_forward_path(path, allow_utf8=False)
    assert caught.value.reply is NEEDS_SMTPUTF8


def test_a_malformed_address_is_told_why() -> None:
    with pytest.raises(ProtocolViolation, match=r"501 5\.1\.7 Sender syntax error: .+"):
        parse_reverse_path(b"ann", allow_utf8=False)


@given(st.binary(max_size=60), st.booleans())
def test_garbage_is_a_mailbox_or_a_violation(path, allow_utf8) -> None:
    try:
        outcome = parse_reverse_path(path, allow_utf8=allow_utf8)
    except ProtocolViolation as violation:
        outcome = violation.reply

    if isinstance(outcome, Reply):
        assert re.fullmatch(rb"(501|553) [ -~]+\r\n", outcome.octets)
    else:
        assert (outcome is None) == (path == b"")


@given(st.binary(max_size=60).map(lambda text: b"FROM:" + text))
def test_splitting_loses_nothing_but_brackets_and_spaces(argument) -> None:
    try:
        path, parameters = split_path(argument, b"FROM:", SENDER_SYNTAX)
    except ProtocolViolation:
        return

    assert (path + parameters).translate(None, b"<> ") == argument[5:].translate(None, b"<> ")
