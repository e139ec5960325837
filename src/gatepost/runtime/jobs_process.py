"""The jobs worker's process."""

import asyncio

from gatepost.runtime.child_process import SupervisorLink, Word
from gatepost.runtime.compose_jobs import compose_counting, compose_jobs_parts, open_service_control_plane
from gatepost.runtime.jobs_worker import JobsWorker
from gatepost.runtime.periodic import flush_metrics
from gatepost.runtime.process import Handlers, handle_signals
from gatepost.runtime.roles import METRICS_EVERY
from gatepost.runtime.worker_plan import WorkerPlan, nothing_to_reload


async def run_jobs(plan: WorkerPlan, link: SupervisorLink) -> None:
    """Do what is due until told to stop."""
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=nothing_to_reload))
    with open_service_control_plane(plan.settings) as control:
        parts = compose_jobs_parts(plan.settings, control)
        flushing = asyncio.create_task(flush_metrics(parts.metrics, METRICS_EVERY))
        counting = compose_counting(plan.settings, control)
        link.tell(Word.READY)
        try:
            await asyncio.gather(JobsWorker(parts).run_until(stopping), counting.run_until(stopping))
        finally:
            flushing.cancel()
