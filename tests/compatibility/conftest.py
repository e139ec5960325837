"""Programs of others, a real relay, and a real receiving Postfix.

A test that needs a program is skipped where it is missing, with a line that names it; where nothing may be skipped
(``GATEPOST_NO_SKIPS``, set by continuous integration) it fails.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support.ports import free_port
from tests.support.postfix_instance import find_program
from tests.support.receiving_mx import ReceivingMX
from tests.support.relay import Relay

RequireProgram = Callable[[str], str]


@pytest.fixture(scope="session")
def requires_program() -> RequireProgram:
    """Return the path of a program; skip the test without it, or fail it where nothing may be skipped."""

    def find(name: str) -> str:
        path = find_program(name)
        if path is None:
            missing(name)
        return str(path)

    return find


def missing(what: str) -> None:
    """Skip the test for want of something, or fail it where nothing may be skipped."""
    if os.environ.get("GATEPOST_NO_SKIPS"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory, requires_program: RequireProgram) -> Path:
    """Where the pinned Node.js libraries are installed, beside the scripts that use them."""
    npm = requires_program("npm")
    folder = tmp_path_factory.mktemp("node")
    for file in (Path(__file__).parent / "node").iterdir():
        if file.suffix in (".json", ".cjs"):
            shutil.copy(file, folder)
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=110)
    if done.returncode:
        missing(f"the Node.js libraries, which npm could not fetch: {done.stderr.strip()[-500:]}")
    return folder


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that Postfix's own user may enter: pytest's are for the tester alone."""
    with TemporaryDirectory(prefix="gatepost-compatibility-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def mail_path(folder: Path, requires_program: RequireProgram) -> Iterator[tuple[Relay, ReceivingMX]]:
    """A running relay and the receiving MX it delivers to."""
    for program in ("postfix", "opendkim"):
        requires_program(program)
    if os.geteuid() != 0:
        missing("root, to run a Postfix")
    port = free_port()
    relay = Relay(folder / "relay", {"dest.test": f"127.0.0.1:{port}"})
    try:
        receiver = ReceivingMX(folder / "receiver", relay.records, port=port)
        try:
            relay.start()
            yield relay, receiver
        finally:
            receiver.stop()
    finally:
        relay.close()


@pytest.fixture
def relay(mail_path: tuple[Relay, ReceivingMX]) -> Relay:
    """The running relay."""
    return mail_path[0]


@pytest.fixture
def receiver(mail_path: tuple[Relay, ReceivingMX]) -> ReceivingMX:
    """Where its mail arrives."""
    return mail_path[1]
