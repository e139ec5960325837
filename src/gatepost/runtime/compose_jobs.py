"""The composition of the jobs worker and of the DNS worker, and of what pushes our own zone."""

import os
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from gatepost.mailflow.delivery.outgoing import SIGNATURE_LIFETIME
from gatepost.network.dns_update import UpdateKey, push_zone
from gatepost.network.resolver import parse_nameserver
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.compose_resolvers import compose_checking_resolver, compose_single_resolvers
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.jobs_worker import JobsParts
from gatepost.runtime.own_zone import read_own_zone, relay_of
from gatepost.runtime.settings import Settings
from gatepost.storage.leases import SqlLeases
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.senders.ports import DomainStore
from gatepost.tenancy.senders.rotation import RotationPolicy
from gatepost.tenancy.senders.upkeep import KeyUpkeep, RecheckPolicy, RecordUpkeep

PASS_EVERY: Final = timedelta(seconds=30)
PUSH_EVERY: Final = timedelta(minutes=10)
"""A push that changes nothing is cheap, and mends what somebody else has changed over there."""


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
        push=_pusher(settings, control.domains),
    )


async def push_own_zone(settings: Settings, source: DomainStore) -> int:
    """Bring the operator's name server up to our own zone; return how many sets of records had to change.

    Raises:
        Misconfigured: There is no such server, or it refuses; the text says what to do.
        Transient: It did not answer.
    """
    push = settings.dns.push
    if not push.server or push.key_secret is None:
        raise Misconfigured("no name server is set to be pushed to: set [dns.push] server, key_name, key_secret_file")
    key = UpdateKey(name=push.key_name, algorithm=push.key_algorithm, secret=push.key_secret)
    return await push_zone(read_own_zone(source, settings), parse_nameserver(push.server), key)


def _pusher(settings: Settings, source: DomainStore) -> Callable[[], Awaitable[None]] | None:
    if not settings.dns.push.server:
        return None
    pushed, pushed_at = 0, float("-inf")

    async def push() -> None:
        nonlocal pushed, pushed_at
        change = source.read_zone(pushed)
        if change is None and time.monotonic() - pushed_at < PUSH_EVERY.total_seconds():
            return
        await push_own_zone(settings, source)
        pushed, pushed_at = change.serial if change else pushed, time.monotonic()

    return push
