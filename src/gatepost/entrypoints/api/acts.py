"""Acts in progress: changes of rights that were judged by rights as they were, and are not committed yet.

A key that makes a key must not be able to do so after the call that revoked it has returned. So each such act looks
its principal's rights up once it has been entered here, and whoever makes a revocation exact waits for the acts that
were under way (``WorkerControls.refresh``). An act that begins later sees the revocation.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class ActsInProgress:
    """Counts acts. For one event loop."""

    def __init__(self) -> None:
        self._acts: set[asyncio.Future[None]] = set()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be counted from before rights are looked up until the change is committed or given up."""
        act: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acts.add(act)
        try:
            yield
        finally:
            self._acts.discard(act)
            act.set_result(None)

    async def settle(self) -> None:
        """Return once no act that was under way at the call is so any more."""
        if self._acts:
            await asyncio.wait(tuple(self._acts))
