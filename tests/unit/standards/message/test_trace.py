"""The Received field and RFC 5322 dates."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.message.header import parse_header_section
from gatepost.standards.message.trace import build_received, format_date

AT = datetime(2026, 11, 23, 18, 50, 7, tzinfo=UTC)


def build(**changes) -> bytes:
    facts = {
        "host_name": "relay.example.net",
        "protocol": "ESMTPSA",
        "message_id": "AaIJvlvABwcHBwcHBwcHBw",
        "received_at": AT,
        "peer_address": "192.0.2.7",
        "greeting": "client.example",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
    }
    return build_received(**(facts | changes))


def test_received_field_says_who_came_how_and_when():
    assert build() == (
        b"Received: from client.example ([192.0.2.7]) (using TLSv1.3 with cipher\r\n"
        b"\tTLS_AES_256_GCM_SHA384) by relay.example.net with ESMTPSA id\r\n"
        b"\tAaIJvlvABwcHBwcHBwcHBw; Mon, 23 Nov 2026 18:50:07 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        pytest.param({"peer_address": "2001:DB8::7"}, "from client.example ([IPv6:2001:db8::7]) (", id="IPv6"),
        pytest.param({"peer_address": "fe80::7%eth0"}, "from client.example ([IPv6:fe80::7]) (", id="zone index"),
        pytest.param({"peer_address": "local"}, "from client.example (unknown) (", id="no IP address"),
        pytest.param({"greeting": ""}, "from [192.0.2.7] (using", id="no greeting"),
        pytest.param({"greeting": "bücher.example"}, "from xn--bcher-kva.example ([192.0.2.7])", id="U-label"),
        pytest.param({"greeting": "[10.0.0.1]"}, "from [192.0.2.7] (greeting [10.0.0.1])", id="literal"),
        pytest.param({"greeting": "my laptop"}, "from [192.0.2.7] (greeting my?laptop)", id="no name"),
        pytest.param(
            {"greeting": "x) by mx.victim.example (y"},
            "from [192.0.2.7] (greeting x??by?mx.victim.example??y)",
            id="comment ended",
        ),
        pytest.param({"greeting": "x\r\nBcc: y"}, "from [192.0.2.7] (greeting x??Bcc:?y)", id="line ended"),
        pytest.param({"greeting": "x\\"}, "from [192.0.2.7] (greeting x?)", id="backslash"),
        pytest.param({"greeting": "é" * 200}, "from [192.0.2.7] (greeting " + "?" * 64 + ")", id="long"),
        pytest.param({"tls": ""}, "from client.example ([192.0.2.7]) by relay.example.net", id="no TLS"),
    ],
)
def test_what_others_wrote_cannot_leave_its_place(changes, start):
    (field,) = parse_header_section(build(**changes))[0].fields

    assert field.body.decode("ascii").replace("\t", " ").startswith(start)


@given(st.text(max_size=100), st.text(max_size=30), st.text(max_size=30))
def test_field_stays_one_field_of_short_lines_whatever_others_wrote(greeting, peer_address, tls):
    octets = build(greeting=greeting, peer_address=peer_address, tls=tls)

    (field,) = parse_header_section(octets)[0].fields
    assert field.body.endswith(b"Mon, 23 Nov 2026 18:50:07 +0000")
    assert field.body.count(b";") == 1
    assert max(len(line) for line in octets.split(b"\r\n")) <= 78 or len(greeting) > 50


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        pytest.param(AT, b"Mon, 23 Nov 2026 18:50:07 +0000", id="UTC"),
        pytest.param(datetime(2026, 2, 1, tzinfo=UTC), b"Sun, 01 Feb 2026 00:00:00 +0000", id="day of two digits"),
        pytest.param(
            datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))),
            b"Thu, 31 Dec 2026 22:30:00 +0000",
            id="another zone",
        ),
        pytest.param(
            datetime(2026, 1, 1, 1, 1, 1, 999999, tzinfo=UTC), b"Thu, 01 Jan 2026 01:01:01 +0000", id="fraction"
        ),
    ],
)
def test_date_is_written_in_utc_and_english(instant, text):
    assert format_date(instant) == text


def test_naive_date_is_refused():
    with pytest.raises(ValueError, match="naive"):
        format_date(AT.replace(tzinfo=None))
