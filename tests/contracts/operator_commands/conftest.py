"""An installation as an operator has it: settings, control plane, real shards; commands run as from the shell."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gatepost.cli.main import gatepost
from gatepost.entrypoints.operations.control import ControlServer, WorkerControls
from gatepost.entrypoints.operations.control_protocol import WorkerStatus
from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_client import socket_path


@dataclass
class Installation:
    """One state directory.

    Attributes:
        make_rig: Rigs of the queue's contract tests; ``shard`` gives each its place here.
    """

    folder: Path
    make_rig: Callable[[], Any]
    shards: dict[int, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "gatepost.toml"

    @property
    def queue_dir(self) -> Path:
        return self.folder / "state" / "queue"

    def run(self, *arguments: object, stdin: str | None = None) -> Result:
        """Run ``gatepost …`` in this process."""
        return CliRunner().invoke(gatepost, ["-c", str(self.config), *map(str, arguments)], input=stdin)

    async def run_beside(self, *arguments: object) -> Result:
        """Run it in a thread of its own, beside a worker in this one."""
        return await asyncio.to_thread(self.run, *arguments)

    def read_json(self, *arguments: object) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def create_account(self, name: str) -> AccountId:
        return AccountId(self.run("account", "create", name).stdout.strip())

    def shard(self, number: int) -> Any:
        """Return the rig of a shard; it is not started."""
        if number not in self.shards:
            rig = self.make_rig()
            rig.directory, rig.number = self.queue_dir, number
            self.shards[number] = rig
        return self.shards[number]

    def fill(self, number: int, *messages: Any) -> None:
        """Have a worker accept messages in a shard, and end."""

        async def accept() -> None:
            rig = self.shard(number)
            await rig.start()
            for message in messages:
                await rig.queue.accept(message)
            await rig.queue.close()

        asyncio.run(accept())


@pytest.fixture
def installation(tmp_path: Path, make_rig: Callable[[], Any]) -> Installation:
    made = Installation(tmp_path, make_rig)
    result = CliRunner().invoke(
        gatepost,
        [
            "init", "--config", str(made.config), "--host-name", "mail.example.com",
            "--state-dir", str(tmp_path / "state"), "--self-signed", "--no-questions",
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return made


@pytest.fixture
def acme(installation: Installation) -> AccountId:
    return installation.create_account("acme")


@pytest.fixture
async def run_worker(installation: Installation) -> AsyncIterator[Callable[[int], Any]]:
    """Open a shard and answer on its control socket, as its worker does; return its rig."""
    running: list[tuple[Any, ControlServer]] = []

    async def run_worker(number: int) -> Any:
        rig = installation.shard(number)
        await rig.start()

        async def refresh() -> None:
            return None

        async def reload() -> tuple[str, ...]:
            return ()

        async def status() -> WorkerStatus:
            return WorkerStatus(index=number, pid=1, state="ready")

        controls = WorkerControls(queue=rig.queue, refresh=refresh, reload=reload, status=status, stop=lambda: None)
        path = socket_path(installation.folder / "state" / "run", number)
        server = ControlServer(path, controls, deadline=timedelta(seconds=5))
        await server.start()
        running.append((rig, server))
        return rig

    yield run_worker
    for rig, server in running:
        await server.close()
        await rig.queue.close()
