"""The control socket of a mail worker: commands reach the process that holds sessions and queue in its memory."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from gatepost.entrypoints.operations import control_protocol as protocol
from gatepost.mailflow.queue.ports import Queue
from gatepost.primitives.errors import Misconfigured, RelayError
from gatepost.telemetry.logger import get_logger

_IDLE_TIMEOUT: Final = timedelta(seconds=60)
_MAX_PATH_OCTETS: Final = 107  # of a socket's address (unix(7)), less the final NUL

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerControls:
    """What a worker lets be done to it.

    Attributes:
        refresh: Forgets every right that was looked up, and returns once no decision made under an old one can
            still lead to an acceptance that ``queue.barrier`` does not wait for.
        reload: Reads settings and certificates again; returns notes. Raises ``Misconfigured``.
        stop: Begins to drain; returns at once.
    """

    queue: Queue
    refresh: Callable[[], Awaitable[None]]
    reload: Callable[[], Awaitable[tuple[str, ...]]]
    status: Callable[[], Awaitable[protocol.WorkerStatus]]
    stop: Callable[[], None]


class ControlServer:
    """Answers requests on a UNIX socket, one after the other on each connection."""

    def __init__(self, path: Path, controls: WorkerControls, *, deadline: timedelta) -> None:
        """Make a server that does not listen yet; ``deadline`` bounds each request."""
        self._path = path
        self._controls = controls
        self._deadline = deadline.total_seconds()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Only the one process that holds the shard may call it: an old socket file is replaced."""
        if len(os.fsencode(self._path)) > _MAX_PATH_OCTETS:
            raise Misconfigured(f"{self._path} is too long for a UNIX socket: choose a shorter state_dir")
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise Misconfigured(f"{self._path} cannot be replaced ({error.strerror}): remove it") from error
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # On Linux a socket file takes its mode from the socket: it is never open to others, not even for a moment.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(self._path))
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=protocol.MAX_LINE_OCTETS)

    async def close(self) -> None:
        """Stop listening, and let go of open connections.

        The file stays, and nobody answers there: by now the shard's next worker may have put its own in its place.
        """
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def answer(self, line: bytes) -> protocol.Answer:
        """Do what one line asks."""
        try:
            request = protocol.decode_request(line)
        except msgspec.DecodeError as error:
            return protocol.Refused(reason=f"not a request of this version: {error}")
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._carry_out(request)
        except TimeoutError:
            answer = protocol.Refused(reason=f"not done within {self._deadline:g} s; it may still happen")
        except RelayError as error:
            answer = protocol.Refused(reason=str(error))
        except Exception:
            log.exception("control_request_failed", request=type(request).__name__)
            answer = protocol.Refused(reason="the worker failed to do it; its log says why")
        if not isinstance(request, protocol.AskStatus):
            log.info("control_request", request=type(request).__name__, answer=type(answer).__name__)
        return answer

    async def _carry_out(self, request: protocol.Request) -> protocol.Answer:
        controls = self._controls
        match request:
            case protocol.Refresh():
                await controls.refresh()
            case protocol.Barrier():
                await controls.queue.barrier()
            case protocol.Reload():
                return protocol.Done(notes=await controls.reload())
            case protocol.AskStatus():
                return await controls.status()
            case protocol.Stop():
                controls.stop()
            case protocol.Hold(which=which, reason=reason):
                return protocol.Done(count=await controls.queue.hold(which.to_predicate(), reason=reason))
            case protocol.Release(which=which):
                return protocol.Done(count=await controls.queue.release(which.to_predicate()))
            case protocol.Remove(which=which, reason=reason):
                return protocol.Done(count=await controls.queue.remove(which.to_predicate(), reason=reason))
        return protocol.Done()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while line := await asyncio.wait_for(reader.readline(), _IDLE_TIMEOUT.total_seconds()):
                writer.write(protocol.encode_line(await self.answer(line)))
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            # Silence, a client that went away, or a line beyond the limit: nobody to tell.
            log.debug("control_connection_lost")
        except asyncio.CancelledError:
            log.debug("control_connection_closed")
        finally:
            self._connections.discard(task)
            writer.close()
