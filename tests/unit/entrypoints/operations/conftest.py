import pytest

from gatepost.entrypoints.operations import control_protocol as protocol
from gatepost.entrypoints.operations.control import WorkerControls


class Journal:
    """The queue and the worker behind a control socket: writes down what was asked of it, in order."""

    def __init__(self):
        self.asked = []
        self.trouble = None

    async def _note(self, *what):
        if self.trouble is not None:
            raise self.trouble
        self.asked.append(what)

    async def refresh(self):
        await self._note("refresh")

    async def barrier(self):
        await self._note("barrier")

    async def hold(self, predicate, *, reason):
        await self._note("hold", predicate, reason)
        return 2

    async def release(self, predicate):
        await self._note("release", predicate)
        return 3

    async def remove(self, predicate, *, reason):
        await self._note("remove", predicate, reason)
        return 4

    async def reload(self):
        await self._note("reload")
        return ("listeners: needs a restart",)

    async def status(self):
        return protocol.WorkerStatus(index=0, pid=1, state="ready")

    def stop(self):
        self.asked.append(("stop",))


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def controls(journal):
    return WorkerControls(
        queue=journal, refresh=journal.refresh, reload=journal.reload, status=journal.status, stop=journal.stop
    )
