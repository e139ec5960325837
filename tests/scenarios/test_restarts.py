"""The service replaced, restarted and orphaned while clients send: nobody is lost, and the next one takes over."""

import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest
from tests.support.ports import wait_for_port
from tests.support.relay import Relay
from tests.support.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Relay]:
    relay = Relay(tmp_path_factory.mktemp("relay"), {"dest.test": f"127.0.0.1:{sink.port}"}, workers=2)
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


def open_session(relay: Relay) -> smtplib.SMTP:
    client = smtplib.SMTP("localhost", relay.starttls_port, timeout=40)
    try:
        client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
        client.login("apikey", relay.key)
    except BaseException:
        client.close()
        raise
    return client


def send(client: smtplib.SMTP, subject: str) -> None:
    text = f"From: ann@example.test\r\nTo: bob@dest.test\r\nSubject: {subject}\r\n\r\nHello.\r\n"
    client.sendmail("ann@example.test", ["bob@dest.test"], text.encode())


def test_service_started_after_its_supervisor_was_killed_alone_takes_over(relay: Relay, sink: Sink) -> None:
    busy = [open_session(relay) for _ in range(8)]
    for client in busy:
        # In the midst of a transaction, which an orderly stop would wait for.
        client.docmd("MAIL", "FROM:<ann@example.test>")

    relay.kill_supervisor()
    relay.start()
    with open_session(relay) as client:
        send(client, "after the supervisor was killed")

    assert b"DKIM-Signature" in sink.wait_for(b"Subject: after the supervisor was killed")
    assert "worker_failed" not in relay.log()
    for client in busy:
        client.close()


def test_replacing_the_workers_under_way_refuses_nobody_and_loses_nothing(relay: Relay, sink: Sink) -> None:
    numbers = count()
    sent = []
    relay.replace_workers()
    until = time.monotonic() + 60
    while "service_replaced" not in relay.log():
        assert time.monotonic() < until, relay.log()
        subject = f"during the replacement, {next(numbers)}."
        # A session that a worker ends as it drains is told so, and welcome again.
        with suppress(smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException), open_session(relay) as client:
            send(client, subject)
            sent.append(subject)

    assert sent
    for subject in sent:
        sink.wait_for(f"Subject: {subject}\r\n".encode())
    assert len([each for each in sink.messages if b"during the replacement" in each]) == len(sent)


def test_port_takes_connections_before_the_worker_is_there(relay: Relay) -> None:
    relay.stop()
    starts = relay.log().count("listening")
    relay.launch()
    until = time.monotonic() + 30
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", relay.starttls_port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.01)
        else:
            break
    is_early = relay.log().count("listening") == starts

    with connection:
        assert connection.recv(100).startswith(b"220")
    assert is_early
    wait_for_port(relay.operations_port)
    relay.wait_until_ready()
