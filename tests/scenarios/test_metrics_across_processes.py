import subprocess
import sys


def test_processes_count_into_one_directory(tmp_path):
    count = (
        "from gatepost.telemetry.metrics import Metrics\n"
        "m = Metrics(); m.recipients_accepted.add(amount=2); m.sessions.set(3); m.flush()"
    )
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True, timeout=60)

    read = (
        "from gatepost.entrypoints.operations.metrics import expose\n"
        f"from pathlib import Path; print(expose(Path({str(tmp_path)!r})).decode())"
    )
    text = subprocess.run(
        [sys.executable, "-c", read], env=environment, check=True, timeout=60, capture_output=True, text=True
    ).stdout
    assert "gatepost_recipients_accepted_total 4.0" in text
    assert "gatepost_sessions 6.0" in text
