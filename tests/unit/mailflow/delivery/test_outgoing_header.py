from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gatepost.mailflow.delivery.outgoing_header import amend_header, format_date, received_field
from gatepost.mailflow.envelope import Origin
from gatepost.mailflow.queue.recipient import QueuedMessage
from gatepost.standards.message.header import HeaderField, HeaderSection

MakeMessage = Callable[..., QueuedMessage]


def section(*lines: bytes) -> HeaderSection:
    return HeaderSection(tuple(HeaderField(line.split(b":")[0].lower(), line + b"\r\n") for line in lines))


def names(header: HeaderSection) -> list[bytes]:
    return [field.name for field in header.fields]


def test_what_is_missing_is_added_and_the_rest_stays_as_it_is(make_message: MakeMessage) -> None:
    original = section(b"FROM:  a@example.com", b"Subject: x\r\n\tfolded")

    header = amend_header(original, make_message(), host_name="relay.test")

    assert header.octets == (
        b"Received: from app.example.com ([192.0.2.7])\r\n\tby relay.test with ESMTPSA id MMMMMMMMMMMMMMMMMMMMMM;\r\n"
        b"\tMon, 23 Nov 2026 09:05:07 +0000\r\n"
        b"FROM:  a@example.com\r\nSubject: x\r\n\tfolded\r\n"
        b"Date: Mon, 23 Nov 2026 09:05:07 +0000\r\n"
        b"Message-ID: <MMMMMMMMMMMMMMMMMMMMMM@example.com>\r\n"
    )


def test_date_and_message_id_of_the_author_stay(make_message: MakeMessage) -> None:
    original = section(b"Date: yesterday", b"Message-Id: <1@x>")

    assert names(amend_header(original, make_message(), host_name="r")) == [b"received", b"date", b"message-id"]


@pytest.mark.parametrize("name", [b"Bcc", b"BCC", b"Resent-Bcc", b"X-SMTPAPI", b"x-smtpapi"])
def test_fields_that_must_not_leave_are_removed_wherever_they_stand(make_message: MakeMessage, name: bytes) -> None:
    original = section(name + b": 1", b"From: a", name + b": 2")

    header = amend_header(original, make_message(), host_name="r")

    assert name.lower() not in names(header)
    assert b"from" in names(header)


def test_every_attempt_makes_the_same_fields(make_message: MakeMessage) -> None:
    assert amend_header(section(), make_message(), host_name="r") == amend_header(
        section(), make_message(), host_name="r"
    )


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        pytest.param(
            Origin(protocol="ESMTPSA", peer_address="2001:db8::1", greeting="[127.0.0.1]"),
            b"from [127.0.0.1] ([IPv6:2001:db8::1])\r\n\tby",
            id="IPv6 and a literal",
        ),
        pytest.param(
            Origin(protocol="HTTPS", peer_address="192.0.2.7"), b"from unknown ([192.0.2.7])\r\n\tby", id="no greeting"
        ),
        pytest.param(
            Origin(protocol="ESMTPSA", peer_address="192.0.2.7", greeting="x\r\nBcc: y"),
            b"from unknown (",
            id="injection",
        ),
        pytest.param(
            Origin(protocol="ESMTPSA", peer_address="192.0.2.7", greeting="a (b)"), b"from unknown (", id="comment"
        ),
        pytest.param(
            Origin(protocol="E", peer_address="192.0.2.7", greeting="a", tls="TLSv1.3 TLS_AES_256_GCM_SHA384"),
            b"([192.0.2.7])\r\n\t(using TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n\tby",
            id="TLS",
        ),
    ],
)
def test_the_trace_field_says_how_the_message_came(make_message: MakeMessage, origin: Origin, expected: bytes) -> None:
    field = received_field(make_message(origin=origin), host_name="relay.test")

    assert expected in field.octets
    assert field.octets.count(b"Bcc") == 0
    assert max(len(line) for line in field.octets.split(b"\r\n")) < 998


def test_a_date_has_no_leading_zero_and_english_names() -> None:
    assert format_date(datetime(2027, 1, 3, 0, 0, 9, tzinfo=UTC)) == "Sun, 3 Jan 2027 00:00:09 +0000"
