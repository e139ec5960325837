"""The jobs worker: what nobody waits for. One of all that share a control plane works; the others stand by.

Each pass goes through all claims that have to be kept up, a bounded number of them at a time. It holds no state that
matters: a pass that is cut short is made good by the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import RelayError
from gatepost.storage.leases import SqlLeases
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.senders.domain import UNNUMBERED, AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.ports import DomainStore
from gatepost.tenancy.senders.upkeep import KeyUpkeep, RecordUpkeep, Standing

LEASE: Final = "jobs"
LEASE_FOR: Final = timedelta(seconds=30)
RENEW_EVERY: Final = timedelta(seconds=5)
AT_A_TIME: Final = 16
PAGE: Final = 200
LONGEST_PAUSE: Final = timedelta(hours=1)

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsParts:
    """What the jobs worker is made of.

    Attributes:
        holder: A name of this process that no other one has.
        pause: Between two passes.
        push: Sends our own zone to a name server; None where there is none.
    """

    domains: DomainStore
    leases: SqlLeases
    keys: KeyUpkeep
    records: RecordUpkeep
    clock: Clock
    metrics: Metrics
    holder: str
    pause: timedelta
    push: Callable[[], Awaitable[None]] | None = None


class JobsWorker:
    """Works while it has the lease, and waits for it while it has not."""

    def __init__(self, parts: JobsParts) -> None:
        self._parts = parts
        self._not_before: dict[int, tuple[float, float]] = {}

    async def run_until(self, stopping: asyncio.Event) -> None:
        """Work until stopped; then let another one go on at once."""
        try:
            while not stopping.is_set():
                if await self._has_lease():
                    await self._work(stopping)
                await _wait(stopping, RENEW_EVERY)
        finally:
            await asyncio.to_thread(self._parts.leases.give_back, LEASE, self._parts.holder)

    async def _work(self, stopping: asyncio.Event) -> None:
        """Pass after pass while the lease is ours; whatever is under way is cut short when it is not."""
        working = asyncio.create_task(self._pass_for_ever())
        stopped = asyncio.create_task(stopping.wait())
        try:
            while True:
                done, _ = await asyncio.wait(
                    (working, stopped), timeout=RENEW_EVERY.total_seconds(), return_when=asyncio.FIRST_COMPLETED
                )
                if working in done:
                    working.result()
                if done or not await self._has_lease():
                    return
        finally:
            for task in (working, stopped):
                task.cancel()
            await asyncio.gather(working, stopped, return_exceptions=True)

    async def _has_lease(self) -> bool:
        parts, now = self._parts, self._parts.clock.now()
        try:
            return await asyncio.to_thread(parts.leases.take, LEASE, parts.holder, now=now, until=now + LEASE_FOR)
        except RelayError as error:
            log.error("lease_not_taken", reason=str(error))  # noqa: TRY400 - the text says it all
            return False

    async def _pass_for_ever(self) -> None:
        while True:
            try:
                await self.go_through()
                if self._parts.push is not None:
                    await self._parts.push()
            except RelayError as error:
                log.error("jobs_failed", reason=str(error))  # noqa: TRY400 - the text says it all
            await asyncio.sleep(self._parts.pause.total_seconds())

    async def go_through(self) -> int:
        """Go once through all claims; return how many steps were taken."""
        after, steps = UNNUMBERED, 0
        gate = asyncio.Semaphore(AT_A_TIME)
        while page := await asyncio.to_thread(self._parts.domains.list_kept, after, PAGE):
            steps += sum(await asyncio.gather(*[self._keep(claim, gate) for claim in page]))
            after = page[-1].id
        return steps

    async def _keep(self, claim: AuthenticatedDomain, gate: asyncio.Semaphore) -> int:
        """Do what is to be done for one claim; what goes wrong with one concerns no other."""
        async with gate:
            try:
                return await self._rotate(claim) + await self._recheck(claim)
            except RelayError as error:
                log.error("claim_not_kept", claim=claim.id, reason=str(error))  # noqa: TRY400 - the text says it all
            except Exception:
                log.exception("claim_not_kept", claim=claim.id)
            return 0

    async def _rotate(self, claim: AuthenticatedDomain) -> int:
        found = self._parts.keys.find_step(claim) if claim.state is DomainState.VERIFIED else None
        if found is None or self._has_to_wait(claim):
            return 0
        step, key = found
        if not await self._parts.keys.take_step(claim, step, key):
            return 0
        self._not_before.pop(claim.id, None)
        self._parts.metrics.dkim_rotation_steps.add(step.value)
        log.info("dkim_step", account_id=claim.account_id, claim=claim.id, step=step.value)
        return 1

    def _has_to_wait(self, claim: AuthenticatedDomain) -> bool:
        """Look for a key ever more rarely while the DNS does not show it."""
        now = asyncio.get_running_loop().time()
        due, pause = self._not_before.get(claim.id, (0.0, self._parts.pause.total_seconds()))
        if now < due:
            return True
        pause = min(pause * 2, LONGEST_PAUSE.total_seconds())
        self._not_before[claim.id] = now + pause / 2, pause
        return False

    async def _recheck(self, claim: AuthenticatedDomain) -> int:
        if not self._parts.records.policy.is_due(claim, self._parts.clock.now()):
            return 0
        standing, findings = await self._parts.records.look(claim)
        self._parts.metrics.domain_rechecks.add(standing.value)
        if standing is not Standing.KEPT:
            problems = [each.problem for each in findings if each.problem and each.record.is_required]
            log.warning(
                "domain_records", account_id=claim.account_id, claim=claim.id, standing=standing.value,
                problems=problems,
            )  # fmt: skip
        return 1


async def _wait(event: asyncio.Event, pause: timedelta) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((waiting,), timeout=pause.total_seconds())
    waiting.cancel()
