"""What each kind of worker process runs, from its first to its last moment."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gatepost.runtime.child_process import tell_ready
from gatepost.runtime.compose_mail import compose_mail_parts
from gatepost.runtime.compose_operations import compose_operations_app
from gatepost.runtime.control_client import socket_path
from gatepost.runtime.process import Handlers, handle_signals, run_loop, start_process
from gatepost.runtime.roles import MailWorker
from gatepost.runtime.settings import Settings
from gatepost.runtime.web_server import WebServer


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What the supervisor asked for: role, shard, and the bound sockets with the names of their listeners."""

    role: str
    index: int
    settings: Settings
    config_path: Path
    sockets: tuple[tuple[str, socket.socket], ...]
    environment: Mapping[str, str]


def run_worker(plan: WorkerPlan) -> None:
    """Run one worker until it is told to stop. Raises ``Misconfigured`` if it cannot start."""
    start_process(plan.settings, f"{plan.role}-{plan.index}")
    run_loop(lambda: ROLES[plan.role](plan))


async def _run_mail(plan: WorkerPlan) -> None:
    parts = await compose_mail_parts(
        plan.settings,
        index=plan.index,
        listeners=sorted({name for name, _ in plan.sockets}),
        config_path=plan.config_path,
        environment=plan.environment,
    )
    worker = MailWorker(plan.index, parts, socket_path(plan.settings.run_dir, plan.index))
    handle_signals(Handlers(stop=worker.stop, reload=parts.reload))
    await worker.run(plan.sockets, on_ready=lambda: tell_ready(os.environ))


async def _run_web(plan: WorkerPlan) -> None:
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=_nothing_to_reload))
    server = WebServer(compose_operations_app(plan.settings), on_ready=lambda: tell_ready(os.environ))
    await server.run_until(stopping, [sock for _, sock in plan.sockets])


async def _nothing_to_reload() -> tuple[str, ...]:
    return ()


ROLES: Final[Mapping[str, Callable[[WorkerPlan], Coroutine[Any, Any, None]]]] = {"mail": _run_mail, "web": _run_web}
