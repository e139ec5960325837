"""The DNS responder's process."""

import asyncio

from gatepost.runtime.child_process import SupervisorLink, Word
from gatepost.runtime.compose_jobs import open_service_control_plane
from gatepost.runtime.dns_worker import DNSWorker
from gatepost.runtime.own_zone import open_own_zone
from gatepost.runtime.process import Handlers, handle_signals
from gatepost.runtime.worker_plan import WorkerPlan, nothing_to_reload


async def run_dns(plan: WorkerPlan, link: SupervisorLink) -> None:
    """Answer questions about our own zone until told to stop."""
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=nothing_to_reload))
    with open_service_control_plane(plan.settings) as control:
        own_zone = open_own_zone(control.domains, plan.settings)
        worker = DNSWorker(own_zone, on_ready=lambda: link.tell(Word.READY))
        await worker.run_until(stopping, [sock for _, sock in plan.sockets])
