from collections.abc import Callable

import pytest

from gatepost.mailflow.delivery.outgoing_header import amend_header
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

    received, _, rest = header.octets.partition(b"FROM:")
    assert received.replace(b"\r\n\t", b" ") == (
        b"Received: from app.example.com ([192.0.2.7]) by relay.test with ESMTPSA id MMMMMMMMMMMMMMMMMMMMMM; "
        b"Mon, 23 Nov 2026 09:05:07 +0000\r\n"
    )
    assert rest == (
        b"  a@example.com\r\nSubject: x\r\n\tfolded\r\n"
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


def test_what_the_client_said_of_itself_cannot_add_a_field(make_message: MakeMessage) -> None:
    origin = Origin(protocol="ESMTPSA", peer_address="192.0.2.7", greeting="x\r\nBcc: y@z\r\n", tls="a\r\nTo: b")

    header = amend_header(section(b"From: a"), make_message(origin=origin), host_name="relay.test")

    assert b"\r\nBcc" not in header.octets
    assert b"\r\nTo" not in header.octets
