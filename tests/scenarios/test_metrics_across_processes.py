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


def test_files_of_counts_have_their_blocks_before_the_disk_is_full(tmp_path):
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}

    subprocess.run(
        [sys.executable, "-c", "from gatepost.telemetry.metrics import Metrics; Metrics()"],
        env=environment, check=True, timeout=60,
    )  # fmt: skip

    files = [path.stat() for path in tmp_path.iterdir()]
    assert files
    assert all(file.st_blocks * 512 >= file.st_size for file in files)
