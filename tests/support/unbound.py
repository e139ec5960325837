"""Debian's unbound as a recursive resolver on loopback that remembers nothing."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
from tests.support.ports import free_port


class Unbound:
    """Runs until ``stop``; ``zones`` are the zones that it asks certain servers for, ``host:port``."""

    def __init__(self, folder: Path, zones: Mapping[str, str]) -> None:
        program = shutil.which("unbound") or shutil.which("unbound", path="/usr/sbin")
        if program is None:
            pytest.skip("unbound is not installed")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        stubs = [
            f'stub-zone:\n  name: "{zone}"\n  stub-addr: {address.replace(":", "@")}\n  stub-prime: no\n'
            for zone, address in zones.items()
        ]
        config = folder / "unbound.conf"
        config.write_text(_CONFIG.format(port=self.port, folder=folder) + "".join(stubs))
        with (folder / "unbound.log").open("wb") as log:
            self._process = subprocess.Popen([program, "-d", "-c", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, (folder / "unbound.log").read_text()
            assert time.monotonic() < deadline, "unbound does not answer"
            time.sleep(0.05)

    def texts(self, name: str) -> list[bytes]:
        """Ask for TXT records, as a receiver does."""
        query = dns.message.make_query(name, "TXT")
        response, _ = dns.query.udp_with_fallback(query, "127.0.0.1", port=self.port, timeout=10)
        answer = response.resolve_chaining().answer
        return [b"".join(record.strings) for record in answer] if answer else []

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)

    def _answers(self) -> bool:
        try:
            dns.query.udp(dns.message.make_query("localhost", "A"), "127.0.0.1", port=self.port, timeout=0.5)
        except (dns.exception.Timeout, OSError):
            return False
        return True


_CONFIG = """
server:
  interface: 127.0.0.1@{port}
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{folder}"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  local-zone: "test." transparent
"""
