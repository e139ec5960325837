"""A real PostgreSQL in a folder of its own, reached by a socket there; the machine's own, if any, is left alone."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 30.0


def find_postgresql() -> Path | None:
    """The folder of the newest server's programs: Debian keeps them outside PATH."""
    versions = sorted((path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()), key=_version)
    if versions:
        return versions[-1]
    program = shutil.which("initdb")
    return Path(program).resolve().parent if program else None


class PostgresqlServer:
    """One server, which keeps its promise to flush.

    Args:
        programs: Where initdb and postgres are.
        folder: Empty, short, and open to other users: the server refuses to be root, and is nobody then.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        self._identity = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        if self._identity:
            shutil.chown(folder, "nobody", "nogroup")
        self._count = 0
        self._frozen: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", "gatepost", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()

    def start(self) -> None:
        settings = {
            "listen_addresses": "", "unix_socket_directories": self._folder, "max_connections": 40,
            "log_min_messages": "panic", "shared_buffers": "16MB", "autovacuum": "off",
        }  # fmt: skip
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, **self._identity,
            )  # fmt: skip
        end = time.monotonic() + _START_SECONDS
        while self._try("SELECT 1") != 0:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT closes every connection and writes all down, SIGQUIT leaves it as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_SECONDS)
            self._process = None

    def restart_as(self, *, is_standby: bool) -> None:
        """Start it anew as a standby, which only reads, or as what it was."""
        self.stop()
        mark = self._data / "standby.signal"
        if is_standby:
            mark.touch()
        else:
            mark.unlink()
        self.start()

    def freeze(self) -> None:
        """Let every process of it stand still, as on a machine whose disk hangs: it takes connections, and no more."""
        assert self._process is not None
        self._frozen = [self._process.pid, *_children(self._process.pid)]
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on; does nothing if they do."""
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as the server's administrator; return what psql prints."""
        return self._run(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self._folder), "-U", "gatepost",
            "-d", database, "-c", statement,
        )  # fmt: skip

    def configure(self, setting: str, value: str) -> None:
        """Change a setting of the running server; returns when new connections have it."""
        self.execute(f"ALTER SYSTEM SET {setting} = {value}")
        self.execute("SELECT pg_reload_conf()")
        end = time.monotonic() + _START_SECONDS
        while self.execute(f"SHOW {setting}").strip() != value:
            assert time.monotonic() < end, f"{setting} did not become {value}"
            time.sleep(0.02)

    def create_database(self, template: str = "template0") -> str:
        """Make a database like another; return its name."""
        self._count += 1
        name = f"gatepost_{self._count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove it, whoever is connected."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str) -> str:
        """Return the ``database_url`` of a database."""
        return f"postgresql+psycopg://gatepost@/{database}?host={quote(str(self._folder), safe='')}"

    def dump_data(self, database: str) -> str:
        """Return every row of every table as SQL, octets in hexadecimal."""
        return self._run("pg_dump", "-a", "--inserts", "-h", str(self._folder), "-U", "gatepost", database)

    def dump_schema(self, database: str) -> str:
        """Return what pg_dump says the tables are, without Alembic's and without the nonce of each dump."""
        dump = self._run(
            "pg_dump", "-s", "-O", "-T", "alembic_version", "-h", str(self._folder), "-U", "gatepost", database
        )
        return "\n".join(line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))

    def _try(self, statement: str) -> int:
        return subprocess.run(
            [self._programs / "psql", "-X", "-h", self._folder, "-U", "gatepost", "-d", "postgres", "-c", statement],
            capture_output=True, timeout=60,
        ).returncode  # fmt: skip

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True, text=True, timeout=60, cwd=self._folder, **self._identity,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _version(path: Path) -> int:
    return int(path.parent.name) if path.parent.name.isdigit() else 0
