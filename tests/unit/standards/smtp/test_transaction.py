import pytest

from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.peer_extensions import PeerExtensions
from gatepost.standards.smtp.transaction import (
    ClientTimeouts,
    Stage,
    Transaction,
    serialize_mail,
    serialize_path,
    serialize_rcpt,
)


@pytest.mark.parametrize(
    ("mailbox", "expected"),
    [
        pytest.param(None, b"<>", id="null reverse-path"),
        pytest.param(Mailbox(local_part="a.b+c", domain="x.test"), b"<a.b+c@x.test>", id="dot-atom"),
        pytest.param(Mailbox(local_part="a..b", domain="x.test"), b'<"a..b"@x.test>', id="two dots"),
        pytest.param(Mailbox(local_part="jürgen", domain="xn--x.test"), "<jürgen@xn--x.test>".encode(), id="UTF-8"),
    ],
)
def test_a_path_is_written(mailbox: Mailbox | None, expected: bytes) -> None:
    assert serialize_path(mailbox) == expected


@pytest.mark.parametrize(
    "mailbox",
    [
        pytest.param(Mailbox(local_part="a\r\nRSET", domain="x.test"), id="CRLF in the local-part"),
        pytest.param(Mailbox(local_part="a", domain="x\nRSET"), id="LF in the domain"),
        pytest.param(Mailbox(local_part="a b", domain="x.test"), id="space in the local-part"),
        pytest.param(Mailbox(local_part='a"b', domain="x.test"), id="quotation mark"),
        pytest.param(Mailbox(local_part="a\\", domain="x.test"), id="backslash"),
        pytest.param(Mailbox(local_part="a> SIZE=1", domain="x.test"), id="bracket in the local-part"),
        pytest.param(Mailbox(local_part="a", domain="x> SIZE=1"), id="bracket in the domain"),
        pytest.param(Mailbox(local_part="a\x00", domain="x.test"), id="NUL"),
    ],
)
def test_an_address_that_could_end_the_command_is_never_written(mailbox: Mailbox) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        serialize_rcpt(mailbox)


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        pytest.param(PeerExtensions(), b"MAIL FROM:<a@x.test>\r\n", id="nothing offered"),
        pytest.param(PeerExtensions(size=True), b"MAIL FROM:<a@x.test> SIZE=12\r\n", id="size"),
        pytest.param(PeerExtensions(eight_bit_mime=True), b"MAIL FROM:<a@x.test> BODY=8BITMIME\r\n", id="8bit"),
        pytest.param(PeerExtensions(smtputf8=True), b"MAIL FROM:<a@x.test> SMTPUTF8\r\n", id="utf8"),
    ],
)
def test_mail_uses_only_parameters_the_peer_knows(extensions: PeerExtensions, expected: bytes) -> None:
    author = Mailbox(local_part="a", domain="x.test")
    transaction = Transaction(
        reverse_path=author, forward_paths=(author,), size_octets=12, eight_bit_mime=True, smtputf8=True
    )

    assert serialize_mail(transaction, extensions) == expected


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [
        (Stage.GREETING, 300),
        (Stage.MAIL, 300),
        (Stage.RECIPIENT, 300),
        (Stage.DATA, 120),
        (Stage.CONTENT, 180),
        (Stage.FINAL_DOT, 600),
    ],
)
def test_timeouts_are_those_of_the_rfc(stage: Stage, seconds: float) -> None:
    assert ClientTimeouts().seconds(stage) == seconds
