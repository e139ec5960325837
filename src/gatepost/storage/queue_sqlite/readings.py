"""All shards of an installation, read side by side: one that cannot be read is told of, and hides no other."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from gatepost.primitives.errors import RelayError
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.schema import ShardNotMade

T = TypeVar("T")


class Readings:
    """Readers of several shards.

    Attributes:
        readers: Of those that could be opened, by number.
        troubles: Why a shard could not be read, or not to the end, by its path; the texts say what to do.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        """Open what can be opened."""
        self.troubles: Final[dict[Path, str]] = {}
        self.readers: Final[list[QueueReader]] = []
        for path in paths:
            try:
                self.readers.append(QueueReader(path))
            except ShardNotMade:
                # A worker that starts at this moment has made the file, and not yet what is in it.
                continue
            except RelayError as error:
                self.troubles[path] = str(error)

    def ask(self, question: Callable[[QueueReader], T]) -> list[T]:
        """Return the answer of each shard that can give one, by number; the others have a trouble from then on."""
        answers: list[T] = []
        for reader in self.readers:
            if reader.path in self.troubles:
                continue
            try:
                answers.append(question(reader))
            except RelayError as error:
                self.troubles[reader.path] = str(error)
        return answers

    def close(self) -> None:
        """Let go of all files."""
        for reader in self.readers:
            reader.close()
