"""Stands between the relay and PostgreSQL: passes on, holds back, or cuts between a COMMIT and its answer."""

import asyncio
from contextlib import suppress
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"


class PostgresqlProxy:
    """Listens where a client looks for the server's socket.

    Attributes:
        delay_seconds: How long each answer of the server is held back.
        cuts_commits: Whether a COMMIT reaches the server and its answer does not reach the client.
        cut: How many were.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self.delay_seconds = 0.0
        self.cuts_commits = False
        self.cut = 0
        self._path = folder / SOCKET_NAME
        self._server_path = server / SOCKET_NAME
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))

    async def stop(self) -> None:
        """Hang up everywhere."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream = None
        try:
            from_server, upstream = await asyncio.open_unix_connection(str(self._server_path))
            answers = asyncio.create_task(self._answer(from_server, writer))
            with suppress(OSError, EOFError):
                while octets := await reader.read(1 << 16):
                    upstream.write(octets)
                    await upstream.drain()
                    if self.cuts_commits and b"COMMIT" in octets:
                        answers.cancel()
                        await asyncio.gather(answers, return_exceptions=True)
                        await from_server.read(1 << 16)  # it has been carried out
                        self.cut += 1
                        break
            answers.cancel()
        except OSError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
            if upstream is not None:
                upstream.transport.abort()

    async def _answer(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while octets := await from_server.read(1 << 16):
                await asyncio.sleep(self.delay_seconds)
                writer.write(octets)
                await writer.drain()
        writer.transport.abort()
