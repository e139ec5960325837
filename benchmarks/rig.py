"""What every system under test shares: tools, certificate, sink, the load, and how a run is measured."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support.ports import free_port, wait_for_port

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of work.

    Attributes:
        per_connection: Messages on one connection before a new one is opened.
    """

    name: str
    messages: int
    octets: int = 10_240
    connections: int = 50
    per_connection: int = 100
    recipients: int = 1
    tls: str = "implicit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of one shape gave; rates in messages a second of wall time, times in seconds."""

    accept_rate: float
    end_to_end_rate: float
    accepted: int
    delivered: int
    signatures: int
    refused: int
    under_way_p50: float
    under_way_p99: float
    first_error: str


class System(Protocol):
    """A relay set up for the work: TLS, AUTH, a synced queue before 250, one DKIM RSA-2048 signature, one sink."""

    name: str

    def start(self, folder: Path, sink_port: int) -> None:
        """Start, and return when it takes connections."""
        ...

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        ...

    def stop(self) -> None:
        """End every process it started."""
        ...


def build_tools(folder: Path) -> None:
    """Compile the load generator and the sink."""
    flags = ["cc", "-O2", "-Wall"]
    subprocess.run([*flags, "-o", folder / "load", HERE / "load.c", "-lssl", "-lcrypto", "-lpthread"], check=True)
    subprocess.run([*flags, "-o", folder / "sink", HERE / "sink.c"], check=True)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make one self-signed ECDSA P-256 certificate for all systems."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Sink:
    """The sink program, running."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._process = subprocess.Popen([folder / "sink", str(self.port)], stdout=subprocess.PIPE, text=True)
        wait_for_port(self.port)

    def restart_count(self) -> None:
        """Count from zero."""
        self._process.send_signal(signal.SIGUSR1)

    def read(self) -> dict[str, float]:
        """Return the figures so far."""
        self._process.send_signal(signal.SIGUSR2)
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate(timeout=10)


@contextmanager
def running_sink(folder: Path) -> Iterator[Sink]:
    """A sink for the length of a block."""
    sink = Sink(folder)
    try:
        yield sink
    finally:
        sink.stop()


def run_shape(system: System, shape: Shape, sink: Sink, folder: Path, *, drain: float = 120) -> Result:
    """Put one shape of load on a running system and wait until all it accepted has reached the sink."""
    sink.restart_count()
    command = [
        folder / "load",
        *("-n", str(shape.messages), "-s", str(shape.octets), "-c", str(shape.connections)),
        *("-k", str(shape.per_connection), "-r", str(shape.recipients), "-d", "1", "-t", shape.tls),
        *system.arguments(shape),
    ]
    load = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout)
    wanted = load["accepted"] * shape.recipients
    deadline = time.monotonic() + drain
    figures = sink.read()
    while figures["recipients"] < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
        figures = sink.read()
    took = max(figures["last_at"] - load["began"], 1e-9)
    return Result(
        accept_rate=load["accepted"] / load["seconds"],
        end_to_end_rate=figures["recipients"] / shape.recipients / took,
        accepted=load["accepted"],
        delivered=int(figures["recipients"] // shape.recipients),
        signatures=int(figures["signatures"]),
        refused=load["refused"],
        under_way_p50=figures["under_way_p50"],
        under_way_p99=figures["under_way_p99"],
        first_error=load["first_error"],
    )


def end_process(process: subprocess.Popen[bytes], *, seconds: float = 30) -> None:
    """Ask a process to end; insist after a while."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
