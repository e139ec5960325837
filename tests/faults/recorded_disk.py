"""An ext4 file system on a disk that records every write and flush, and what that disk may hold after a power cut.

nbdkit (``hooks/recording_disk.py``) is the disk, nbdfuse shows it as a file, a loop device makes a block device of it.
A write that was answered before a flush is kept once that flush is answered; of the others any may be kept, lost, or
cut at a sector.
"""

import os
import random
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
PLUGIN = Path(__file__).parent / "hooks" / "recording_disk.py"
PROGRAMS = ("nbdkit", "nbdfuse", "fusermount3", "losetup", "mkfs.ext4", "e2fsck")
_HEAD = struct.Struct("<cxxxIQd")


def is_usable() -> bool:
    """Whether the programs are installed, and we may mount."""
    has_all = all(shutil.which(program, path=_PATH) for program in PROGRAMS)
    return has_all and os.geteuid() == 0 and Path("/dev/fuse").exists() and Path("/dev/loop-control").exists()


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Record:
    """A write, or a flush if ``data`` is None; ``at`` in seconds of the monotonic clock."""

    at: float
    offset: int
    data: bytes | None


@contextmanager
def recorded_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a new file system on such a disk for the length of a block; its record is ``folder/record``."""
    shown, place = folder / "nbd", folder / "mounted"
    shown.mkdir()
    place.mkdir()
    socket, log = folder / "socket", folder / "record"
    disk = subprocess.Popen(
        ["nbdkit", "-f", "-U", str(socket), "python", str(PLUGIN), f"log={log}", f"size={mebibytes << 20}"]
    )
    _wait_for(socket)
    view = subprocess.Popen(["nbdfuse", str(shown), "--unix", str(socket)])
    try:
        _wait_for(shown / "nbd")
        device = _run("losetup", "-f", "--show", str(shown / "nbd")).strip()
        try:
            # No discards: the disk keeps nothing of them. Nothing is put off: it would be written while we measure.
            _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", device)
            _run("mount", device, str(place))
            try:
                yield place
            finally:
                _run("umount", str(place))
        finally:
            _run("losetup", "-d", device)
    finally:
        subprocess.run(["fusermount3", "-u", str(shown)], check=False)
        view.wait(20)
        disk.send_signal(signal.SIGTERM)
        disk.wait(20)


def read_records(log: Path) -> Iterator[Record]:
    """Read what a disk wrote down."""
    with log.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            kind, length, offset, at = _HEAD.unpack(head)
            yield Record(at, offset, file.read(length) if kind == b"W" else None)


class RecordedDisk:
    """Follows the record; at any moment it can say what a power cut may leave."""

    def __init__(self, size_octets: int) -> None:
        self._durable = bytearray(size_octets)
        self._pending: list[Record] = []

    def follow(self, record: Record) -> None:
        """Take note of one record."""
        if record.data is not None:
            self._pending.append(record)
            return
        for written in self._pending:
            _apply(self._durable, written.offset, written.data or b"")
        self._pending.clear()

    def cut(self, chance: random.Random) -> bytearray:
        """Return the octets of one state that a power cut at this moment may leave."""
        share = chance.choice([0.0, 1.0, 0.5, 0.5, 0.9, 0.1])
        octets = bytearray(self._durable)
        for written in self._pending:
            if chance.random() < share:
                data = written.data or b""
                sectors = len(data) // SECTOR
                if sectors > 1 and share < 1.0 and chance.random() < 0.3:
                    data = data[: SECTOR * chance.randrange(1, sectors)]
                _apply(octets, written.offset, data)
        return octets


@contextmanager
def mounted_image(octets: bytearray, folder: Path) -> Iterator[Path]:
    """Mount a state after a cut, as the machine that comes up again does, for the length of a block.

    Raises:
        RuntimeError: The file system is beyond what an unattended check mends.
    """
    image, place = folder / "image", folder / "after"
    place.mkdir(exist_ok=True)
    image.write_bytes(octets)
    checked = subprocess.run(["e2fsck", "-p", str(image)], check=False, capture_output=True, text=True, env=_ENVIRON)
    if checked.returncode > 1:
        raise RuntimeError(checked.stdout.strip()[-300:])
    _run("mount", "-o", "loop", str(image), str(place))
    try:
        yield place
    finally:
        _run("umount", str(place))


_ENVIRON = {**os.environ, "PATH": _PATH}


def _run(*command: str) -> str:
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


def _apply(octets: bytearray, offset: int, data: bytes) -> None:
    octets[offset : offset + len(data)] = data
