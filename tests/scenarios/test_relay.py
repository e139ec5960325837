"""The main job with real processes: in over TLS with an API key, durable, out signed, told."""

import smtplib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.relay import Relay
from tests.support.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Relay]:
    relay = Relay(
        tmp_path_factory.mktemp("relay"),
        {"dest.test": f"127.0.0.1:{sink.port}", "dead.test": f"127.0.0.1:{free_port()}"},
    )
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


def open_session(relay: Relay, key: str) -> smtplib.SMTP:
    client = smtplib.SMTP("localhost", relay.starttls_port, timeout=20)
    client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
    client.login("apikey", key)
    return client


def message(subject: str) -> bytes:
    return f"From: ann@example.test\r\nTo: bob@dest.test\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()


def send(client: smtplib.SMTP, subject: str, recipient: str = "bob@dest.test") -> None:
    client.sendmail("ann@example.test", [recipient], message(subject))


def test_a_message_arrives_signed_and_its_story_is_told(relay: Relay, sink: Sink) -> None:
    with open_session(relay, relay.key) as client:
        send(client, "arrives")

    received = sink.wait_for(b"Subject: arrives")

    assert received.count(b"DKIM-Signature: v=1; a=rsa-sha256;") == 1
    assert received.count(b"DKIM-Signature: v=1; a=ed25519-sha256;") == 1
    assert b"Received: from" in received
    assert b"Date: " in received
    assert b"Message-ID: <" in received


def test_a_revoked_key_ends_in_open_sessions_and_holds_what_it_had_queued(relay: Relay) -> None:
    key = relay.make_key("acme", "to be revoked")
    sessions = [open_session(relay, key) for _ in range(8)]
    for session in sessions:
        send(session, "before", recipient="bob@dead.test")

    revoked = relay.run("key", "revoke", key.split(".")[1])

    assert revoked.returncode == 0, revoked.stderr
    assert "8 queued recipients held" in revoked.stderr
    for session in sessions:
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPServerDisconnected)) as refusal:
            send(session, "after")
        if isinstance(refusal.value, smtplib.SMTPSenderRefused):
            assert refusal.value.smtp_code == 535
        session.close()
    # smtplib tries a second mechanism on the connection that the first refusal has closed.
    with pytest.raises((smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected)):
        open_session(relay, key)


def test_a_message_in_mid_content_is_not_accepted_under_a_key_revoked_meanwhile(relay: Relay) -> None:
    key = relay.make_key("acme", "revoked in mid content")
    client = open_session(relay, key)
    client.mail("ann@example.test")
    client.rcpt("bob@dest.test")
    assert client.docmd("DATA")[0] == 354
    client.send(b"From: ann@example.test\r\nSubject: mid content\r\n\r\nHello")

    assert relay.run("key", "revoke", key.split(".")[1]).returncode == 0
    client.send(b".\r\n.\r\n")

    assert client.getreply()[0] == 535
    client.close()


def test_a_narrowed_key_is_narrowed_in_open_sessions(relay: Relay) -> None:
    key = relay.make_key("acme", "to be narrowed")
    client = open_session(relay, key)
    send(client, "before narrowing")

    relay.command("key", "narrow", key.split(".")[1], "--from", "billing@example.test")

    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(client, "after narrowing")
    assert refusal.value.smtp_code == 550
    client.close()


def test_health_and_metrics_are_served(relay: Relay) -> None:
    assert relay.get("/health/live")[0] == 200
    assert relay.get("/health/ready")[0] == 200
    assert "gatepost_recipients_accepted_total" in relay.get("/metrics")[1]


def test_no_secret_is_in_the_log(relay: Relay) -> None:
    with open_session(relay, relay.key) as client:
        send(client, "for the log")
    time.sleep(0.2)

    secret = relay.key.split(".")[2]
    assert secret not in relay.log()
    assert any(line["event"] == "submission_accepted" for line in relay.log_lines())


def test_the_operators_view_of_the_set_up_is_clean(relay: Relay, tmp_path: Path) -> None:
    del tmp_path
    checked = relay.run("check")

    assert "fail" not in checked.stdout.lower(), checked.stdout
