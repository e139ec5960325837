"""Faults in system calls of a running process, by strace's injection; and what is needed to use it."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


def is_usable() -> bool:
    """Whether strace is installed and we may trace other processes."""
    return shutil.which("strace") is not None and os.geteuid() == 0


@asynccontextmanager
async def injecting(
    pid: int, calls: str, fault: str, *, one_thread: bool = False, log: Path = Path("/dev/null")
) -> AsyncIterator[None]:
    """Inject a fault into the named system calls of a process, or of one of its threads, for the length of a block.

    Args:
        pid: The process; with ``one_thread`` the id of the thread.
        calls: Comma-separated names.
        fault: As strace wants it: ``error=ENOSPC``, ``signal=KILL:when=3``; numbers count for each thread and
            name of call.
        log: Takes the calls, one a line as they are made, with the paths of their files; for ``find_injected``.
    """
    threads = ["-p", str(pid)] if one_thread else ["-f", "-p", str(pid)]
    process = await asyncio.create_subprocess_exec(
        "strace", "-qq", "-y", *threads, "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"
    )
    try:
        await _wait_until_traced(pid, one_thread=one_thread)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)  # strace lets go of everything and ends
        await process.wait()


def find_injected(log: Path) -> list[str]:
    """Return the calls that got the fault so far."""
    return [line for line in log.read_text(errors="replace").splitlines() if line.endswith("(INJECTED)")]


async def _wait_until_traced(pid: int, *, one_thread: bool) -> None:
    async with asyncio.timeout(20):
        while True:
            tasks = [pid] if one_thread else thread_ids(pid)
            if all(_tracer_of(pid, task) for task in tasks):
                return
            await asyncio.sleep(0.01)


def thread_ids(pid: int) -> list[int]:
    """The threads of a process, the main one first."""
    return sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())


def _tracer_of(pid: int, task: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/task/{task}/status").read_text() if task != pid else _status(pid)
    except FileNotFoundError:
        return True  # it has ended meanwhile
    return "TracerPid:\t0\n" not in text


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
