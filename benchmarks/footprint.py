"""What a system costs: processor time and memory of all its processes, read from outside."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a tree of processes, in octets.

    Attributes:
        resident: The sum of each process's resident memory; what several processes share counts once for each.
        proportional: The same with every shared page divided among those that share it: what the tree costs.
    """

    resident: int = 0
    proportional: int = 0


def find_tree(roots: Sequence[int]) -> list[psutil.Process]:
    """Return the processes and all their descendants that live."""
    found: dict[int, psutil.Process] = {}
    for root in roots:
        try:
            process = psutil.Process(root)
            found |= {each.pid: each for each in (process, *process.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    return list(found.values())


def read_processor_seconds(roots: Sequence[int]) -> float:
    """Return the processor time the tree has used so far, with that of children which have ended and been reaped."""
    total = 0.0
    for process in find_tree(roots):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def read_memory(roots: Sequence[int]) -> Memory:
    """Return what the tree holds at the moment."""
    resident = proportional = 0
    for process in find_tree(roots):
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = {line.split(":")[0]: line.split()[1] for line in rollup.splitlines()[1:]}
        resident += int(fields["Rss"]) * 1024
        proportional += int(fields["Pss"]) * 1024
    return Memory(resident=resident, proportional=proportional)


class Footprint:
    """Watches a system for the length of a block; afterwards its figures are those of the block.

    Attributes:
        processor_seconds: Processor time used within.
        peak: The most memory seen at one look; there is a look every ``pause`` seconds.
    """

    def __init__(self, roots: Callable[[], Sequence[int]], *, pause: float = 0.5) -> None:
        self.processor_seconds = 0.0
        self.peak = Memory()
        self._roots, self._pause = roots, pause
        self._before = 0.0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Footprint":
        self._before = read_processor_seconds(self._roots())
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watcher.join()
        self._look()
        self.processor_seconds = read_processor_seconds(self._roots()) - self._before

    def _watch(self) -> None:
        while not self._ended.wait(self._pause):
            self._look()

    def _look(self) -> None:
        memory = read_memory(self._roots())
        self.peak = Memory(
            resident=max(self.peak.resident, memory.resident),
            proportional=max(self.peak.proportional, memory.proportional),
        )
