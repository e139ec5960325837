"""The composition of the jobs worker and of the DNS worker, and of what pushes our own zone."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from gatepost.mailflow.delivery.outgoing import SIGNATURE_LIFETIME
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN
from gatepost.network.dns_update import UpdateKey, push_zone
from gatepost.network.resolver import Nameserver, parse_nameserver
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.compose_resolvers import compose_checking_resolver, compose_single_resolvers
from gatepost.runtime.compose_senders import compose_guard, compose_rights_changed
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.counting import Counting, find_machine_name
from gatepost.runtime.jobs_worker import JobsParts
from gatepost.runtime.own_zone import open_own_zone, read_own_zone, relay_of
from gatepost.runtime.settings import Settings
from gatepost.storage.leases import SqlLeases
from gatepost.storage.statistics import SqlStatisticsStore
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.senders.domain import AuthenticatedDomain
from gatepost.tenancy.senders.ports import DomainStore
from gatepost.tenancy.senders.rotation import RotationPolicy
from gatepost.tenancy.senders.upkeep import KeyUpkeep, RecheckPolicy, RecordUpkeep

PASS_EVERY: Final = timedelta(seconds=30)
PUSH_EVERY: Final = timedelta(minutes=10)
"""A push that changes nothing is cheap, and mends what somebody else has changed over there."""

log = get_logger()


def open_service_control_plane(settings: Settings) -> ControlPlane:
    """Open the control plane for a worker that acts for nobody but the service itself."""
    return open_control_plane(
        settings.control_database_url.reveal(), settings.keyring_path, SystemClock(), SystemEntropy()
    )


def rotation_policy(settings: Settings) -> RotationPolicy:
    """Return how long keys live."""
    dkim = settings.dkim
    return RotationPolicy(
        rotate_after=dkim.rotate_after if dkim.rotates_by_itself else None,
        retire_for=dkim.retire_for or settings.queue.expire_after + SIGNATURE_LIFETIME,
        settle_for=dkim.settle_for,
    )


def compose_jobs_parts(settings: Settings, control: ControlPlane) -> JobsParts:
    """Put together the jobs worker."""
    policy = rotation_policy(settings)
    rights_changed = compose_rights_changed(settings, control)

    async def settle(claim: AuthenticatedDomain) -> None:
        holders = (claim.account_id, *sorted(claim.assigned_to))
        await rights_changed.settle_domain(holders, claim.name, reason=HELD_UNTIL_RETURN)

    return JobsParts(
        domains=control.domains,
        leases=SqlLeases(control.database),
        keys=KeyUpkeep(
            domains=control.domains,
            keyring=control.keyring,
            resolvers=compose_single_resolvers(settings),
            clock=control.clock,
            policy=policy,
        ),
        records=RecordUpkeep(
            domains=control.domains,
            guard=compose_guard(control, settings.host_name, settings.senders.protected_names),
            settle=settle,
            resolver=compose_checking_resolver(settings),
            relay=relay_of(settings),
            clock=control.clock,
            policy=RecheckPolicy(
                every=settings.senders.recheck_every,
                while_failing=settings.senders.recheck_failing_every,
                grace=settings.senders.recheck_grace,
            ),
        ),
        clock=control.clock,
        metrics=Metrics(),
        holder=f"{socket.gethostname()}/{os.getpid()}/{control.entropy.draw(4).hex()}",
        pause=min(PASS_EVERY, policy.settle_for, policy.retire_for, settings.senders.recheck_every),
        push=ZonePusher(settings, control.domains, time.monotonic).push if settings.dns.push.server else None,
    )


def compose_counting(settings: Settings, control: ControlPlane) -> Counting:
    """Put together what counts the events of this machine's shards."""
    machine = find_machine_name(settings, control.entropy)
    return Counting(settings.queue_dir, machine, SqlStatisticsStore(control.database))


async def push_own_zone(settings: Settings, source: DomainStore) -> int:
    """Bring the operator's name server up to our own zone; return how many sets of records had to change.

    Raises:
        Misconfigured: There is no such server, or it refuses; the text says what to do.
        Transient: It did not answer.
    """
    server, key = _push_target(settings)
    return await push_zone(read_own_zone(source, settings), server, key)


def _push_target(settings: Settings) -> tuple[Nameserver, UpdateKey]:
    push = settings.dns.push
    if not push.server or push.key_secret is None:
        raise Misconfigured("no name server is set to be pushed to: set [dns.push] server, key_name, key_secret_file")
    key = UpdateKey(name=push.key_name, algorithm=push.key_algorithm, secret=push.key_secret)
    return parse_nameserver(push.server), key


class ZonePusher:
    """Pushes our own zone when it has changed, when a push has failed, and every while.

    All of it is done in a thread with an event loop of its own: a zone of ten thousand customers takes seconds to read
    and to compare, in which the worker has to renew its lease and to tell its supervisor that it lives.
    """

    def __init__(self, settings: Settings, source: DomainStore, monotonic: Callable[[], float]) -> None:
        self._server, self._key = _push_target(settings)
        self._own_zone = open_own_zone(source, settings)
        self._monotonic = monotonic
        self._due_at = float("-inf")

    async def push(self) -> None:
        """Push what there is to push. Raises as ``push_own_zone`` does; the next call then tries again."""
        await asyncio.to_thread(self._push)

    def _push(self) -> None:
        if self._own_zone.refresh():
            self._due_at = float("-inf")
        if self._monotonic() < self._due_at:
            return
        changed = asyncio.run(push_zone(self._own_zone.zone, self._server, self._key))
        self._due_at = self._monotonic() + PUSH_EVERY.total_seconds()
        if changed:
            log.info("zone_pushed", serial=self._own_zone.zone.serial, changed=changed)
