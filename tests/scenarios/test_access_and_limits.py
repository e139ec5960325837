"""Lists of addresses and limits with real processes: exact in every session, and counted by all workers together."""

import smtplib
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.api_client import ApiClient, mail
from tests.support.relay import Relay
from tests.support.sink import Sink

MESSAGE = b"From: Ann <ann@example.test>\r\nTo: bob@dest.test\r\nSubject: hi\r\n\r\nhello\r\n"
WHITELIST = "/v3/access_settings/whitelist"
NOT_FROM_THERE = (451, b"4.7.1 Authentication failed: Could not authenticate")
# Enough that both workers have some: all at one of them is a matter of one in 2,048.
SESSIONS = 12


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Relay]:
    relay = Relay(
        tmp_path_factory.mktemp("relay"),
        {"dest.test": f"127.0.0.1:{sink.port}"},
        api='trusted_proxies = ["127.0.0.2/32"]',
    )
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


@pytest.fixture
def anywhere(relay: Relay) -> Iterator[None]:
    """Leave the account as it was."""
    yield
    networks = [line.split()[1] for line in relay.command("access", "list", "acme").splitlines()[1:]]
    if networks:
        relay.command("access", "remove", "acme", *networks)
    relay.command("access", "enforce", "acme")
    relay.command("limit", "clear", "acme")


def try_to_sign_in(relay: Relay, source: str = "127.0.0.1") -> tuple[smtplib.SMTP, tuple[int, bytes]]:
    client = smtplib.SMTP("localhost", relay.starttls_port, timeout=30, source_address=(source, 0))
    client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
    client.ehlo()
    return client, client.docmd("AUTH", "PLAIN " + b64encode(f"\0apikey\0{relay.key}".encode()).decode())


def sign_in(relay: Relay) -> smtplib.SMTP:
    client, answer = try_to_sign_in(relay)
    assert answer[0] == 235
    return client


def refused_at_auth(relay: Relay, source: str = "127.0.0.1") -> bool:
    """Whether a session from there hears the dialect's words and is ended."""
    client, answer = try_to_sign_in(relay, source)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.docmd("NOOP")
    return answer == NOT_FROM_THERE


def send(client: smtplib.SMTP) -> tuple[int, bytes]:
    """Send one message; return the first refusal, or the answer to the content."""
    for command in (b"MAIL FROM:<ann@example.test>", b"RCPT TO:<bob@dest.test>"):
        answer = client.docmd(command.decode())
        if answer[0] != 250:
            return answer
    return client.data(MESSAGE)


@pytest.mark.usefixtures("anywhere")
def test_an_edit_ends_open_sessions_at_their_next_command_on_every_worker(relay: Relay) -> None:
    sessions = [sign_in(relay) for _ in range(SESSIONS)]
    in_transaction = sessions[: SESSIONS // 2]
    for client in sessions:
        assert send(client)[0] == 250
    for client in in_transaction:
        client.docmd("MAIL FROM:<ann@example.test>")
        client.docmd("RCPT TO:<bob@dest.test>")
    relay.command("access", "add", "acme", "192.0.2.0/24", "--force")

    answers = [client.data(MESSAGE) for client in in_transaction]
    answers += [client.docmd("MAIL FROM:<ann@example.test>") for client in sessions[SESSIONS // 2 :]]

    assert set(answers) == {NOT_FROM_THERE}
    for client in sessions:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.docmd("NOOP")
        client.close()
    assert refused_at_auth(relay)


@pytest.mark.usefixtures("anywhere")
def test_one_list_holds_for_smtp_and_http_and_the_operator_lets_back_in(relay: Relay) -> None:
    key = relay.make_key(
        "acme",
        "lists",
        *[w for v in ("create", "read", "delete") for w in ("--scope", f"access_settings.whitelist.{v}")],
    )
    with ApiClient(relay, key) as api:
        shut_out = api.call("POST", WHITELIST, {"ips": [{"ip": "192.0.2.0/24"}]})
        listed = api.call("POST", WHITELIST, {"ips": [{"ip": "127.0.0.1"}, {"ip": "::1"}]})
        assert refused_at_auth(relay, "127.0.0.3")
        with sign_in(relay) as client:
            assert send(client)[0] == 250
        relay.command("access", "add", "acme", "192.0.2.0/24")
        relay.command("access", "remove", "acme", "127.0.0.1", "::1", "--force")
        refused = api.call("GET", WHITELIST)
        sending = api.call("POST", "/v3/mail/send", mail("refused"))
        relay.command("access", "remove", "acme", "192.0.2.0/24")
        back = api.call("GET", WHITELIST)

    assert (shut_out.status, listed.status) == (409, 201)
    assert (refused.status, sending.status) == (403, 401)
    assert (back.status, back.body["result"]) == (200, [])


@pytest.mark.usefixtures("anywhere")
def test_a_limit_is_one_for_all_workers_and_loses_nothing(relay: Relay, sink: Sink) -> None:
    relay.command("limit", "set", "acme", "--messages-per-hour", "20")
    answers: list[tuple[int, bytes]] = []
    with ExitStack() as stack:
        sessions = [stack.enter_context(sign_in(relay)) for _ in range(SESSIONS)]
        answers = [send(client) for _ in range(3) for client in sessions]
        with ApiClient(relay) as api:
            over_http = api.call("POST", "/v3/mail/send", mail("over the limit"))
        relay.command("limit", "set", "acme", "--messages-per-hour", "0")

        assert {send(client)[0] for client in sessions} == {250}

    codes = [code for code, _ in answers]
    refusals = {text for code, text in answers if code != 250}
    assert (codes.count(250), codes.count(451)) == (20, 3 * SESSIONS - 20)
    assert all(text.startswith(b"4.7.1 Too much mail for now (20 messages an hour of one account") for text in refusals)
    assert over_http.status == 429
    assert 170 <= int(over_http.headers["retry-after"]) <= 180


@pytest.mark.usefixtures("anywhere")
def test_a_forged_forwarded_address_gets_nobody_in(relay: Relay) -> None:
    relay.command("access", "add", "acme", "192.0.2.7", "--force")

    with ApiClient(relay) as api:
        reply = api.call("GET", "/v3/scopes", X_Forwarded_For="192.0.2.7", Forwarded="for=192.0.2.7")

    assert reply.status == 403


def test_the_meters_are_files_of_the_service_alone(relay: Relay) -> None:
    files = sorted(Path(relay.state_dir, "run").glob("*-meters"))

    assert [(file.name, oct(file.stat().st_mode & 0o777)) for file in files] == [
        ("account-meters", "0o600"), ("address-meters", "0o600")
    ]  # fmt: skip
