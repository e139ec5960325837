"""Haraka with its DKIM plugin, from npm, set up for the same work as Gatepost.

Its queue file is written, synced and renamed before 250 (the folder is not synced: Haraka has no setting for it). Of
its plugins only those the work needs are on; the destination is given by a plugin with the hook ``get_mx``, as Haraka's
page on outbound mail says. None of its packages needs a compiler.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.ports import free_port, wait_for_port

from benchmarks.rig import DESTINATION_CONNECTIONS, HERE, Shape, end_process, make_certificate, make_signing_key

CACHE = "GATEPOST_BENCHMARK_CACHE"
USER, PASSWORD = "load@example.test", "benchmark-password"

SMTP_INI = """
listen=127.0.0.1:{starttls_port},127.0.0.1:{implicit_port}
smtps_port={implicit_port}
nodes={nodes}
"""

AUTH_INI = f"""
[core]
methods=PLAIN,LOGIN

[users]
{USER}={PASSWORD}
"""

DKIM_INI = """
[sign]
enabled = true
selector = s1
domain = example.test
headers = From, Reply-To, Subject, Date, Message-ID, To, Cc, MIME-Version, Content-Type

[canon]
body = relaxed

[verify]
enabled = false
"""

OUTBOUND_INI = """
concurrency_max={concurrency}
local_mx_ok=true
"""

ROUTE = """
exports.hook_get_mx = function (next) {{
  next(OK, {{ priority: 0, exchange: '127.0.0.1', port: {sink_port} }})
}}
"""


def find_cache() -> Path:
    """Where its packages are kept: a folder outside the checkout, the same from run to run."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(CACHE) or Path(home) / "gatepost-benchmarks")


def install() -> Path:
    """Install Haraka as ``package-lock.json`` pins it, unless it is there; return the folder of its packages."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = find_cache() / f"haraka-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        find_cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=find_cache(), ignore_cleanup_errors=True) as name:
            _install_into(Path(name) / "haraka")
            (Path(name) / "haraka").rename(folder)
    return folder / "node_modules"


def _install_into(folder: Path) -> None:
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"npm ci failed: {done.stderr}")


class Haraka:
    """One process a core, and its master."""

    name = "Haraka + DKIM plugin"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starttls_port = self._implicit_port = 0

    @staticmethod
    def find_missing() -> list[str]:
        """Name what is not installed."""
        return [f"{program} (Node.js)" for program in ("node", "npm") if shutil.which(program) is None]

    def start(self, folder: Path, sink_port: int) -> None:
        """Write its folder of configuration and start it."""
        modules = install()
        self._starttls_port, self._implicit_port = free_port(), free_port()
        self._write_configuration(folder, modules, sink_port)
        program = modules / "Haraka" / "bin" / "haraka"
        with (folder / "haraka.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["node", program, "-c", folder], stdout=log, stderr=log, env={**os.environ, "NODE_ENV": "production"}
            )
        wait_for_port(self._starttls_port)
        wait_for_port(self._implicit_port)

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        port = self._implicit_port if shape.tls == "implicit" else self._starttls_port
        return ["-p", str(port), "-u", USER, "-w", PASSWORD]

    def roots(self) -> list[int]:
        """The master."""
        assert self._process is not None
        return [self._process.pid]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end_process(self._process)
            self._process = None

    def _write_configuration(self, folder: Path, modules: Path, sink_port: int) -> None:
        shutil.copytree(modules / "Haraka" / "config", folder / "config")  # as `haraka --install` does
        for name in ("plugins", "queue"):
            (folder / name).mkdir()
        (folder / "node_modules").symlink_to(modules)
        nodes = os.cpu_count() or 1
        certificate, key = make_certificate(folder)
        ports = {"starttls_port": self._starttls_port, "implicit_port": self._implicit_port}
        files = {
            "me": "haraka.test\n",
            "plugins": "tls\nauth/flat_file\ndkim\nto_sink\n",
            "smtp.ini": SMTP_INI.format(**ports, nodes=nodes),
            "log.ini": "[main]\nlevel=warn\n",
            "tls.ini": "key=tls_key.pem\ncert=tls_cert.pem\n",
            "tls_key.pem": key.read_text(),
            "tls_cert.pem": certificate.read_text(),
            "dhparams.pem": _make_group(),
            "auth_flat_file.ini": AUTH_INI,
            "dkim.ini": DKIM_INI,
            "dkim.private.key": make_signing_key(folder).read_text(),
            "outbound.ini": OUTBOUND_INI.format(concurrency=max(1, DESTINATION_CONNECTIONS // nodes)),
        }
        for name, text in files.items():
            (folder / "config" / name).write_text(text)
        (folder / "plugins" / "to_sink.js").write_text(ROUTE.format(sink_port=sink_port))


def _make_group() -> str:
    """A group for Diffie-Hellman, or Haraka looks for one of its own while it is being measured."""
    command = "openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048"
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout
