"""A whole Gatepost: settings, account, key, verified domain, and ``gatepost serve`` with its real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.authority import make_authority_and_certificate
from tests.support.dns_zone import DNSZone
from tests.support.ports import free_port, wait_for_port

SOURCE = Path(__file__).parents[2] / "src"

SETTINGS = """
host_name = "relay.test"
state_dir = "{state_dir}"
{head}

[workers]
mail = {workers}

[[listeners]]
address = "127.0.0.1"
port = {starttls_port}
tls = "starttls"

[[listeners]]
address = "127.0.0.1"
port = {implicit_port}
tls = "implicit"

[api]
address = "127.0.0.1"
port = {api_port}
{api}

[tls]
certificate = "{certificate}"
private_key = "{private_key}"

[delivery]
nameservers = ["{nameserver}"]
{delivery}

[delivery.routes]
{routes}

[operations]
port = {operations_port}

{extra}
"""


_LOG_SHOWN = 20_000
"""Characters, of the end of the log, in the message of a failure."""

OWN_RECORDS = {("relay.test", "A"): ["127.0.0.1"]}


class Relay:
    """One installation in a folder of its own.

    Args:
        routes: Static routes, domain to ``host:port``.
        extra: More of the settings file.
        delivery: More of its table ``[delivery]``.
        api: More of its table ``[api]``.
        head: More of what stands before its tables.
        environment: More of the environment of its processes; ``PYTHONPATH`` goes before its own.
        state_dir: Where state rests, if not in the folder.
        resolver_for: Gives the address of the nameserver to ask, for that of the zone "test".
        template: Another installation, never started, whose account, key and domain are copied instead of made.
    """

    def __init__(
        self,
        folder: Path,
        routes: Mapping[str, str],
        *,
        workers: int = 2,
        extra: str = "",
        delivery: str = "",
        api: str = "",
        head: str = "",
        environment: Mapping[str, str] | None = None,
        state_dir: Path | None = None,
        template: "Relay | None" = None,
        resolver_for: Callable[[str], str] = lambda zone: zone,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state_dir = state_dir or folder / "state"
        self._environment = dict(environment or {})
        self.starttls_port, self.implicit_port, self.operations_port = free_port(), free_port(), free_port()
        self.api_port = free_port()
        self.ca_file, self.certificate, self.private_key = make_authority_and_certificate(folder)
        self.zone = DNSZone("test", OWN_RECORDS)
        self.records: dict[str, str]
        self.key: str
        self.config = folder / "gatepost.toml"
        self._log = folder / "gatepost.log"
        self._process: subprocess.Popen[bytes] | None = None
        settings = SETTINGS.format(
            state_dir=self.state_dir,
            workers=workers,
            starttls_port=self.starttls_port,
            implicit_port=self.implicit_port,
            operations_port=self.operations_port,
            api_port=self.api_port,
            certificate=self.certificate,
            private_key=self.private_key,
            nameserver=resolver_for(self.zone.address),
            routes="\n".join(f'"{domain}" = "{hop}"' for domain, hop in routes.items()),
            delivery=delivery,
            api=api,
            extra=extra,
            head=head,
        )
        self.config.write_text(settings)
        if template is not None:
            shutil.copytree(template.state_dir, self.state_dir, dirs_exist_ok=True)
            self.records, self.key = template.records, template.key
            return
        self.command("init")
        self.command("account", "create", "acme")
        self.records = self.authenticate_domain("example.test", "acme")
        self.key = self.make_key("acme", "tests")

    def authenticate_domain(self, name: str, account: str) -> dict[str, str]:
        """Claim, publish and verify a domain; return its TXT records by name."""
        records = json.loads(self.command("domain", "add", name, "--account", account, "--manual", "--json"))
        values = {record["name"]: record["value"] for record in records}
        self.zone.publish({**OWN_RECORDS, **{(name, "TXT"): [_quoted(value)] for name, value in values.items()}})
        self.command("domain", "verify", name, "--account", account)
        return values

    @property
    def api_url(self) -> str:
        """Where the HTTP API is; its certificate is of ``ca_file``."""
        return f"https://localhost:{self.api_port}"

    def make_key(self, account: str, name: str, *options: str) -> str:
        """Make an API key that may send."""
        created = self.command("key", "create", "--account", account, "--name", name, "--scope", "mail.send", *options)
        return created.strip()

    def command(self, *arguments: str, check: bool = True) -> str:
        """Run ``gatepost …`` and return what it printed; raises if it failed, unless ``check`` is off."""
        done = self.run(*arguments)
        if check and done.returncode:
            written = f"{done.stdout}{done.stderr}{self.log()[-_LOG_SHOWN:]}"
            raise AssertionError(f"gatepost {' '.join(arguments)}: {written}")
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``gatepost …`` whatever comes of it."""
        return subprocess.run(
            [*_GATEPOST, *arguments, *([] if "-c" in arguments else ["-c", str(self.config)])],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=_environment(self._environment),
        )

    def launch(self) -> None:
        """Start ``gatepost serve`` and wait for nothing."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_GATEPOST, "serve", "-c", str(self.config)],
                stdout=log,
                stderr=log,
                env=_environment(self._environment),
            )

    def start(self, *, within: float = 20) -> None:
        """Start ``gatepost serve`` and wait until every listener takes connections, each for so many seconds."""
        self.launch()
        try:
            for port in (self.starttls_port, self.implicit_port, self.operations_port, self.api_port):
                wait_for_port(port, seconds=within)
            self.wait_until_ready()
        except TimeoutError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.log()[-_LOG_SHOWN:]}") from error

    def stop(self, *, number: signal.Signals = signal.SIGTERM) -> int:
        """End the service and return its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(60)
        self._process = None
        return status

    def reload(self) -> None:
        """Have certificates and settings read again; that this has happened is to be looked for."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def replace_workers(self) -> None:
        """Have every process replaced by a new one; that this has happened is to be looked for."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR2)

    def kill_supervisor(self) -> None:
        """Kill it, and leave its children to themselves."""
        assert self._process is not None
        self._process.kill()
        self.reap()

    def reap(self) -> None:
        """Take note that the service was killed."""
        if self._process is not None:
            self._process.wait(60)
            self._process = None

    @property
    def process_id(self) -> int:
        """Of the supervisor."""
        assert self._process is not None, "the relay is not running"
        return self._process.pid

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.zone.stop()

    def get(self, path: str) -> tuple[int, str]:
        """Ask the operations address; return status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.operations_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log(self) -> str:
        """What the service wrote."""
        return self._log.read_text() if self._log.exists() else ""

    def log_lines(self) -> list[dict[str, Any]]:
        """The same, parsed."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def wait_until_ready(self) -> None:
        """Wait until the service says that it is."""
        deadline = time.monotonic() + 30
        while (answer := self._readiness()) != "ready":
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready: {answer}")
            time.sleep(0.05)

    def _readiness(self) -> str:
        try:
            status, text = self.get("/health/ready")
        except OSError as error:
            # The processes of an earlier service may have held the port until now.
            return str(error)
        return "ready" if status == 200 else text


_GATEPOST = [sys.executable, "-m", "gatepost"]


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join([*filter(None, [more.get("PYTHONPATH")]), str(SOURCE)])
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more, "PYTHONPATH": path}


def _quoted(value: str) -> str:
    return " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
