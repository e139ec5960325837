"""Large contents on disk: written while they arrive, durable with the commit of the queue that names them.

One directory for each shard, owned by the shard's process. A file that no record names is left from a crash or a
refusal and is removed when the shard is opened.
"""

import os
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Final
from zlib import crc32

from gatepost.mailflow.content import MAX_HEAD_OCTETS
from gatepost.mailflow.queue.ports import StoreUnavailable
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import base64url
from gatepost.storage.trouble import classify_os

_CHUNK_OCTETS: Final = 1 << 20
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class SpooledContent:
    """A content in a file; implements Content.

    The queue alone calls ``claim``, ``flush`` and ``abandon``.
    """

    __slots__ = ("_draft", "_path", "checksum", "size_octets")

    def __init__(self, path: Path, *, size_octets: int, checksum: int, draft: "SpoolWriter | None" = None) -> None:
        self._path = path
        self._draft = draft
        self.size_octets = size_octets
        self.checksum = checksum

    @property
    def name(self) -> str:
        """The file's name in its directory."""
        return self._path.name

    def head(self) -> bytes:
        """Return the first ``MAX_HEAD_OCTETS``."""
        with self._path.open("rb") as file:
            return file.read(MAX_HEAD_OCTETS)

    def chunks(self) -> Iterator[bytes]:
        """Return the content in pieces of 1 MiB."""
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK_OCTETS):
                yield chunk

    def is_whole(self) -> bool:
        """Read all of it and tell whether the checksum is that of the octets written."""
        checksum = 0
        try:
            for chunk in self.chunks():
                checksum = crc32(chunk, checksum)
        except OSError:
            return False
        return checksum == self.checksum

    def claim(self) -> None:
        """Take it over from its writer, whose ``discard`` does nothing from now on."""
        if self._draft is not None:
            self._draft.is_claimed = True

    def flush(self) -> None:
        """Put the file on stable storage (its name in the directory is ``SpoolDirectory.flush``'s)."""
        if self._draft is not None:
            self._draft.flush()
            self._draft = None

    def abandon(self) -> None:
        """Remove the file: the queue did not take it."""
        if self._draft is not None:
            self._draft.is_claimed = False
            self._draft.discard()
            self._draft = None
        else:
            self._path.unlink(missing_ok=True)


class SpoolWriter:
    """Implements ContentWriter. The file stays open until it is flushed: an error of its write-back is then seen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, _NEW_FILE, 0o600)
        self._size_octets = 0
        self._checksum = 0
        self.is_claimed = False

    def write(self, octets: bytes) -> None:
        """Append. Raises ``StoreUnavailable`` when there is no room; the writer is then to be discarded."""
        rest = memoryview(octets)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise StoreUnavailable(classify_os(error, is_flush=False), error.strerror or "") from error
        self._size_octets += len(octets)
        self._checksum = crc32(octets, self._checksum)

    def finish(self) -> SpooledContent:
        """Return the whole as a Content; durable with ``Queue.accept``, removed if that fails."""
        return SpooledContent(self._path, size_octets=self._size_octets, checksum=self._checksum, draft=self)

    def discard(self) -> None:
        """Remove the file, unless the queue has taken it over. May be called at any time, more than once."""
        if self._file >= 0 and not self.is_claimed:
            self._close()
            self._path.unlink(missing_ok=True)

    def flush(self) -> None:
        """Put the file on stable storage and close it; raises ``OSError``."""
        if self._file >= 0:
            os.fsync(self._file)
            self._close()

    def _close(self) -> None:
        file, self._file = self._file, -1
        os.close(file)


class SpoolDirectory:
    """The files of one shard; implements ContentSpool."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self._path = path
        self._entropy = entropy
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self) -> SpoolWriter:
        """Begin a content. Raises ``StoreUnavailable`` when it cannot."""
        try:
            return SpoolWriter(self._path / base64url(self._entropy.draw(16)))
        except OSError as error:
            raise StoreUnavailable(classify_os(error, is_flush=False), error.strerror or "") from error

    def find(self, name: str, *, size_octets: int, checksum: int) -> SpooledContent:
        """Return a content written before; raises ``OSError`` or ``ValueError`` if it is gone or of another size."""
        path = self._path / name
        found = path.stat().st_size
        if found != size_octets:
            raise ValueError(f"the spooled content has {found} octets instead of {size_octets}")
        return SpooledContent(path, size_octets=size_octets, checksum=checksum)

    def flush(self) -> None:
        """Put the names of all files on stable storage; raises ``OSError``."""
        directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def remove(self, name: str) -> None:
        """Remove a content that no record names any more. A name that cannot be removed now is found at opening."""
        try:
            (self._path / name).unlink(missing_ok=True)
        except OSError:
            return

    def remove_all_but(self, names: Set[str]) -> int:
        """Remove what no record names; return how many. Only while nothing is being written."""
        stale = [path for path in self._path.iterdir() if path.name not in names]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)
