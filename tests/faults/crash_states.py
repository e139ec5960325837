"""From a record of writes and flushes to what a disk may hold after a power cut. Pure but for writing a state out.

The disk modelled: a write that came back before a flush of its file began is there once that flush has come back. Of
all other writes to a file any subset may be there, in any order of sectors being kept: each is kept whole, lost, or cut
at a sector. A file whose name was never flushed with its directory may be missing; one that was removed may be back.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SECTOR = 512
_HEAD = struct.Struct("<cxxxIQQ")


@dataclass(frozen=True, slots=True)
class Operation:
    """One record; see ``record.c`` for the kinds."""

    kind: str
    path: str
    offset: int
    data: bytes


@dataclass(slots=True)
class File:
    """What is known of one file.

    Attributes:
        durable: Its content as far as flushed.
        pending: Writes and cuts since, oldest first.
        has_name: Its directory entry was flushed.
        is_removed: It was unlinked, and that may not have been flushed.
    """

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)
    has_name: bool = False
    is_removed: bool = False


def read_operations(log: Path) -> Iterator[Operation]:
    """Read the record; a last one that is incomplete is left out."""
    octets = log.read_bytes()
    at = 0
    while at + _HEAD.size <= len(octets):
        kind, path_length, offset, data_length = _HEAD.unpack_from(octets, at)
        at += _HEAD.size
        end = at + path_length + data_length
        if end > len(octets):
            return
        path = octets[at : at + path_length].decode()
        yield Operation(kind.decode(), path, offset, octets[at + path_length : end])
        at = end


class Disk:
    """Follows the operations; at any moment it can say what a power cut may leave."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self._flushing: dict[tuple[str, int], list[int]] = {}

    def follow(self, operation: Operation) -> None:
        """Take note of one operation."""
        if operation.kind in "WT":
            file = self.files.setdefault(operation.path, File())
            file.pending.append(operation)
            file.is_removed = False
        elif operation.kind == "U" and operation.path in self.files:
            self.files[operation.path].is_removed = True
        elif operation.kind == "F":
            self._flushing[operation.path, operation.offset] = [id(one) for one in self._covered(operation.path)]
        elif operation.kind == "S":
            self._flushed(operation.path, set(self._flushing.pop((operation.path, operation.offset), [])))

    def _covered(self, path: str) -> list[object]:
        if path in self.files:
            return list(self.files[path].pending)
        return [file for name, file in self.files.items() if str(PurePosixPath(name).parent) == path]

    def _flushed(self, path: str, covered: set[int]) -> None:
        if path in self.files:
            file = self.files[path]
            for operation in [one for one in file.pending if id(one) in covered]:
                apply(file.durable, operation)
            file.pending = [one for one in file.pending if id(one) not in covered]
            return
        for name in [name for name, file in self.files.items() if id(file) in covered]:
            if self.files[name].is_removed:
                del self.files[name]
            else:
                self.files[name].has_name = True

    def write_state(self, below: str, folder: Path, chance: random.Random) -> None:
        """Write one state that a power cut at this moment may leave."""
        # Nothing of what was not flushed, all of it, or any part of it.
        share = chance.choice([0.0, 0.0, 1.0, 0.5, 0.9, 0.1])
        for name, file in self.files.items():
            if (file.is_removed or not file.has_name) and chance.random() >= share:
                continue
            content = bytearray(file.durable)
            for operation in file.pending:
                if chance.random() < share:
                    apply(content, _maybe_torn(operation, chance, share))
            target = folder / PurePosixPath(name).relative_to(below)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def apply(content: bytearray, operation: Operation) -> None:
    """Carry out a write or a cut on a content."""
    end = operation.offset + len(operation.data)
    if operation.kind == "T":
        del content[operation.offset :]
        end = operation.offset
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[operation.offset : operation.offset + len(operation.data)] = operation.data


def _maybe_torn(operation: Operation, chance: random.Random, share: float) -> Operation:
    sectors = len(operation.data) // SECTOR
    if operation.kind == "T" or sectors < 2 or share == 1.0 or chance.random() < 0.7:
        return operation
    return Operation("W", operation.path, operation.offset, operation.data[: SECTOR * chance.randrange(1, sectors)])
