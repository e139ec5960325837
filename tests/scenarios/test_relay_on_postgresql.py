"""The control plane on PostgreSQL, with real processes: rights are exact there too, and a dead server loses nothing."""

import signal
import smtplib
import ssl
import time
from collections.abc import Iterator

import pytest
from tests.support.api_client import ApiClient
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.relay import Relay
from tests.support.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgresqlServer, sink: Sink) -> Iterator[Relay]:
    folder = tmp_path_factory.mktemp("relay")
    database_url = folder / "database_url"
    database_url.write_text(postgresql.url(postgresql.create_database()))
    database_url.chmod(0o600)
    relay = Relay(
        folder,
        {"dest.test": f"127.0.0.1:{sink.port}", "dead.test": f"127.0.0.1:{free_port()}"},
        head=f'database_url_file = "{database_url}"',
    )
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


def open_session(relay: Relay, key: str) -> smtplib.SMTP:
    client = smtplib.SMTP("localhost", relay.starttls_port, timeout=20)
    try:
        client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
        client.login("apikey", key)
    except BaseException:
        client.close()
        raise
    return client


def send(client: smtplib.SMTP, subject: str, recipient: str = "bob@dest.test") -> None:
    text = f"From: ann@example.test\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
    client.sendmail("ann@example.test", [recipient], text.encode())


def test_a_message_arrives(relay: Relay, sink: Sink) -> None:
    with open_session(relay, relay.key) as client:
        send(client, "arrives")

    assert b"DKIM-Signature" in sink.wait_for(b"Subject: arrives")


def test_a_revoked_key_ends_in_open_sessions_of_every_worker(relay: Relay) -> None:
    key = relay.make_key("acme", "to be revoked")
    sessions = [open_session(relay, key) for _ in range(8)]
    for session in sessions:
        send(session, "before", recipient="bob@dead.test")

    revoked = relay.run("key", "revoke", key.split(".")[1])

    assert (revoked.returncode, "8 queued recipients held" in revoked.stderr) == (0, True)
    for session in sessions:
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPServerDisconnected)):
            send(session, "after")
        session.close()


def test_while_the_server_is_gone_nothing_is_accepted_and_nothing_refused_for_good(
    relay: Relay, postgresql: PostgresqlServer
) -> None:
    client = open_session(relay, relay.key)
    send(client, "before the crash")
    postgresql.stop(signal.SIGQUIT)
    try:
        with pytest.raises(smtplib.SMTPResponseException) as refusal:
            send(client, "during the crash")
    finally:
        postgresql.start()
        client.close()

    wait_until_accepted(relay, "after the crash")

    assert 400 <= refusal.value.smtp_code < 500


def test_frozen_server_is_told_of_within_seconds_over_smtp_and_http_and_mail_goes_on_after_it(
    relay: Relay, postgresql: PostgresqlServer, sink: Sink
) -> None:
    sessions = [open_session(relay, relay.key) for _ in range(6)]
    waits = []
    postgresql.freeze()
    try:
        for session in sessions:
            began = time.monotonic()
            with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refusal:
                send(session, "while it is frozen")
            waits.append(time.monotonic() - began)
            assert refusal.value.smtp_code in (421, 451)
        with ApiClient(relay) as client:
            began = time.monotonic()
            reply = client.call("GET", "/v3/scopes")
            waits.append(time.monotonic() - began)
    finally:
        postgresql.thaw()
        for session in sessions:
            session.close()
    wait_until_accepted(relay, "after it was frozen")

    assert max(waits) < 5
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert b"DKIM-Signature" in sink.wait_for(b"Subject: after it was frozen")
    assert not [each for each in sink.messages if b"while it is frozen" in each]


def wait_until_accepted(relay: Relay, subject: str) -> None:
    """Return when eight sessions in a row were served: each worker finds out by itself, and the kernel chooses one."""
    until, in_a_row = time.monotonic() + 10, 0
    while in_a_row < 8:
        try:
            with open_session(relay, relay.key) as client:
                send(client, subject)
            in_a_row += 1
        except (smtplib.SMTPResponseException, smtplib.SMTPServerDisconnected):
            assert time.monotonic() < until
            in_a_row = 0
            time.sleep(0.1)


def test_the_audit_log_of_all_this_is_whole(relay: Relay) -> None:
    shown = relay.command("audit", "tail", "--account", "acme")
    kept = relay.command("audit", "head").strip()

    assert relay.run("audit", "verify", "--head", kept).returncode == 0
    assert "account_created" in shown
    assert "by operator" in shown


def test_the_check_of_the_set_up_finds_nothing(relay: Relay) -> None:
    assert "fail" not in relay.command("check", check=False).lower()
