import pytest

from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.envelope import read_mail, read_rcpt
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.events import BodyType, RecipientOffered, TransactionOffered
from gatepost.standards.smtp.status_codes import TOO_LARGE

ANN = Mailbox(local_part="ann", domain="example.com")


def read(argument: bytes, *, is_extended: bool = True) -> TransactionOffered:
    return read_mail(argument, max_size_octets=1000, takes_auth=True, is_extended=is_extended)


def test_mail_is_an_offer_of_all_it_says() -> None:
    offer = read(b"FROM:<ann@example.com> SIZE=1000 BODY=8BITMIME SMTPUTF8")

    assert offer == TransactionOffered(ANN, 1000, BodyType.EIGHT_BIT_MIME, smtputf8=True)


def test_mail_without_parameters_says_nothing_of_body_and_size() -> None:
    assert read(b"FROM:<>", is_extended=False) == TransactionOffered(None, None, None, smtputf8=False)


def test_a_size_over_the_limit_is_refused() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        read(b"FROM:<ann@example.com> SIZE=1001")

    assert caught.value.reply is TOO_LARGE


def test_there_are_no_parameters_without_ehlo() -> None:
    with pytest.raises(ProtocolViolation, match=r"555 5\.5\.4 .*: send EHLO first"):
        read(b"FROM:<ann@example.com> SIZE=1", is_extended=False)


def test_smtputf8_holds_for_the_path_before_it() -> None:
    assert read("FROM:<jürgen@example.com> SMTPUTF8".encode()).reverse_path is not None
    with pytest.raises(ProtocolViolation, match=r"553 5\.6\.7"):
        read("FROM:<jürgen@example.com>".encode())


def test_rcpt_is_an_offer_of_its_path() -> None:
    assert read_rcpt(b"TO:<ann@example.com>", allow_utf8=False) == RecipientOffered(ANN)


@pytest.mark.parametrize(
    ("argument", "code"),
    [(b"TO:<>", 501), (b"FROM:<ann@example.com>", 501), (b"TO:<ann@example.com> NOTIFY=NEVER", 555)],
    ids=repr,
)
def test_rcpt_is_refused(argument, code) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        read_rcpt(argument, allow_utf8=False)

    assert caught.value.reply.code == code
