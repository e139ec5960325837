"""A worker process, from its first to its last moment, whatever its role."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gatepost.primitives.errors import RelayError
from gatepost.runtime.child_process import SupervisorLink
from gatepost.runtime.process import run_loop, start_process
from gatepost.runtime.worker_plan import Role, WorkerPlan
from gatepost.telemetry.logger import get_logger

log = get_logger()


def run_worker(plan: WorkerPlan) -> None:
    """Run one worker until it is told to stop.

    Raises:
        RelayError: It cannot start or go on, ``Misconfigured`` where a person must act; it has been logged.
    """
    link = start_process(plan.settings, f"{plan.role}-{plan.index}")
    role = ROLES[plan.role]()
    try:
        run_loop(lambda: _run_with_beats(role, plan, link))
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


async def _run_with_beats(role: Role, plan: WorkerPlan, link: SupervisorLink) -> None:
    beating = asyncio.create_task(link.beat_for_ever())
    try:
        await role(plan, link)
    finally:
        beating.cancel()


# Each is imported once it is chosen: no worker waits for what only another is made of.


def _mail() -> Role:
    from gatepost.runtime.mail_process import run_mail

    return run_mail


def _web() -> Role:
    from gatepost.runtime.web_process import run_web

    return run_web


def _jobs() -> Role:
    from gatepost.runtime.jobs_process import run_jobs

    return run_jobs


def _dns() -> Role:
    from gatepost.runtime.dns_process import run_dns

    return run_dns


ROLES: Final[Mapping[str, Callable[[], Role]]] = {"dns": _dns, "jobs": _jobs, "mail": _mail, "web": _web}
