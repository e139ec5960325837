"""``gatepost demo`` as a newcomer runs it."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

STEPS = [
    "certificates", "local DNS", "inbox", "settings", "account", "sending domain", "API key", "relay",
    "connected", "TLS", "AUTH", "author check", "accepted", "durable", "DKIM rsa", "DKIM ed25519", "SPF", "delivered",
    "TLS to the MX", "books", "From", "refused", "books",
]  # fmt: skip


def start(folder: Path, *options: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "gatepost", "demo", "--free-ports", "--folder", str(folder / "demo"), *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUTF8": "1", **environment},
    )


def children(pid: int) -> set[int]:
    """All processes below one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def wait_until_gone(pids: set[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while alive(pids):
        assert time.monotonic() < deadline, alive(pids)
        time.sleep(0.05)


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it ended without saying {text!r}:\n{said}\n{process.stderr.read()}")


def test_every_step_is_ticked_and_everything_has_ended(tmp_path: Path) -> None:
    # A setting meant for another relay must not reach this one.
    process = start(tmp_path, "--once", GATEPOST_HOST_NAME="other.example")

    said, complaints = process.communicate(timeout=60)

    assert (process.returncode, complaints) == (0, ""), said
    assert re.findall(r"^  ✓ (.{15})", said, re.MULTILINE) == [f"{step:<15}" for step in STEPS], said
    assert "✗" not in said
    assert re.search(r"TLS +TLSv1\.3, TLS_\w+", said)
    assert re.search(r"accepted +250 2\.0\.0 Ok: queued as [\w-]{22}\b", said)
    assert re.search(r"refused +550 5\.7\.1 The from address does not match a verified Sender Identity\.", said)
    assert "220 relay.test" in said
    assert max(map(len, said.splitlines())) <= 100
    assert "SG." not in said, "a secret that nobody needs any more"
    assert sorted(path.name for path in (tmp_path / "demo" / "inbox").iterdir()) == ["1.eml", "1.json"]
    assert "Traceback" not in (tmp_path / "demo" / "gatepost.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_running_demo_and_all_its_children(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    read_until(process, "What happens to mail from now on")
    below = children(process.pid)
    assert len(below) >= 4  # the supervisor, two mail workers, the web worker

    process.send_signal(number)

    said, complaints = process.communicate(timeout=15)
    assert (process.returncode, complaints) == (0, ""), said
    wait_until_gone(below, 1)


def test_pasted_lines_send_a_message_that_the_pages_show(tmp_path: Path) -> None:
    process = start(tmp_path)
    said = read_until(process, "What happens to mail from now on")
    lines = re.search(r"^python3 - <<'END'\n(.*?)^END$", said, re.MULTILINE | re.DOTALL)[1]
    pages_port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", said)[1])

    subprocess.run([sys.executable, "-"], input=lines, cwd=tmp_path, check=True, text=True, timeout=30)

    assert "delivered    bob@inbox.test " in read_until(process, "message 2 of the inbox")
    with closing(http.client.HTTPConnection("127.0.0.1", pages_port, timeout=10)) as connection:
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
    process.terminate()
    process.communicate(timeout=15)
    assert ("From Python" in page, page.count("DKIM ed25519 pass"), page.count("SPF pass")) == (True, 2, 2)


def test_children_end_even_if_the_demo_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path)
    read_until(process, "What happens to mail from now on")
    below = children(process.pid)

    process.kill()
    process.communicate(timeout=15)

    wait_until_gone(below, 15)


def test_signal_ends_a_demo_that_is_still_starting(tmp_path: Path) -> None:
    process = start(tmp_path)
    read_until(process, "API key")
    below = children(process.pid)

    process.terminate()

    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    wait_until_gone(below, 1)


def test_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("years of work")

    process = start(tmp_path, "--once")
    _, complaints = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "name another folder with --folder" in complaints
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "years of work"
