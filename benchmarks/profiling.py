"""``--profile``: what each stage of a message's life costs, by py-spy's samples of the mail workers under load."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from benchmarks.gatepost import Gatepost
from benchmarks.rig import Shape, Sink, run_shape
from benchmarks.stages import render_stages, share_out

SAMPLES_A_SECOND = 250
ATTACH_SECONDS = 1.5


def find_missing() -> str:
    """Name what this machine lacks; "" if nothing."""
    return "" if shutil.which("py-spy") else "py-spy (pip install py-spy; it needs the right to trace, as root has)"


def run_profile(gatepost: Gatepost, shape: Shape, sink: Sink, folder: Path) -> int:
    """Measure a run without py-spy, sample a second one, print the table."""
    run_shape(gatepost, shape, sink, folder)
    plain = run_shape(gatepost, shape, sink, folder)
    workers = find_mail_workers(gatepost.roots()[0])
    samplers = {worker: _start_sampler(worker, folder / f"samples-{worker}") for worker in workers}
    time.sleep(ATTACH_SECONDS)
    before = {worker: read_thread_seconds(worker) for worker in workers}
    run_shape(gatepost, shape, sink, folder)
    spent: Counter[str] = Counter()
    for worker, sampler in samplers.items():
        earlier = before[worker]
        seconds = {thread: now - earlier.get(thread, 0) for thread, now in read_thread_seconds(worker).items()}
        sampler.send_signal(signal.SIGINT)
        sampler.wait(60)
        spent.update(share_out((folder / f"samples-{worker}").read_text().splitlines(), seconds))
    print(f"\n{shape.name}: {plain.processor_seconds * 1e3:.3f} ms of processor time a message")
    print(render_stages(spent, plain.processor_seconds))
    return 0


def find_mail_workers(supervisor: int) -> list[int]:
    """Return the processes of a supervisor that take and deliver mail."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(child) for child in children if b"\0mail\0" in Path(f"/proc/{child}/cmdline").read_bytes()]


def read_thread_seconds(process: int) -> dict[int, float]:
    """Return the processor seconds of each thread of a process, by its id (proc(5): utime and stime)."""
    tick = os.sysconf("SC_CLK_TCK")
    seconds: dict[int, float] = {}
    for place in Path(f"/proc/{process}/task").iterdir():
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        seconds[int(place.name)] = (int(fields[11]) + int(fields[12])) / tick
    return seconds


def _start_sampler(worker: int, place: Path) -> subprocess.Popen[bytes]:
    command = ["py-spy", "record", "--format", "raw", "--threads", "--rate", str(SAMPLES_A_SECOND), "--duration", "600"]
    return subprocess.Popen(
        [*command, "--pid", str(worker), "--output", str(place)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
