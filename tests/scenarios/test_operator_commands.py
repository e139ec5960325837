"""What an operator does around the queue while the relay runs: real processes, real mail, one destination down."""

import json
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_port
from tests.support.relay import Relay
from tests.support.sink import Sink

QUEUED_AS = b"queued as "


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture
def relay(tmp_path: Path, sink: Sink) -> Iterator[Relay]:
    relay = Relay(tmp_path, {"dest.test": f"127.0.0.1:{sink.port}", "dead.test": f"127.0.0.1:{free_port()}"})
    try:
        relay.start()
        yield relay
    finally:
        relay.close()


class Client(smtplib.SMTP):
    """Remembers how its last DATA was answered."""

    last_reply = b""

    def data(self, msg: Any) -> tuple[int, bytes]:
        code, self.last_reply = super().data(msg)
        return code, self.last_reply


def send(relay: Relay, *recipients: str) -> str:
    """Send one message over its own session; return its id."""
    with Client("localhost", relay.starttls_port, timeout=20) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
        client.login("apikey", relay.key)
        message = f"From: ann@example.test\r\nTo: {', '.join(recipients)}\r\nSubject: hello\r\n\r\nHello.\r\n"
        client.sendmail("ann@example.test", list(recipients), message)
        return client.last_reply.partition(QUEUED_AS)[2].decode().strip()


def read(relay: Relay, *arguments: str) -> Any:
    return json.loads(relay.command(*arguments, "--json"))


def wait_until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)


def queued(relay: Relay, *which: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(relay, "queue", "list", *which)["recipients"]
    return rows


def event_types(relay: Relay, message_id: str) -> list[str]:
    lines = relay.command("events", "--message", message_id, "--json").splitlines()
    return [json.loads(line)["type"] for line in lines]


def metric(relay: Relay, name: str) -> float | None:
    values = [line.split()[-1] for line in relay.get("/metrics")[1].splitlines() if line.startswith(f"gatepost_{name}")]
    return float(values[0]) if values else None


def test_an_operator_sees_and_steers_the_queue(relay: Relay) -> None:
    delivered = send(relay, "bob@dest.test")
    stuck = send(relay, "carol@dead.test")
    doomed = send(relay, "dave@dead.test", "erin@dead.test")

    # One arrives; the destination that is down leaves three recipients waiting, with the reason.
    wait_until(lambda: [row["attempts"] for row in queued(relay, "--state", "queued")] == [1, 1, 1])
    rows = queued(relay, "--domain", "dead.test")
    assert {row["message_id"] for row in rows} == {stuck, doomed}
    assert all(row["next_attempt_at"] and "connect" in row["last_reply"] for row in rows)
    wait_until(lambda: event_types(relay, delivered) == ["processed", "delivered"])
    (story,) = read(relay, "message", "show", delivered)["recipients"]
    assert (story["recipient"], story["state"], story["last_reply"][:3]) == ("bob@dest.test", "delivered", "250")

    # Held, it is not tried; released, it is tried at once.
    assert "1 recipient held." in relay.run("queue", "hold", "--message", stuck, "--reason", "looking at it").stderr
    assert [row["state"] for row in queued(relay, "--message", stuck)] == ["held"]
    assert read(relay, "queue", "summary") == [
        {"account": "acme", "account_id": rows[0]["account_id"], "queued": 2, "leased": 0, "held": 1, "scheduled": 0}
    ]
    assert "1 recipient released." in relay.run("queue", "release", "--account", "acme", "--state", "held").stderr
    wait_until(lambda: [row["attempts"] for row in queued(relay, "--message", stuck)] == [2])
    wait_until(lambda: event_types(relay, stuck) == ["processed", "deferred", "held", "released", "deferred"])

    # Removed, it is gone from the queue, and its story stays.
    assert relay.run("queue", "remove", "--message", doomed, "--yes").returncode == 0
    assert relay.run("queue", "show", doomed).returncode == 1
    story = read(relay, "message", "show", doomed)
    assert [(each["recipient"], each["state"]) for each in story["recipients"]] == [
        ("dave@dead.test", "dropped"),
        ("erin@dead.test", "dropped"),
    ]
    shown = read(relay, "queue", "show", stuck)
    assert (shown["account"], shown["key"], shown["author"]) == ("acme", "tests", "ann@example.test")
    assert (shown["client"], shown["protocol"], shown["tls"][:4]) == ("127.0.0.1", "ESMTPSA", "TLSv")

    # The books of both shards balance, and the metrics say the same.
    books = relay.run("books", "--json")
    (row,) = json.loads(books.stdout)
    assert books.returncode == 0
    assert {name: row[name] for name in ("accepted", "delivered", "dropped", "queued", "held", "difference")} == {
        "accepted": 4, "delivered": 1, "dropped": 2, "queued": 1, "held": 0, "difference": 0,
    }  # fmt: skip
    assert metric(relay, "books_unbalanced_accounts") == 0
    expiry = metric(relay, "certificate_expiry_timestamp_seconds")
    assert expiry is not None
    assert time.time() < expiry < float("inf")

    # The same is seen, and can be done, when nothing runs.
    assert relay.stop() == 0
    assert [row["recipient"] for row in queued(relay)] == ["carol@dead.test"]
    assert "1 recipient removed." in relay.run("queue", "remove", "--message", stuck, "--yes").stderr
    assert relay.run("books").returncode == 0
    assert event_types(relay, stuck)[-1] == "dropped"
