"""HTTP on sockets that are bound already, until told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import uvicorn
from starlette.applications import Starlette

_GRACE_SECONDS: Final = 5


class WebServer(uvicorn.Server):
    """uvicorn, less its own handling of signals: the process decides when it ends."""

    def __init__(self, app: Starlette, *, on_ready: Callable[[], None]) -> None:
        """Make a server that does not listen yet; ``on_ready`` is called once it does."""
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                limit_concurrency=100,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_ready()

    async def run_until(self, stopping: asyncio.Event, sockets: Sequence[socket.socket]) -> None:
        """Serve until the event is set; requests under way have five seconds to end."""
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(self.serve(list(sockets)))
            stopped = tasks.create_task(stopping.wait())
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
            self.should_exit = True
            await serving
            stopped.cancel()
