import re

import pytest

from gatepost.standards.smtp import status_codes
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.status_codes import SENDER_SYNTAX, ready, with_detail

REPLIES = {name: value for name, value in vars(status_codes).items() if isinstance(value, Reply)}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_every_reply_is_well_formed(reply) -> None:
    assert re.fullmatch(rb"[2-5][0-9]{2} (?:[245]\.[0-9]\.[0-9]{1,2} )?[ -~]+\r\n", reply.octets)
    assert len(reply.octets) <= 512  # RFC 5321 §4.5.3.1.5


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_enhanced_codes_agree_with_the_reply_code(reply) -> None:
    has_none = reply.code // 100 == 3  # RFC 2034 §4

    assert reply.enhanced[:1] == ("" if has_none else str(reply.code)[0])


def test_no_two_names_mean_the_same() -> None:
    assert len({(reply.code, reply.enhanced, reply.text) for reply in REPLIES.values()}) == len(REPLIES)


def test_the_greeting_names_us() -> None:
    assert ready("relay.example").octets == b"220 relay.example ESMTP Gatepost ready\r\n"


def test_a_detail_cannot_make_another_line() -> None:
    reply = with_detail(SENDER_SYNTAX, "a\r\n250 ok\0\x1b[2Jü\n" + "x" * 1000)

    assert reply.octets.startswith(rb"501 5.1.7 Sender syntax error: a\r\n250 ok\x00\x1b[2J\xfc\nxxx")
    assert reply.octets.count(b"\r") == reply.octets.count(b"\n") == 1
    assert len(reply.octets) <= 512
