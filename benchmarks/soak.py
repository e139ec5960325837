"""Does memory grow? Half of the measured rate for many minutes, with a look at every process each ten seconds."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from benchmarks.footprint import MIB, find_tree
from benchmarks.results import Result, find_slope
from benchmarks.rig import Shape, Sink, System, run_shape

PAUSE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One process at one moment.

    Attributes:
        seconds: Since the start of the soak.
        resident: Octets.
    """

    seconds: float
    resident: int
    files: int


def run_soak(system: System, shape: Shape, sink: Sink, folder: Path, *, minutes: float) -> int:
    """Run, print a line for every process, and return an exit status: 1 if a message was lost or refused."""
    rate = run_shape(system, shape, sink, folder).end_to_end_rate / 2
    long_shape = replace(shape, messages=max(1, int(rate * minutes * 60)))
    results: list[Result] = []
    load = threading.Thread(target=lambda: results.append(run_shape(system, long_shape, sink, folder, rate=rate)))
    print(f"{long_shape.messages} messages at {rate:.0f}/s", flush=True)
    load.start()
    looks = _watch(system, load)
    load.join()
    if not results:
        return 1
    result = results[0]
    print(f"lost {result.lost}   refused {result.refused}   signed {result.signatures}   {result.first_error}")
    print(f"under way p50 {result.under_way_p50:.3f} s, p99 {result.under_way_p99:.3f} s")
    for process, of_process in looks.items():
        print(describe(process, of_process))
    return 1 if result.lost or result.refused else 0


def _watch(system: System, load: threading.Thread) -> dict[str, list[Look]]:
    looks: dict[str, list[Look]] = defaultdict(list)
    began = time.monotonic()
    while load.is_alive():
        for process in find_tree(system.roots()):
            try:
                name = f"{process.pid} {_find_role(process.cmdline())}"
                resident, files = process.memory_info().rss, process.num_fds()
            except psutil.NoSuchProcess:
                continue
            looks[name].append(Look(seconds=time.monotonic() - began, resident=resident, files=files))
        load.join(PAUSE_SECONDS)
    return looks


def _find_role(command: Sequence[str]) -> str:
    """What follows the program's name, without options: ``worker mail``."""
    words = list(command)
    after = words[words.index("gatepost") + 1 :] if "gatepost" in words else words
    return " ".join(word for word in after if not word.startswith(("-", "/")))


def describe(process: str, looks: Sequence[Look]) -> str:
    """One line: memory and files at the start, at the end, at most, and the slope after the first quarter (warm-up)."""
    settled = looks[len(looks) // 4 :]
    slope = find_slope([(look.seconds / 3600, look.resident / MIB) for look in settled])
    first, last = looks[0], looks[-1]
    return (
        f"{process:20} RSS {first.resident / MIB:.0f} -> {last.resident / MIB:.0f} MiB, at most "
        f"{max(look.resident for look in looks) / MIB:.0f}, {slope:+.1f} MiB/h over {len(settled)} looks; "
        f"files {first.files} -> {last.files}, at most {max(look.files for look in looks)}"
    )
