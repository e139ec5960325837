"""A block device whose disk is an nbdkit plugin: nbdfuse shows it as a file, a loop device makes a device of that."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("nbdkit", "nbdfuse", "fusermount3", "losetup", "mkfs.ext4", "e2fsck")
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_ENVIRON = {**os.environ, "PATH": _PATH}


def is_usable() -> bool:
    """Whether the programs are installed, and we may mount."""
    has_all = all(shutil.which(program, path=_PATH) for program in PROGRAMS)
    return has_all and os.geteuid() == 0 and Path("/dev/fuse").exists() and Path("/dev/loop-control").exists()


@contextmanager
def block_device(folder: Path, *plugin: str) -> Iterator[str]:
    """Make a device of a plugin, named with its filters and parameters, for the length of a block; yields its path."""
    shown, socket = folder / "nbd", folder / "socket"
    shown.mkdir()
    disk = subprocess.Popen(["nbdkit", "-f", "-U", str(socket), *plugin], stderr=subprocess.DEVNULL)
    _wait_for(socket)
    view = subprocess.Popen(["nbdfuse", str(shown), "--unix", str(socket)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(shown / "nbd")
        device = run_program("losetup", "-f", "--show", str(shown / "nbd")).strip()
        try:
            yield device
        finally:
            run_program("losetup", "-d", device)
    finally:
        subprocess.run(["fusermount3", "-u", str(shown)], check=False)
        view.wait(20)
        disk.send_signal(signal.SIGTERM)
        disk.wait(20)


def make_ext4(device: str, *, has_journal: bool = True) -> None:
    """Make a file system, whole: nothing is put off, as it would be written while we measure."""
    # No discards: a recording disk keeps nothing of them. Nothing is reserved: a small disk is used up to its end.
    extended = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    journal = "has_journal" if has_journal else "^has_journal"
    run_program("mkfs.ext4", "-q", "-F", "-m", "0", "-O", journal, "-E", extended, device)


@contextmanager
def mounted(device: str, place: Path, *options: str) -> Iterator[Path]:
    """Mount a device, or a file with ``-o loop``, for the length of a block."""
    place.mkdir(exist_ok=True)
    run_program("mount", *options, device, str(place))
    try:
        yield place
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    """Unmount; again for a while if it is busy: of a process that was killed, files may be closed a moment later."""
    deadline = time.monotonic() + 10
    while True:
        try:
            run_program("umount", str(place))
        except RuntimeError as error:
            if "busy" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def repair(device: str) -> None:
    """Have a file system checked as a machine does that comes up again.

    Raises:
        RuntimeError: It is beyond what an unattended check mends.
    """
    checked = subprocess.run(["e2fsck", "-p", device], check=False, capture_output=True, text=True, env=_ENVIRON)
    if checked.returncode > 1:
        raise RuntimeError(checked.stdout.strip()[-300:])


def run_program(*command: str) -> str:
    """Run a program that must succeed; return what it printed."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_ENVIRON)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with suppress(OSError):
            if path.exists():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear")
        time.sleep(0.02)
