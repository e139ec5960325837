"""An ext4 file system on a disk that records every write and flush, and what that disk may hold after a power cut.

nbdkit (``hooks/recording_disk.py``) is the disk, nbdfuse shows it as a file, a loop device makes a block device of it.
A write that was answered before a flush is kept once that flush is answered; of the others any may be kept, lost, or
cut at a sector.
"""

import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.block_device import block_device, make_ext4, mounted, repair

SECTOR = 512
PLUGIN = Path(__file__).parent / "hooks" / "recording_disk.py"
_HEAD = struct.Struct("<cxxxIQd")


@dataclass(frozen=True, slots=True)
class Record:
    """A write, or a flush if ``data`` is None; ``at`` in seconds of the monotonic clock."""

    at: float
    offset: int
    data: bytes | None


@contextmanager
def recorded_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a new file system on such a disk for the length of a block; its record is ``folder/record``."""
    recording = ("python", str(PLUGIN), f"log={folder / 'record'}", f"size={mebibytes << 20}")
    with block_device(folder, *recording) as device:
        make_ext4(device)
        with mounted(device, folder / "mounted") as place:
            yield place


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
    image = folder / "image"
    image.write_bytes(octets)
    repair(str(image))
    with mounted(str(image), folder / "after", "-o", "loop") as place:
        yield place


def _apply(octets: bytearray, offset: int, data: bytes) -> None:
    octets[offset : offset + len(data)] = data
