"""The relay itself: ``gatepost serve`` as a child process, with its supervisor and its workers."""

import asyncio
import http.client
import os
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from gatepost.primitives.errors import Transient
from gatepost.runtime.child_process import SUPERVISOR_VARIABLE

READY_WITHIN: Final = timedelta(seconds=30)
_STOP_WITHIN: Final = timedelta(seconds=10)
_ASK_EVERY_SECONDS: Final = 0.05


class RelayProcess:
    """Runs from ``start`` to ``stop``; ends too when this process does, however that ends."""

    def __init__(self, config_path: Path, log_path: Path, *, operations_port: int) -> None:
        self._config_path = config_path
        self._log_path = log_path
        self._operations_port = operations_port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until /health/ready says yes.

        Raises:
            Transient: It ended, or was not ready in time.
        """
        # Settings in the environment are meant for another relay.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gatepost", "serve", "-c", str(self._config_path),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env={**environment, SUPERVISOR_VARIABLE: str(os.getpid())},
                process_group=0,  # Ctrl-C is for the demo, which then ends it
            )  # fmt: skip
        try:
            async with asyncio.timeout(READY_WITHIN.total_seconds()):
                while not await asyncio.to_thread(self._is_ready):
                    if self._process.returncode is not None:
                        raise Transient(f"`gatepost serve` ended with status {self._process.returncode}")
                    await asyncio.sleep(_ASK_EVERY_SECONDS)
        except TimeoutError as error:
            raise Transient(f"it was not ready after {READY_WITHIN.total_seconds():.0f} s") from error

    async def wait(self) -> int:
        """Wait until it has ended; return its exit status."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """Have it drain and end; kill it if it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_WITHIN.total_seconds()):
                await process.wait()
        except TimeoutError:
            process.kill()  # its workers drain by themselves when it is gone
            await process.wait()

    def _is_ready(self) -> bool:
        with closing(http.client.HTTPConnection("127.0.0.1", self._operations_port, timeout=2)) as connection:
            try:
                connection.request("GET", "/health/ready")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
