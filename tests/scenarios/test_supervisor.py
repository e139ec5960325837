"""The supervisor with real children: small Python programs that write down what happens to them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

DRIVER = """
import json, os, sys
from datetime import timedelta
from gatepost.runtime.listening_sockets import open_sockets
from gatepost.runtime.settings import Listener
from gatepost.runtime.child import Program
from gatepost.runtime.supervisor import Supervisor

plan = json.loads(sys.argv[1])
sockets = open_sockets([Listener(address="127.0.0.1", port=0)], len(plan["children"]))
with open("port", "w") as file:
    file.write(str(sockets[0].named[0][1].getsockname()[1]))

def note(what):
    with open("journal", "a") as file:
        file.write(what + "\\n")

supervisor = Supervisor(
    [Program(name=name, command=(plan["interpreter"], "-c", code, name, str(own.descriptors[0])), sockets=own,
             is_essential=name not in plan["spare"])
     for (name, code), own in zip(plan["children"].items(), sockets)],
    environment=os.environ,
    stop_within=timedelta(seconds=plan["stop_within"]),
    on_state=note,
    on_exit=lambda pid: note("exit"),
)
sys.exit(supervisor.run())
"""

CHILD = """
import os, signal, socket, sys, time
from gatepost.runtime.child_process import SupervisorLink, Word
name, descriptor = sys.argv[1], int(sys.argv[2])
def note(what):
    with open("journal", "a") as file:
        file.write(f"{name} {what}\\n")
link = SupervisorLink(os.environ)
link.end_with_supervisor()
"""

WORKER = (
    CHILD
    + """
def drain(*_):
    note("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
signal.signal(signal.SIGHUP, lambda *_: note("reloaded"))
listening = socket.socket(fileno=descriptor)
listening.listen(16)
note(f"up {os.getpid()}")
link.tell(Word.READY)
while True:
    connection, _ = listening.accept()
    connection.sendall(name.encode())
    connection.close()
"""
)

STUBBORN = (
    CHILD
    + """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
note(f"up {os.getpid()}")
link.tell(Word.READY)
while True:
    time.sleep(60)
"""
)

SLOW = (
    CHILD
    + """
note(f"up {os.getpid()}")
while not os.path.exists("go"):
    time.sleep(0.02)
link.tell(Word.READY)
time.sleep(60)
"""
)

CRASHING = (
    CHILD
    + """
listening = socket.socket(fileno=descriptor)
listening.listen(16)
note(f"up {os.getpid()}")
sys.exit(1)
"""
)

MISCONFIGURED = (
    CHILD
    + """
note("misconfigured")
sys.exit(2)
"""
)


class Service:
    """A supervisor in a process of its own, and the journal it and its children keep."""

    def __init__(self, folder, children, stop_within=10, spare=(), interpreter=sys.executable, patch=""):
        self.folder = folder
        plan = {"children": children, "stop_within": stop_within, "spare": spare, "interpreter": interpreter}
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", patch + DRIVER, json.dumps(plan)],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=log,
                stderr=log,
            )

    @property
    def journal(self):
        path = self.folder / "journal"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def pids(self, name):
        return [int(line.split()[2]) for line in self.journal if line.startswith(f"{name} up ")]

    def connect(self):
        port = int((self.folder / "port").read_text())
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            return connection.recv(100).decode()

    def wait_for(self, condition, seconds=20):
        until = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < until, self.journal
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@pytest.fixture
def start(tmp_path):
    services = []

    def start(children, **options):
        services.append(Service(tmp_path, children, **options))
        return services[-1]

    yield start
    for service in services:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait(timeout=10)


def ready(service):
    return "READY=1" in service.journal


def state_of(pid):
    """The letter of /proc/PID/stat: T stopped, Z a zombie; "" for no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def is_alive(pid):
    return state_of(pid) not in ("", "Z")


def test_ready_is_told_once_all_children_are(start):
    service = start({"a": WORKER, "b": WORKER})

    service.wait_for(ready)

    assert {line.split()[0] for line in service.journal[: service.journal.index("READY=1")]} == {"a", "b"}
    assert service.connect() in ("a", "b")


def test_sigterm_drains_the_children_and_exits_0(start):
    service = start({"a": WORKER, "b": WORKER})
    service.wait_for(ready)

    status = service.stop()

    assert status == 0
    assert {"a drained", "b drained", "STOPPING=1"} <= set(service.journal)
    assert service.journal.count("READY=1") == 1


def test_child_that_is_killed_is_started_again_with_its_socket(start):
    service = start({"a": WORKER})
    service.wait_for(ready)

    os.kill(service.pids("a")[0], signal.SIGKILL)
    service.wait_for(lambda service: len(service.pids("a")) == 2)

    assert service.connect() == "a"
    assert "exit" in service.journal
    assert service.stop() == 0


def test_connection_made_while_the_child_is_down_waits_for_the_next(start):
    service = start({"a": WORKER})
    service.wait_for(ready)

    os.kill(service.pids("a")[0], signal.SIGSTOP)
    service.wait_for(lambda service: state_of(service.pids("a")[0]) == "T")
    port = int((service.folder / "port").read_text())
    with socket.create_connection(("127.0.0.1", port), timeout=10) as waiting:
        os.kill(service.pids("a")[0], signal.SIGKILL)

        assert waiting.recv(100) == b"a"
    assert len(service.pids("a")) == 2


def test_sighup_reloads_without_a_restart(start):
    service = start({"a": WORKER, "b": WORKER})
    service.wait_for(ready)

    service.process.send_signal(signal.SIGHUP)
    service.wait_for(lambda service: {"a reloaded", "b reloaded"} <= set(service.journal))

    assert len(service.pids("a")) == 1


def test_sighup_does_not_reach_a_child_that_is_not_ready_for_it(start):
    service = start({"a": WORKER, "b": SLOW})
    service.wait_for(lambda service: service.pids("a") and service.pids("b"))
    service.process.send_signal(signal.SIGHUP)
    service.wait_for(lambda service: "a reloaded" in service.journal)

    (service.folder / "go").touch()
    service.wait_for(ready)

    assert len(service.pids("b")) == 1


def test_sockets_of_a_child_that_keeps_crashing_keep_no_client_waiting(start):
    service = start({"a": CRASHING, "b": WORKER})
    # The sixth restart waits for longer than clients should.
    service.wait_for(lambda service: service.journal.count("exit") >= 6, seconds=40)

    assert {service.connect() for _ in range(20)} == {"b"}


def test_child_that_does_not_drain_is_killed_in_time(start):
    service = start({"a": STUBBORN}, stop_within=1)
    service.wait_for(ready)
    began = time.monotonic()

    status = service.stop()

    assert status == 1
    assert time.monotonic() - began < 5
    assert not is_alive(service.pids("a")[0])


def test_misconfigured_at_the_first_start_stops_everything_with_status_2(start):
    service = start({"a": WORKER, "b": MISCONFIGURED})

    assert service.process.wait(timeout=20) == 2
    assert service.journal.count("b misconfigured") == 1


def test_children_drain_when_the_supervisor_is_killed(start):
    service = start({"a": WORKER})
    service.wait_for(ready)

    service.process.kill()
    service.wait_for(lambda service: "a drained" in service.journal)

    service.wait_for(lambda service: not is_alive(service.pids("a")[0]))


PATIENT = (
    CHILD
    + """
import fcntl, select
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
link.tell(Word.PREPARED)
lock = open(f"{name}.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
listening = socket.socket(fileno=descriptor)
listening.listen(16)
listening.setblocking(False)
note(f"up {os.getpid()}")
link.tell(Word.READY)
# What was accepted is answered before the end: that is what draining means.
while not stopping:
    select.select([listening], [], [], 0.02)
    try:
        connection, _ = listening.accept()
    except BlockingIOError:
        continue
    connection.sendall(f"{name} {os.getpid()}".encode())
    connection.close()
note("drained")
"""
)

ONCE = (
    CHILD
    + """
if os.path.exists("once"):
    note("misconfigured")
    sys.exit(2)
open("once", "w").close()
def drain(*_):
    note("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
note(f"up {os.getpid()}")
link.tell(Word.READY)
while True:
    time.sleep(60)
"""
)

STUCK = (
    CHILD
    + """
import faulthandler
faulthandler.enable()
note(f"up {os.getpid()}")
link.tell(Word.READY)
link.tell(Word.BEAT)
def stand_still():
    time.sleep(60)
stand_still()
"""
)

QUICK = """
from datetime import timedelta
from gatepost.runtime import child, restart, supervisor
child.STUCK_AFTER = timedelta(seconds=1)
child.restart_after = lambda failures: timedelta(milliseconds=20)
"""


def log_of(service):
    return (service.folder / "log").read_text()


def test_sigusr2_replaces_every_process_and_refuses_nobody_meanwhile(start):
    service = start({"a": PATIENT, "b": PATIENT})
    service.wait_for(ready)
    before = {name: service.pids(name)[0] for name in "ab"}
    answers = [service.connect()]

    service.process.send_signal(signal.SIGUSR2)
    while not all(len(service.pids(name)) == 2 for name in "ab"):
        answers.append(service.connect())

    service.wait_for(lambda service: "service_replaced" in log_of(service))
    assert all(answer.split()[0] in "ab" for answer in answers)
    service.wait_for(lambda _: not any(is_alive(pid) for pid in before.values()))
    assert {int(service.connect().split()[1]) for _ in range(8)} <= {service.pids(name)[1] for name in "ab"}
    assert service.stop() == 0


def test_successor_that_does_not_come_up_leaves_the_old_processes_at_work(start):
    service = start({"a": ONCE, "b": PATIENT})
    service.wait_for(ready)

    service.process.send_signal(signal.SIGUSR2)
    service.wait_for(lambda service: "replacement_failed" in log_of(service))

    assert service.journal.count("a misconfigured") == 1
    assert "drained" not in " ".join(service.journal)
    assert is_alive(service.pids("a")[0])
    assert len(service.pids("b")) == 1


def test_child_whose_event_loop_stands_still_is_ended_says_where_and_is_started_again(start):
    service = start({"a": STUCK}, patch=QUICK)

    service.wait_for(lambda service: len(service.pids("a")) == 2)

    assert "child_stuck" in log_of(service)
    assert "in stand_still" in log_of(service)


def test_service_whose_every_worker_fails_again_and_again_gives_up_with_status_1(start):
    service = start({"a": CRASHING, "b": CRASHING}, patch=QUICK)

    assert service.process.wait(timeout=30) == 1
    assert "service_gives_up" in log_of(service)


def test_service_goes_on_with_the_workers_that_do_not_fail(start):
    service = start({"a": CRASHING, "b": WORKER}, patch=QUICK)

    service.wait_for(lambda service: service.journal.count("exit") >= 12, seconds=40)

    assert service.process.poll() is None
    assert "child_keeps_failing" in log_of(service)


def test_child_that_cannot_be_executed_is_tried_again_and_then_given_up(start):
    service = start({"a": WORKER}, patch=QUICK, interpreter="/nonexistent/python")

    assert service.process.wait(timeout=30) == 1
    assert log_of(service).count("child_not_started") == 8
    assert "service_gives_up" in log_of(service)


def test_spare_child_that_is_misconfigured_stops_nothing(start):
    service = start({"a": WORKER, "b": MISCONFIGURED}, spare=["b"])

    service.wait_for(ready)

    assert service.connect() in ("a", "b")
    assert service.stop() == 0
