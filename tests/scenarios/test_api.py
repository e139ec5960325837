"""The HTTP API with real processes: in over HTTPS, durable, out signed; keys made and revoked on every worker."""

import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.api_client import ApiClient, mail
from tests.support.authenticator import totp_code
from tests.support.authority import make_authority_and_certificate
from tests.support.ports import free_port
from tests.support.relay import Relay
from tests.support.sink import Sink

from gatepost.mailflow.queue.recipient import Predicate, RecipientState
from gatepost.primitives.ids import KeyId
from gatepost.storage.queue_sqlite.reader import QueueReader

KEY_SCOPES = [f"api_keys.{verb}" for verb in ("create", "read", "update", "delete")]


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
        api='header_timeout = "1s"',
        extra='[system_mail]\nauthor = "accounts@example.test"',
    )
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


@pytest.fixture(scope="module")
def manager(relay: Relay) -> str:
    """A key that may send and manage keys."""
    return relay.make_key("acme", "manager", *[word for scope in KEY_SCOPES for word in ("--scope", scope)])


def test_mail_arrives_signed_and_its_story_is_told(relay: Relay, sink: Sink) -> None:
    with ApiClient(relay) as client:
        reply = client.call("POST", "/v3/mail/send", mail("by HTTP", "bob@dest.test", "carl@dest.test"))

    assert (reply.status, reply.body) == (202, None)
    message_id = b"Message-ID: <" + reply.headers["x-message-id"].encode()
    received = sink.wait_for(message_id)
    assert received.count(b"DKIM-Signature: v=1; a=rsa-sha256;") == 1
    assert received.count(b"DKIM-Signature: v=1; a=ed25519-sha256;") == 1
    assert b"with HTTPS id" in received.replace(b"\r\n\t", b" ")
    assert b"(using TLSv1.3 with" in received.replace(b"\r\n\t", b" ")
    assert b"Date: " in received
    assert b"To: bob@dest.test" in received
    assert sink.wait_for(b"To: carl@dest.test") != received


def test_sandbox_mode_checks_and_sends_nothing(relay: Relay, sink: Sink) -> None:
    sandbox = {"mail_settings": {"sandbox_mode": {"enable": True}}}
    with ApiClient(relay) as client:
        good = client.call("POST", "/v3/mail/send", mail("in the sandbox", **sandbox))
        bad = client.call("POST", "/v3/mail/send", mail("x", **sandbox) | {"from": {"email": "ceo@bank.example"}})
        client.call("POST", "/v3/mail/send", mail("after the sandbox"))

    sink.wait_for(b"Subject: after the sandbox")
    assert (good.status, good.body) == (200, None)
    assert bad.status == 403
    assert not any(b"in the sandbox" in message for message in sink.messages)


def test_of_one_request_all_messages_are_taken_or_none(relay: Relay, sink: Sink) -> None:
    with ApiClient(relay) as client:
        refused = client.call("POST", "/v3/mail/send", mail("all or none", "bob@dest.test", "bob@nowhere.invalid"))
        client.call("POST", "/v3/mail/send", mail("after all or none"))

    sink.wait_for(b"Subject: after all or none")
    assert refused.status == 400
    assert refused.body["errors"][0]["field"] == "personalizations.1"
    assert not any(b"Subject: all or none" in message for message in sink.messages)


def test_a_key_deleted_by_http_is_dead_on_every_worker_and_what_it_had_queued_is_held(
    relay: Relay, manager: str
) -> None:
    with ApiClient(relay, manager) as keys:
        made = keys.call("POST", "/v3/api_keys", {"name": "short-lived", "scopes": ["mail.send"]}).body
        with ExitStack() as stack:
            clients = [stack.enter_context(ApiClient(relay, made["api_key"])) for _ in range(12)]
            before = [client.call("POST", "/v3/mail/send", mail("x", "bob@dead.test")).status for client in clients]

            deleted = keys.call("DELETE", f"/v3/api_keys/{made['api_key_id']}").status
            after = [client.call("POST", "/v3/mail/send", mail("x", "bob@dead.test")).status for client in clients]

    assert before == [202] * 12
    assert deleted == 204
    assert after == [401] * 12
    with ApiClient(relay, manager) as keys:
        assert keys.call("DELETE", f"/v3/api_keys/{made['api_key_id']}").status == 404
    assert _states(relay, KeyId(made["api_key_id"])) == [RecipientState.HELD] * 12


def test_a_key_narrowed_by_http_stops_sending_on_every_worker(relay: Relay, manager: str) -> None:
    with ApiClient(relay, manager) as keys, ExitStack() as stack:
        made = keys.call("POST", "/v3/api_keys", {"name": "n", "scopes": ["mail.send", "api_keys.read"]}).body
        clients = [stack.enter_context(ApiClient(relay, made["api_key"])) for _ in range(8)]
        before = [client.call("GET", "/v3/scopes").status for client in clients]

        changed = keys.call("PUT", f"/v3/api_keys/{made['api_key_id']}", {"name": "n", "scopes": ["api_keys.read"]})
        after = [client.call("POST", "/v3/mail/send", mail("x")) for client in clients]

    assert (set(before), changed.status) == ({200}, 200)
    assert {reply.status for reply in after} == {401}
    assert after[0].body["errors"][0]["message"] == "Authenticated user is not authorized to send mail"


def test_a_forwarded_address_is_not_believed(relay: Relay) -> None:
    key = relay.make_key("acme", "inside", "--allow-ip", "10.0.0.0/8")

    with ApiClient(relay, key) as client:
        reply = client.call("POST", "/v3/mail/send", mail("x"), X_Forwarded_For="10.0.0.1", Forwarded="for=10.0.0.1")

    assert reply.status == 401


def test_a_renewed_certificate_is_shown_without_a_restart(relay: Relay, tmp_path: Path) -> None:
    with ApiClient(relay) as before:
        assert before.call("GET", "/v3/scopes").status == 200
        ca_file, certificate, private_key = make_authority_and_certificate(tmp_path)
        old = relay.folder / "old"
        old.mkdir()
        files = [(certificate, relay.certificate), (private_key, relay.private_key)]
        for _, target in files:
            shutil.copy(target, old)
        try:
            for source, target in files:
                shutil.copy(source, target)
            relay.reload()
            assert _issuer_is(relay, ca_file)
            assert before.call("GET", "/v3/scopes").status == 200
        finally:
            for _, target in files:
                shutil.copy(old / Path(target).name, target)
            relay.reload()
            assert _issuer_is(relay, relay.ca_file)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="says nothing"),
        pytest.param(b"GET /v3/scopes HTTP/1.1\r\nHost: x\r\nX-Slow: ", id="never ends its header"),
    ],
)
def test_a_client_that_is_too_slow_is_hung_up_on(relay: Relay, octets: bytes) -> None:
    with _connect(relay) as connection:
        connection.sendall(octets)
        began_at = time.monotonic()

        assert _read_all(connection) == b""

    assert 0.5 < time.monotonic() - began_at < 10


def test_a_header_without_end_is_hung_up_on(relay: Relay) -> None:
    with _connect(relay) as connection, pytest.raises(OSError):  # noqa: PT012 - at which write is the kernel's affair
        connection.sendall(b"GET /v3/scopes HTTP/1.1\r\nHost: x\r\nX-Long: ")
        for _ in range(1000):
            connection.sendall(b"x" * 16_384)
        raise AssertionError("16 MB of header were taken")


def test_no_plain_http_is_spoken(relay: Relay) -> None:
    with socket.create_connection(("127.0.0.1", relay.api_port), timeout=10) as connection:
        connection.sendall(b"GET /v3/scopes HTTP/1.1\r\nHost: x\r\n\r\n")

        assert not _read_all(connection).startswith(b"HTTP/")


def test_no_secret_is_in_the_log(relay: Relay) -> None:
    assert relay.key not in relay.log()
    assert relay.key.split(".")[2] not in relay.log()


def _states(relay: Relay, key_id: KeyId) -> list[RecipientState]:
    states: list[RecipientState] = []
    for path in (relay.folder / "state" / "queue").glob("shard-*.db"):
        with closing(QueueReader(path)) as reader:
            states += [row.state for row in reader.list_recipients(Predicate(key_id=key_id), limit=100)]
    return states


def _connect(relay: Relay) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(relay.ca_file))
    plain = socket.create_connection(("127.0.0.1", relay.api_port), timeout=15)
    return context.wrap_socket(plain, server_hostname="localhost")


def _read_all(connection: socket.socket) -> bytes:
    pieces = []
    try:
        while piece := connection.recv(65_536):
            pieces.append(piece)
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return b"".join(pieces)


def _issuer_is(relay: Relay, ca_file: Path, seconds: float = 15) -> bool:
    """Whether every worker comes to show a certificate of that authority."""
    deadline = time.monotonic() + seconds
    context = ssl.create_default_context(cafile=str(ca_file))
    right = 0
    while time.monotonic() < deadline and right < 16:
        try:
            with (
                socket.create_connection(("127.0.0.1", relay.api_port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname="localhost"),
            ):
                right += 1
        except ssl.SSLCertVerificationError:
            right = 0
            time.sleep(0.05)
    return right == 16


def test_an_owner_joins_invites_and_the_invited_one_joins(relay: Relay, sink: Sink) -> None:
    invitation = relay.command("account", "owner", "acme", "ann@dest.test").strip()
    with ApiClient(relay) as client:
        ann = join(client, invitation, "ann")
        invited = client.call(
            "POST", "/v3/teammates", {"email": "bob@dest.test", "scopes": ["stats.read"]}, Authorization=ann
        )
        letter = sink.wait_for(b"Subject: You are invited")
        bob = join(client, re.search(rb"gpi_[\w-]{43}", letter)[0].decode(), "bob")  # type: ignore[index]
        scopes = client.call("GET", "/v3/scopes", Authorization=bob)
        refused = client.call("POST", "/v3/mail/send", mail("by a person", "bob@dest.test"), Authorization=bob)

    assert (invited.status, scopes.body) == (201, {"scopes": ["stats.read"]})
    assert refused.status == 403
    assert b"DKIM-Signature: v=1; a=rsa-sha256;" in letter
    assert "bob" in relay.command("teammate", "list", "--account", "acme")
    assert ann.split()[1] not in relay.log()


def test_an_address_is_proved_by_mail_and_the_old_one_hears_of_it_and_of_the_operators_acts(
    relay: Relay, sink: Sink
) -> None:
    relay.command("account", "create", "people")
    invitation = relay.command("account", "owner", "people", "old@dest.test").strip()
    with ApiClient(relay) as client:
        session = join(client, invitation, "eve")
        asked = client.call("PUT", "/v3/user/email", {"email": "new@dest.test"}, Authorization=session)
        letter = sink.wait_for(b"Subject: Confirm your new address")
        token = re.search(rb"gpe_[\w-]{43}", letter)[0].decode()  # type: ignore[index]
        confirmed = client.call("POST", "/v3/user/email/confirm", {"token": token}, Authorization=session)
    notice = sink.wait_for(b"Your e-mail address was changed")
    reset = relay.command("account", "recover", "eve", "--yes").split()[0]
    recovered = sink.wait_for(b"made a token for a new start")

    assert (asked.status, confirmed.status, confirmed.body["email"]) == (202, 200, "new@dest.test")
    assert b"To: new@dest.test" in letter
    assert (b"To: old@dest.test" in notice, b"To: new@dest.test" in recovered) == (True, True)
    assert all(b"DKIM-Signature: v=1; a=rsa-sha256;" in each for each in (letter, notice, recovered))
    assert not [each for each in (notice, recovered) if re.search(rb"gp[sirve]_|https?:", each)]
    assert (token in relay.log(), reset in relay.log()) == (False, False)


def join(client: ApiClient, invitation: str, username: str) -> str:
    """Accept an invitation and enrol an authenticator; return what goes into the Authorization header."""
    body = {"token": invitation, "username": username, "password": "tin-lantern-oboe-47"}
    joined = client.call("POST", "/v3/invitations/accept", body)
    assert (joined.status, joined.body["due"]) == (201, "enrolment"), joined
    session = f"Bearer {joined.body['session_token']}"
    begun = client.call("POST", "/v3/user/factors/totp", Authorization=session)
    code = totp_code(begun.body["secret"], datetime.now(UTC))
    enrolled = client.call("PUT", "/v3/user/factors/totp", {"code": code}, Authorization=session)
    assert enrolled.status == 200, enrolled
    return f"Bearer {enrolled.body['session']['session_token']}"
