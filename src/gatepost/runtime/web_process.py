"""The web worker's process: health and metrics."""

import asyncio

from gatepost.runtime.child_process import SupervisorLink, Word
from gatepost.runtime.compose_operations import compose_operations_app
from gatepost.runtime.process import Handlers, handle_signals
from gatepost.runtime.web_server import WebServer
from gatepost.runtime.worker_plan import WorkerPlan, nothing_to_reload


async def run_web(plan: WorkerPlan, link: SupervisorLink) -> None:
    """Answer until told to stop."""
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=nothing_to_reload))
    server = WebServer(compose_operations_app(plan.settings), on_ready=lambda: link.tell(Word.READY))
    await server.run_until(stopping, [sock for _, sock in plan.sockets])
