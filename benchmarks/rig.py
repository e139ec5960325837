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
from typing import Any, Protocol

from tests.support.ports import free_port, wait_for_port

from benchmarks.footprint import Footprint
from benchmarks.results import Result

HERE = Path(__file__).parent

DESTINATION_CONNECTIONS = 50
"""Connections to the sink each system may have at a time, all its processes together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of work.

    Attributes:
        per_connection: Messages on one connection before a new one is opened.
        tls: "implicit" or "starttls"; "https" for ``mail/send``, which only Gatepost has.
    """

    name: str
    messages: int
    octets: int = 10_240
    connections: int = 50
    per_connection: int = 100
    recipients: int = 1
    tls: str = "implicit"


class System(Protocol):
    """A relay set up for the work: TLS, AUTH, a synced queue before 250, one DKIM RSA-2048 signature, one sink."""

    name: str

    @staticmethod
    def find_missing() -> list[str]:
        """Name what this machine lacks to run it; nothing if it can be run."""
        ...

    def start(self, folder: Path, sink_port: int) -> None:
        """Start, and return when it takes connections."""
        ...

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        ...

    def roots(self) -> list[int]:
        """The processes of which all its others are descendants."""
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


def make_signing_key(folder: Path) -> Path:
    """Make the RSA-2048 key for DKIM that a peer signs with."""
    key = folder / "dkim.key"
    command = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out"
    subprocess.run([*command.split(), key], check=True, capture_output=True)
    return key


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


def run_shape(system: System, shape: Shape, sink: Sink, folder: Path, *, rate: float = 0, drain: float = 120) -> Result:
    """Put one shape of load on a running system and wait until all it accepted has reached the sink.

    Args:
        rate: Messages a second that come whether or not the relay keeps up; 0 for as fast as it answers.
        drain: Seconds to wait for what it accepted.
    """
    sink.restart_count()
    with Footprint(system.roots) as footprint:
        load = _run_load(system, shape, folder, rate)
        figures = _wait_for_sink(sink, load["accepted"] * shape.recipients, drain)
    took = max(figures["last_at"] - load["began"], 1e-9)
    delivered = figures["recipients"] / shape.recipients
    return Result(
        accept_rate=load["accepted"] / load["seconds"],
        end_to_end_rate=delivered / took,
        accepted=load["accepted"],
        delivered=int(delivered),
        signatures=int(figures["signatures"]),
        refused=load["refused"],
        under_way_p50=figures["under_way_p50"],
        under_way_p99=figures["under_way_p99"],
        first_error=load["first_error"],
        processor_seconds=footprint.processor_seconds / max(delivered, 1),
        peak_resident=footprint.peak.resident,
        peak_proportional=footprint.peak.proportional,
    )


def _run_load(system: System, shape: Shape, folder: Path, rate: float) -> dict[str, Any]:
    command = _load_command(system, shape, folder, rate)
    patience = 600 + (shape.messages / rate if rate else 0)
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=patience)
    return dict(json.loads(done.stdout))


def _load_command(system: System, shape: Shape, folder: Path, rate: float) -> list[str]:
    return [
        str(folder / "load"),
        *("-n", str(shape.messages), "-s", str(shape.octets), "-c", str(shape.connections)),
        *("-k", str(shape.per_connection), "-r", str(shape.recipients), "-d", "1", "-t", shape.tls),
        *("-R", str(rate)),
        *system.arguments(shape),
    ]


def _wait_for_sink(sink: Sink, recipients: int, seconds: float) -> dict[str, float]:
    deadline = time.monotonic() + seconds
    figures = sink.read()
    while figures["recipients"] < recipients and time.monotonic() < deadline:
        time.sleep(0.1)
        figures = sink.read()
    return figures


def end_process(process: subprocess.Popen[bytes], *, seconds: float = 30) -> None:
    """Ask a process to end; insist after a while."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
