"""What a worker process is told when it starts."""

import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gatepost.runtime.child_process import SupervisorLink
from gatepost.runtime.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What the supervisor asked for: role, shard, and the bound sockets with the names of their listeners."""

    role: str
    index: int
    settings: Settings
    config_path: Path
    sockets: tuple[tuple[str, socket.socket], ...]
    environment: Mapping[str, str]


Role: TypeAlias = Callable[[WorkerPlan, SupervisorLink], Coroutine[Any, Any, None]]
"""Works from the first to the last moment of a process's event loop."""


async def nothing_to_reload() -> tuple[str, ...]:
    """Answer SIGHUP in a process that holds nothing that is read again."""
    return ()
