"""What each kind of worker process runs, from its first to its last moment."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gatepost.primitives.errors import RelayError
from gatepost.runtime.child_process import SupervisorLink, Word
from gatepost.runtime.compose_jobs import compose_counting, compose_jobs_parts, open_service_control_plane
from gatepost.runtime.compose_mail import compose_mail_parts
from gatepost.runtime.compose_operations import compose_operations_app
from gatepost.runtime.control_client import socket_path
from gatepost.runtime.dns_worker import DNSWorker
from gatepost.runtime.jobs_worker import JobsWorker
from gatepost.runtime.own_zone import open_own_zone
from gatepost.runtime.periodic import flush_metrics
from gatepost.runtime.process import Handlers, handle_signals, run_loop, start_process
from gatepost.runtime.roles import METRICS_EVERY, MailWorker
from gatepost.runtime.settings import Settings
from gatepost.runtime.web_server import WebServer
from gatepost.telemetry.logger import get_logger

log = get_logger()


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
    """Run one worker until it is told to stop.

    Raises:
        RelayError: It cannot start or go on, ``Misconfigured`` where a person must act; it has been logged.
    """
    link = start_process(plan.settings, f"{plan.role}-{plan.index}")
    try:
        run_loop(lambda: _run_with_beats(plan, link))
    except BaseExceptionGroup as group:
        # Parts run side by side, so that what ends one of them comes wrapped; the reason is what counts.
        reason = find_reason(group)
        if reason is None:
            raise
        log.error("worker_failed", reason=str(reason))  # noqa: TRY400 - the text says it all
        raise reason from group
    except RelayError as error:
        log.error("worker_failed", reason=str(error))  # noqa: TRY400 - the text says it all
        raise


def find_reason(group: BaseExceptionGroup[BaseException]) -> RelayError | None:
    """Return the error of ours because of which a group of tasks ended; None if there was another."""
    ours, others = group.split(RelayError)
    if ours is None or others is not None:
        return None
    return next(_leaves(ours))


def _leaves(group: BaseExceptionGroup[RelayError]) -> Iterator[RelayError]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


async def _run_with_beats(plan: WorkerPlan, link: SupervisorLink) -> None:
    beating = asyncio.create_task(link.beat_for_ever())
    try:
        await ROLES[plan.role](plan, link)
    finally:
        beating.cancel()


async def _run_mail(plan: WorkerPlan, link: SupervisorLink) -> None:
    parts = await compose_mail_parts(
        plan.settings,
        index=plan.index,
        listeners=sorted({name for name, _ in plan.sockets}),
        config_path=plan.config_path,
        environment=plan.environment,
        on_prepared=lambda: link.tell(Word.PREPARED),
    )
    worker = MailWorker(plan.index, parts, socket_path(plan.settings.run_dir, plan.index))
    handle_signals(Handlers(stop=lambda: worker.stop(in_a_hurry=link.is_orphaned), reload=parts.reload))
    await worker.run(plan.sockets, on_ready=lambda: link.tell(Word.READY))


async def _run_web(plan: WorkerPlan, link: SupervisorLink) -> None:
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=_nothing_to_reload))
    server = WebServer(compose_operations_app(plan.settings), on_ready=lambda: link.tell(Word.READY))
    await server.run_until(stopping, [sock for _, sock in plan.sockets])


async def _run_dns(plan: WorkerPlan, link: SupervisorLink) -> None:
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=_nothing_to_reload))
    with open_service_control_plane(plan.settings) as control:
        own_zone = open_own_zone(control.domains, plan.settings)
        worker = DNSWorker(own_zone, on_ready=lambda: link.tell(Word.READY))
        await worker.run_until(stopping, [sock for _, sock in plan.sockets])


async def _run_jobs(plan: WorkerPlan, link: SupervisorLink) -> None:
    stopping = asyncio.Event()
    handle_signals(Handlers(stop=stopping.set, reload=_nothing_to_reload))
    with open_service_control_plane(plan.settings) as control:
        parts = compose_jobs_parts(plan.settings, control)
        flushing = asyncio.create_task(flush_metrics(parts.metrics, METRICS_EVERY))
        counting = compose_counting(plan.settings, control)
        link.tell(Word.READY)
        try:
            await asyncio.gather(JobsWorker(parts).run_until(stopping), counting.run_until(stopping))
        finally:
            flushing.cancel()


async def _nothing_to_reload() -> tuple[str, ...]:
    return ()


ROLES: Final[Mapping[str, Callable[[WorkerPlan, SupervisorLink], Coroutine[Any, Any, None]]]] = {
    "dns": _run_dns,
    "jobs": _run_jobs,
    "mail": _run_mail,
    "web": _run_web,
}
