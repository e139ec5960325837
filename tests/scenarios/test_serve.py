"""The service as it is run: one command, its processes, its signals."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.queue.recipient import Predicate, QueuedMessage
from gatepost.primitives.ids import AccountId, KeyId, MessageId
from gatepost.runtime.control_client import ask_status
from gatepost.standards.address import Mailbox
from gatepost.storage.queue_sqlite.store import QueueSettings, SQLiteQueue
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}


@pytest.fixture
def gatepost(tmp_path):
    """Starts gatepost commands on a settings file of their own; ends what is still running."""
    started = []

    def start(*arguments, **settings):
        process = subprocess.Popen(
            [sys.executable, "-m", "gatepost", *arguments, "--config", str(tmp_path / "gatepost.toml")],
            env=ENVIRONMENT | settings | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


@pytest.fixture
def state(gatepost, tmp_path):
    """A set-up made by ``gatepost init``."""
    process = gatepost(
        "init", "--host-name", "mail.example.com", "--state-dir", str(tmp_path / "state"), "--self-signed"
    )
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return tmp_path / "state"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def settings():
    return {
        "GATEPOST_LISTENERS": '[{address = "127.0.0.1", port = 0}]',
        "GATEPOST_WORKERS__MAIL": "1",
        "GATEPOST_OPERATIONS__PORT": str(free_port()),
    }


def get(port, path, seconds=30):
    """Ask the operations port, again until it answers."""
    until = time.monotonic() + seconds
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except ConnectionError:
            assert time.monotonic() < until
            time.sleep(0.05)
        finally:
            connection.close()


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def finish(process):
    said, _ = process.communicate(timeout=40)
    return process.returncode, said


def test_service_answers_on_the_operations_port_and_stops_at_sigterm(gatepost, state, settings):
    service = gatepost("serve", **settings)
    port = int(settings["GATEPOST_OPERATIONS__PORT"])

    assert get(port, "/health/live") == (200, "alive\n")
    assert get(port, "/metrics")[0] == 200
    assert get(port, "/console")[0] == 404
    service.send_signal(signal.SIGTERM)

    status, said = finish(service)
    assert status == 0, said
    assert '"event":"service_stopping"' in said


def wait_until_ready(port, seconds=30):
    until = time.monotonic() + seconds
    while True:
        status, body = get(port, "/health/ready")
        if status == 200:
            return json.loads(body)
        assert time.monotonic() < until, body
        time.sleep(0.05)


def worker_pid(state, index):
    return ask_status(state / "run" / f"worker-{index}.sock", timeout=timedelta(seconds=5)).pid


def test_service_is_ready_when_its_workers_are_and_again_after_one_was_killed(gatepost, state, settings):
    service = gatepost("serve", **settings | {"GATEPOST_WORKERS__MAIL": "2"})
    port = int(settings["GATEPOST_OPERATIONS__PORT"])
    assert [worker["index"] for worker in wait_until_ready(port)["workers"]] == [0, 1]
    killed = worker_pid(state, 1)

    os.kill(killed, signal.SIGKILL)

    wait_for(lambda: get(port, "/health/ready")[0] == 503)
    wait_until_ready(port)
    assert worker_pid(state, 1) != killed
    service.send_signal(signal.SIGTERM)
    assert finish(service)[0] == 0


async def queue_one_message(state, number):
    """Leave a message in a shard, as a worker of former times did."""
    settings = QueueSettings(longest_delay=timedelta(hours=5))
    queue = await SQLiteQueue.open(
        state / "queue", number, clock=SystemClock(), entropy=SystemEntropy(), settings=settings, report=print
    )
    mailbox = Mailbox(local_part="a", domain="nowhere.invalid")
    await queue.accept(
        QueuedMessage(
            id=MessageId("m1"),
            account_id=AccountId("acc"),
            key_id=KeyId("key"),
            author=mailbox,
            envelope=Envelope(reverse_path=mailbox, forward_paths=(mailbox,)),
            origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.1", greeting="client", tls="TLSv1.3"),
            content=MemoryContent(b"Subject: x\r\n\r\n"),
            accepted_at=datetime.now(UTC),
        )
    )
    await queue.hold(Predicate(message_id=MessageId("m1")), reason="to stay there")
    await queue.close()


def test_shard_left_over_gets_a_worker_only_if_it_holds_mail(gatepost, state, settings):
    port = int(settings["GATEPOST_OPERATIONS__PORT"])
    service = gatepost("serve", **settings | {"GATEPOST_WORKERS__MAIL": "3"})
    wait_until_ready(port)
    service.send_signal(signal.SIGTERM)
    assert finish(service)[0] == 0
    asyncio.run(queue_one_message(state, 2))

    gatepost("serve", **settings | {"GATEPOST_WORKERS__MAIL": "1"})

    assert [worker["index"] for worker in wait_until_ready(port)["workers"]] == [0, 2]


def test_worker_that_finds_it_is_misconfigured_says_so_in_one_line_and_with_status_2(gatepost, state, settings):
    # What comes at the path of its control socket is met only once the worker runs.
    (state / "run" / "worker-0.sock").mkdir()

    status, said = finish(gatepost("serve", **settings | {"GATEPOST_WORKERS__MAIL": "1"}))

    assert status == 2
    assert "ExceptionGroup" not in said
    (line,) = [line for line in said.splitlines() if "worker_failed" in line]
    assert "worker-0.sock" in json.loads(line)["reason"]


def test_second_service_on_the_same_state_is_refused(gatepost, state, settings):
    gatepost("serve", **settings)
    get(int(settings["GATEPOST_OPERATIONS__PORT"]), "/health/live")

    status, said = finish(gatepost("serve", **settings | {"GATEPOST_OPERATIONS__PORT": "0"}))

    assert status == 2
    assert "another service runs" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"GATEPOST_TLS__PRIVATE_KEY": "/nowhere"}, "No such file", id="no private key"),
        pytest.param({"GATEPOST_WORKERS__MAIL": "-1"}, "workers.mail expected int >= 0", id="bad setting"),
        pytest.param({"GATEPOST_STATE_DIR": "/nowhere/at/all"}, "gatepost init", id="no state directory"),
        pytest.param(
            {"GATEPOST_LISTENERS": '[{address = "192.0.2.1", port = 0}]'}, "does not have that address", id="address"
        ),
    ],
)
def test_service_that_cannot_start_says_why_in_a_line_and_exits_with_2(gatepost, state, settings, changes, said):
    status, output = finish(gatepost("serve", **settings | changes))

    assert status == 2
    assert said in output
    assert "Traceback" not in output


def test_web_worker_ends_when_the_supervisor_is_killed(gatepost, state, settings):
    service = gatepost("serve", **settings)
    port = int(settings["GATEPOST_OPERATIONS__PORT"])
    get(port, "/health/live")

    service.kill()

    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < until
        time.sleep(0.05)


def test_sighup_is_survived(gatepost, state, settings):
    service = gatepost("serve", **settings)
    port = int(settings["GATEPOST_OPERATIONS__PORT"])
    get(port, "/health/live")

    service.send_signal(signal.SIGHUP)

    assert get(port, "/health/live") == (200, "alive\n")
    service.send_signal(signal.SIGTERM)
    status, said = finish(service)
    assert (status, '"event":"reload_requested"' in said) == (0, True)
