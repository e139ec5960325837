"""What silent sessions cost: many TLS connections, authenticated, that do nothing; and the memory they hold."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks.footprint import MIB, read_memory
from benchmarks.rig import Shape, Sink, System, run_shape

WARM_UP = Shape(name="warm-up", messages=200)


def run_idle(system: System, sink: Sink, folder: Path, *, sessions: int) -> int:
    """Open the sessions, read the memory before and with them, and print both; return an exit status."""
    shape = replace(WARM_UP, connections=10)
    run_shape(system, shape, sink, folder)
    before = read_memory(system.roots())
    command = [str(folder / "load"), "-i", str(sessions), "-t", shape.tls, *system.arguments(shape)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        opened = json.loads(load.stdout.readline())
        held = read_memory(system.roots())
        load.stdin.close()
        alive = json.loads(load.stdout.readline())["alive"]
    print(f"{opened['open']} sessions open, {alive} of them alive after the look; {opened['first_error']}")
    print(f"memory before  {_describe(before.resident, before.proportional)}")
    print(f"memory with    {_describe(held.resident, held.proportional)}")
    print(f"one session    {(held.proportional - before.proportional) / max(1, opened['open']) / 1024:.1f} KiB")
    return 0 if alive == sessions else 1


def _describe(resident: int, proportional: int) -> str:
    return f"{resident / MIB:6.0f} MiB RSS of all processes, {proportional / MIB:6.0f} MiB with shared pages divided"
