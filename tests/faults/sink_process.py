"""A good receiving server in a process of its own: it takes no time from whoever kills, and none waits for it.

A sink that shares its loop with the load and the killer answers in bursts, between which nobody is killed: kills then
come at other moments than at random.
"""

import asyncio
import pickle
import struct
import subprocess
import sys
from pathlib import Path

from tests.faults.history import Copy
from tests.faults.sink import Sink

ROOT = Path(__file__).parents[2]
_LENGTH = struct.Struct("<Q")


class SinkProcess:
    """Like a ``Sink`` that obeys; ``copies`` asks the other process."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Listen."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    async def stop(self) -> None:
        """Hang up everywhere."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    @property
    def copies(self) -> list[Copy]:
        """What came so far."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"copies\n")
        self._process.stdin.flush()
        (length,) = _LENGTH.unpack(self._process.stdout.read(_LENGTH.size))
        copies: list[Copy] = pickle.loads(self._process.stdout.read(length))
        return copies


async def _serve() -> None:
    sink = Sink()
    await sink.start()
    sys.stdout.buffer.write(b"%d\n" % sink.port)
    sys.stdout.buffer.flush()
    while await asyncio.to_thread(sys.stdin.readline):
        octets = pickle.dumps(sink.copies)
        sys.stdout.buffer.write(_LENGTH.pack(len(octets)) + octets)
        sys.stdout.buffer.flush()
    await sink.stop()


if __name__ == "__main__":
    asyncio.run(_serve())
