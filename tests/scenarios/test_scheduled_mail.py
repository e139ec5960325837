"""Mail for later and named requests with real processes, across a restart."""

import json
import smtplib
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.api_client import ApiClient, mail
from tests.support.relay import Relay
from tests.support.sink import Sink

SCOPES = ("mail.batch.create", "user.scheduled_sends.create")
NAMED = {"Idempotency_Key": "once"}
SEND = "/v3/mail/send"


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture
def relay(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Relay]:
    relay = Relay(tmp_path_factory.mktemp("relay"), {"dest.test": f"127.0.0.1:{sink.port}"}, workers=2)
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


def send_over_smtp(relay: Relay, instructions: dict[str, Any], text: str) -> None:
    context = ssl.create_default_context(cafile=str(relay.ca_file))
    with smtplib.SMTP_SSL("localhost", relay.implicit_port, context=context, timeout=20) as client:
        client.login("apikey", relay.key)
        client.sendmail(
            "ann@example.test",
            "bob@dest.test",
            f"X-SMTPAPI: {json.dumps(instructions)}\r\nFrom: ann@example.test\r\n{text}\r\n",
        )


def check_mailing(relay: Relay, sink: Sink) -> None:
    """One message over SMTP becomes one for each, in which nobody else is named."""
    wanted = {"to": ["Ada <ada@dest.test>", "cid@dest.test"], "sub": {"-name-": ["Ada", "C\u0131d"]}}
    send_over_smtp(relay, wanted, "To: all@dest.test\r\nSubject: to -name-\r\n\r\nHello -name-")

    ada, cid = sink.wait_for(b"Subject: to Ada"), sink.wait_for(b"To: cid@dest.test")
    assert b"To: Ada <ada@dest.test>\r\n" in ada
    assert b"\r\n\r\nHello Ada" in ada
    assert b"Hello C=C4=B1d" in cid
    for message, others in ((ada, (b"cid@", b"all@", b"bob@")), (cid, (b"ada@", b"all@", b"bob@"))):
        assert not [other for other in others if other in message]


def test_mail_for_later_comes_then_cancelled_mail_never_and_a_named_request_once(relay: Relay, sink: Sink) -> None:
    key = relay.make_key("acme", "scheduler", *[word for scope in SCOPES for word in ("--scope", scope)])
    at = int(time.time()) + 8
    with ApiClient(relay, key) as client:
        batch = client.call("POST", "/v3/mail/batch").body["batch_id"]
        sent = [
            client.call("POST", SEND, mail("cancelled", send_at=at, batch_id=batch)),
            client.call("POST", SEND, mail("later by HTTP", send_at=at)),
            client.call("POST", "/v3/user/scheduled_sends", {"batch_id": batch, "status": "cancel"}),
            first := client.call("POST", SEND, mail("named"), **NAMED),
        ]
    send_over_smtp(relay, {"category": "news", "send_at": at}, "Subject: later by SMTP\r\n\r\nHello")
    assert [reply.status for reply in sent] == [202, 202, 201, 202]
    assert relay.command("queue", "list", "--state", "scheduled").count(" scheduled ") == 3

    relay.stop()
    relay.start()

    for _ in range(4):  # on either worker
        with ApiClient(relay, key) as client:
            again = client.call("POST", SEND, mail("named"), **NAMED)
        assert (again.status, again.headers["x-message-id"]) == (202, first.headers["x-message-id"])
    sink.wait_for(b"Subject: later by HTTP")
    assert b"X-SMTPAPI" not in sink.wait_for(b"Subject: later by SMTP")
    assert time.time() >= at
    assert "its batch was cancelled" in relay.command("events", "--type", "dropped")
    assert "category: news" in relay.command("events", "--type", "delivered")
    assert sum(b"Subject: named" in message for message in sink.messages) == 1
    assert not any(b"Subject: cancelled" in message for message in sink.messages)
    check_mailing(relay, sink)
