import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.events import BodyType
from gatepost.standards.smtp.parameters import MailParameters, parse_mail_parameters, parse_rcpt_parameters


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (b"", MailParameters()),
        (b"   ", MailParameters()),
        (b" SIZE=0", MailParameters(size_octets=0)),
        (b"size=0012", MailParameters(size_octets=12)),
        (b"SIZE=99999999999999999999", MailParameters(size_octets=99_999_999_999_999_999_999)),
        (b"BODY=7BIT", MailParameters(body=BodyType.SEVEN_BIT)),
        (b"body=8bitMIME", MailParameters(body=BodyType.EIGHT_BIT_MIME)),
        (b"SMTPUTF8", MailParameters(smtputf8=True)),
        (b"AUTH=<>", MailParameters()),
        (b"AUTH=e+3Dmc2@example.com", MailParameters()),
        (
            b" SIZE=5  SMTPUTF8 BODY=8BITMIME AUTH=<>",
            MailParameters(size_octets=5, body=BodyType.EIGHT_BIT_MIME, smtputf8=True),
        ),
    ],
    ids=repr,
)
def test_mail_parameters_are_read(text, parameters) -> None:
    assert parse_mail_parameters(text, takes_auth=True) == parameters


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"SIZE", 501),
        (b"SIZE=", 501),
        (b"SIZE=-1", 501),
        (b"SIZE=1.0", 501),
        (b"SIZE=\xb2", 501),
        (b"SIZE=999999999999999999999", 501),
        (b"SIZE=1 size=1", 501),
        (b"BODY", 501),
        (b"BODY=BINARYMIME", 501),
        (b"SMTPUTF8=1", 501),
        (b"AUTH", 501),
        (b"AUTH=a+zz", 501),
        (b"AUTH=a=b", 501),
        (b"=1", 501),
        (b"-A=1", 501),
        (b"SIZE=1\tBODY=7BIT", 501),
        (b"SIZE=1\x0bBODY=7BIT", 501),
        (b"<b@example.com>", 501),
        (b"RET=HDRS", 555),
        (b"REQUIRETLS", 555),
        (b"SIZE=1 X-A=1", 555),
    ],
    ids=repr,
)
def test_mail_parameters_are_refused(text, code) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_mail_parameters(text, takes_auth=True)

    assert (caught.value.reply.code, caught.value.reply.enhanced, caught.value.closes) == (code, "5.5.4", False)


def test_auth_is_not_taken_where_it_is_not_offered() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_mail_parameters(b"AUTH=<>", takes_auth=False)

    assert caught.value.reply.code == 555
    assert "AUTH" in caught.value.reply.text


@pytest.mark.parametrize(("text", "code"), [(b"NOTIFY=NEVER", 555), (b" ORCPT=rfc822;a", 555), (b"?", 501)], ids=repr)
def test_rcpt_has_no_parameters(text, code) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_rcpt_parameters(text)

    assert (caught.value.reply.code, caught.value.reply.enhanced) == (code, "5.5.4")


@pytest.mark.parametrize("text", [b"", b"  "])
def test_rcpt_without_parameters_is_fine(text) -> None:
    assert parse_rcpt_parameters(text) is None


@given(st.binary(max_size=80))
def test_garbage_gives_parameters_or_a_violation_of_one_ascii_line(text) -> None:
    try:
        outcome = parse_mail_parameters(text, takes_auth=True)
    except ProtocolViolation as violation:
        outcome = violation.reply

    assert isinstance(outcome, MailParameters) or re.fullmatch(rb"5[05][15] 5\.5\.4 [ -~]+\r\n", outcome.octets)
