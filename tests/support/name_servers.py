"""Name servers that others wrote, run by tests: Debian's nsd and knot."""

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
from tests.support.ports import free_port

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
"""Of the TSIG key ``gatepost``, hmac-sha256, that knot takes."""


def program(name: str, package: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return path


@contextmanager
def running(*command: str, port: int, log: Path) -> Iterator[None]:
    """Run a name server until it answers at all, and stop it afterwards."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                dns.query.udp(dns.message.make_query("wl.example.test", "SOA"), "127.0.0.1", port=port, timeout=0.5)
                break
            except (dns.exception.Timeout, OSError):
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def running_knot(folder: Path, zone: str) -> Iterator[int]:
    """Run a knot that lets one key transfer and update the zone; give its port."""
    port = free_port()
    (folder / "db").mkdir()
    (folder / f"{zone}.zone").write_text(
        "@ 60 SOA ns.knot.test. admin.knot.test. 1 3600 600 604800 60\n@ 60 NS ns.knot.test.\n"
    )
    (folder / "knot.conf").write_text(
        f"""
server:
  listen: 127.0.0.1@{port}
  rundir: "{folder}"
  user: root:root
database:
  storage: "{folder}/db"
log:
  - target: stderr
    any: info
key:
  - id: gatepost
    algorithm: hmac-sha256
    secret: {SECRET}
acl:
  - id: push
    key: gatepost
    action: [transfer, update]
zone:
  - domain: {zone}
    storage: "{folder}"
    acl: push
"""
    )
    command = (program("knotd", "knot"), "-c", str(folder / "knot.conf"))
    with running(*command, port=port, log=folder / "log"):
        yield port
