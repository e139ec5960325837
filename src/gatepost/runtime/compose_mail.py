"""The composition of a mail worker: control plane, queue shard, submission listeners, delivery.

Small functions, each of which puts together one thing from the settings; nothing is decided here but which class
answers for which port.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.smtp.connection_settings import ConnectionSettings
from gatepost.entrypoints.smtp.content_buffer import MemoryBudget
from gatepost.entrypoints.smtp.listener import SMTPListener
from gatepost.entrypoints.smtp.session_caps import SessionCaps
from gatepost.entrypoints.smtp.submission_handler import SubmissionServices
from gatepost.entrypoints.smtp.time_limits import TimeLimits
from gatepost.mailflow.delivery.attempt import Attempts
from gatepost.mailflow.delivery.batch_stop import find_stop
from gatepost.mailflow.delivery.outgoing import OutgoingCopies
from gatepost.mailflow.delivery.pool import ConnectionPool, PoolLimits
from gatepost.mailflow.delivery.router import Router
from gatepost.mailflow.delivery.shaping import Shaping
from gatepost.mailflow.delivery.worker import DeliveryWorker, WorkerLimits
from gatepost.mailflow.queue.idempotency import REMEMBERED_FOR
from gatepost.mailflow.queue.start import start_due
from gatepost.mailflow.submission.accept import Acceptance
from gatepost.mailflow.submission.policy import decide_recipient, decide_reverse_path
from gatepost.network.smtp_connector import SMTPConnector
from gatepost.network.tls_contexts import ServerTLS
from gatepost.primitives.errors import Transient
from gatepost.runtime.assigned_sources import AssignedSources
from gatepost.runtime.compose_api import APIParts, compose_api_listener
from gatepost.runtime.compose_delivery import (
    COPY_TOOLS,
    compose_connector,
    compose_retry,
    compose_sources,
    log_fault,
    note_settlement,
    route_policy,
    shaping_limits,
)
from gatepost.runtime.compose_meters import WorkerMeters, compose_rate, open_meters
from gatepost.runtime.compose_people import compose_system_mail
from gatepost.runtime.compose_queue import open_queue_in_turn, retry_schedule
from gatepost.runtime.compose_resolvers import compose_resolver
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.key_upkeep import keep_up_keys
from gatepost.runtime.measurement import Sources, measure
from gatepost.runtime.people_upkeep import keep_up_people
from gatepost.runtime.periodic import Periodic
from gatepost.runtime.reload import Reloader, certificate_chains
from gatepost.runtime.roles import MailListener, MailParts, QueueState
from gatepost.runtime.settings import Listener, ListenerTLS, Settings
from gatepost.runtime.signing_keys import CurrentKeys
from gatepost.standards.smtp.server import SessionSettings
from gatepost.storage.disk_reserve import DiskReserve
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.shard import ShardPaths
from gatepost.storage.queue_sqlite.store import SQLiteQueue
from gatepost.storage.request_ledger import RequestLedger
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.signing import choose_signer
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.sending_rate import SendingRate
from gatepost.tenancy.access.tab import open_tab
from gatepost.tenancy.accounts.person_ports import SystemMailer
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.dkim_key import SigningKeys
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

LAST_USED_EVERY: Final = timedelta(seconds=60)
START_EVERY: Final = timedelta(seconds=1)
"""How late scheduled mail may begin. Costs nothing while none is due."""

MEASURE_EVERY: Final = timedelta(seconds=15)
BALLAST_EVERY: Final = timedelta(seconds=5)
EVENTS_KEPT_FOR: Final = timedelta(days=30)

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What all parts of one worker are made with."""

    settings: Settings
    control: ControlPlane
    queue: SQLiteQueue
    domains: VerifiedDomains
    rate: SendingRate
    meters: WorkerMeters
    door: Acceptance
    mailer: SystemMailer
    acts: ActsInProgress
    database: Path
    metrics: Metrics
    budget: MemoryBudget
    disk: DiskReserve
    caps: SessionCaps
    connector: SMTPConnector
    sources: AssignedSources


async def compose_mail_parts(
    settings: Settings,
    *,
    index: int,
    listeners: Sequence[str],
    config_path: Path,
    environment: Mapping[str, str],
    on_prepared: Callable[[], None] = lambda: None,
) -> MailParts:
    """Put together a mail worker.

    Args:
        settings: As this process has read them.
        index: Of its shard.
        listeners: The names of the listeners it has sockets for, such as "587-starttls"; none for one that only
            empties its shard.
        config_path: Read again at a reload.
        environment: As above.
        on_prepared: Called before the shard is opened, which waits until whoever holds it lets go.

    Raises:
        Misconfigured: The control plane, the shard or a certificate cannot be used; the text says what to do.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    meters = open_meters(settings)
    control = open_control_plane(
        settings.control_database_url.reveal(), settings.keyring_path, clock, entropy, meters=meters.of_strangers
    )
    tls = ServerTLS(certificate_chains(settings.tls), listeners, clock) if listeners else None
    on_prepared()
    queue = await open_queue_in_turn(settings, index)
    base = _compose_base(settings, index, control, queue, meters)
    reloader = Reloader(config_path, environment, settings, _takers(base, tls))
    smtp = _compose_smtp(base, listeners, tls) if tls else {}
    api = _compose_api(base, listeners, tls) if tls else {}
    return MailParts(
        queue=base.queue,
        listeners={**smtp, **api},
        delivery=_compose_delivery(base),
        refresh=partial(_refresh, base),
        reload=reloader.reload,
        queue_state=partial(_queue_state, base),
        metrics=base.metrics,
        periodic=_compose_periodic(base, _compose_sources(base, smtp, tls), is_serving=tls is not None),
        close=partial(_close_control, control),
    )


def _compose_base(
    settings: Settings, index: int, control: ControlPlane, queue: SQLiteQueue, meters: WorkerMeters
) -> _Base:
    domains = VerifiedDomains(control.domains, PublicSuffixes(), control.senders)
    rate = compose_rate(settings, meters)
    disk = DiskReserve(settings.queue_dir, settings.reserve_octets, monotonic=time.monotonic, ballast=queue.ballast)
    return _Base(
        settings=settings,
        control=control,
        queue=queue,
        domains=domains,
        rate=rate,
        meters=meters,
        door=_compose_door(settings, control, queue, domains, disk=disk, rate=rate),
        mailer=compose_system_mail(settings, control, queue, domains),
        acts=ActsInProgress(),
        database=ShardPaths.of(settings.queue_dir, index).database,
        metrics=Metrics(),
        budget=MemoryBudget(settings.share(settings.submission.memory_octets)),
        disk=disk,
        caps=SessionCaps(
            max_sessions=settings.share(settings.submission.max_sessions),
            max_sessions_per_address=settings.share(settings.submission.max_sessions_per_address),
        ),
        connector=compose_connector(settings),
        sources=compose_sources(settings, control),
    )


def _takers(base: _Base, tls: ServerTLS | None) -> Mapping[str, Callable[[Settings], None]]:
    """Return who takes which settings while the worker runs; certificates first, which may be wrong."""

    def take_certificates(new: Settings) -> None:
        if tls is not None:
            tls.reload(certificate_chains(new.tls))

    def take_caps(new: Settings) -> None:
        base.caps.change(
            max_sessions=new.share(new.submission.max_sessions),
            max_sessions_per_address=new.share(new.submission.max_sessions_per_address),
        )

    def take_memory(new: Settings) -> None:
        base.budget.limit_octets = new.share(new.submission.memory_octets)

    def take_reserve(new: Settings) -> None:
        base.disk.reserve_octets = new.reserve_octets

    return {
        "tls": take_certificates,
        "submission.max_sessions": take_caps,
        "submission.max_sessions_per_address": take_caps,
        "submission.memory_octets": take_memory,
        "queue.reserve_octets": take_reserve,
    }


# ---------------------------------------------------------------- submission


def _compose_api(base: _Base, names: Sequence[str], tls: ServerTLS) -> dict[str, MailListener]:
    name = base.settings.api.name
    if name not in names:
        return {}
    parts = APIParts(
        control=base.control,
        door=base.door,
        acts=base.acts,
        past=RequestLedger(base.settings.queue_dir),
        metrics=base.metrics,
        domains=base.domains,
        resolver=compose_resolver(base.settings),
        mailer=base.mailer,
        meters=base.meters,
    )
    return {name: compose_api_listener(base.settings, parts, tls.context_for(name))}


def _compose_smtp(base: _Base, names: Sequence[str], tls: ServerTLS) -> dict[str, SMTPListener]:
    settings = base.settings
    services = _compose_submission(base)
    return {
        listener.name: SMTPListener(
            name=listener.name,
            settings=_connection_settings(settings, listener),
            open_handler=services.open_handler,
            tls_context=tls.context_for(listener.name),
            caps=base.caps,
            metrics=base.metrics,
        )
        for listener in settings.listeners
        if listener.name in names
    }


def _connection_settings(settings: Settings, listener: Listener) -> ConnectionSettings:
    submission = settings.submission
    is_implicit = listener.tls is ListenerTLS.IMPLICIT
    return ConnectionSettings(
        session=SessionSettings(
            host_name=settings.host_name,
            max_size_octets=submission.max_size_octets,
            max_recipients=submission.max_recipients,
            max_messages=submission.max_messages,
            offers_starttls=not is_implicit,
            takes_undeclared_8bit=submission.take_undeclared_8bit,
        ),
        implicit_tls=is_implicit,
        proxies=settings.proxy_protocol.trusted,
        limits=TimeLimits(
            handshake_timeout=submission.handshake_timeout,
            authentication_timeout=submission.authentication_timeout,
            idle_timeout=submission.idle_timeout,
            content_grace=submission.data_timeout,
            session_timeout=submission.session_timeout,
        ),
    )


def _compose_door(
    settings: Settings,
    control: ControlPlane,
    queue: SQLiteQueue,
    domains: VerifiedDomains,
    *,
    disk: DiskReserve,
    rate: SendingRate,
) -> Acceptance:
    return Acceptance(
        queue=queue,
        rights=control.principals,
        meter=control.principals.meter,
        budgets=control.spending,
        domains=domains,
        clock=control.clock,
        entropy=control.entropy,
        own_host_names=frozenset({settings.host_name.lower()}),
        is_batch=control.batches.is_valid,
        has_room=disk.has_room,
        rate=rate,
    )


def _compose_submission(base: _Base) -> SubmissionServices:
    settings, control = base.settings, base.control
    own_names = frozenset({settings.host_name.lower()})
    return SubmissionServices(
        access=control.principals,
        door=base.door,
        rate=base.rate,
        clock=control.clock,
        decide_reverse_path=lambda principal, path: decide_reverse_path(principal, path, base.domains),
        decide_recipient=lambda mailbox: decide_recipient(mailbox, own_names),
        open_tab=partial(open_tab, control.spending),
        metrics=base.metrics,
        spool=base.queue.spool,
        budget=base.budget,
        spool_threshold_octets=settings.submission.spool_threshold_octets,
        has_room=base.disk.has_room,
    )


# ---------------------------------------------------------------- delivery


def _compose_delivery(base: _Base) -> DeliveryWorker:
    settings = base.settings
    router = Router(
        policy=route_policy(settings),
        resolver=compose_resolver(settings),
        entropy=base.control.entropy,
        monotonic=time.monotonic,
    )
    pool = ConnectionPool(
        PoolLimits(messages_per_connection=settings.delivery.messages_per_connection), monotonic=time.monotonic
    )
    shaping = Shaping(shaping_limits(settings), destination_of=router.destination_of)
    attempts = Attempts(
        router=router,
        connector=base.connector,
        pool=pool,
        copies=OutgoingCopies(
            tools=COPY_TOOLS,
            keys=CurrentKeys(
                base.domains, SigningKeys(base.control.keyring), own_domain=settings.senders.signing_domain
            ),
            signer=choose_signer(),
            host_name=settings.host_name,
        ),
        clock=base.control.clock,
        monotonic=time.monotonic,
        is_on_hold=base.queue.is_on_hold,
        find_stop=partial(find_stop, statuses=base.control.batch_statuses),
        find_sources=base.sources.find,
    )
    return DeliveryWorker(
        queue=base.queue,
        attempts=attempts,
        shaping=shaping,
        pool=pool,
        retry=compose_retry(retry_schedule(settings), base.control.entropy),
        clock=base.control.clock,
        monotonic=time.monotonic,
        on_fault=log_fault,
        on_settled=partial(note_settlement, base.metrics),
        limits=WorkerLimits(max_leases=settings.delivery.max_connections),
    )


def _close_control(control: ControlPlane) -> None:
    try:
        control.principals.meter.give_back()
    except Transient as trouble:
        log.warning("credits_not_given_back", reason=str(trouble))
    control.close()


async def _refresh(base: _Base) -> None:
    base.control.principals.refresh()
    await asyncio.to_thread(base.control.principals.meter.give_back)
    await base.acts.settle()


async def _queue_state(base: _Base) -> QueueState:
    return QueueState(
        recipients=await asyncio.to_thread(_count_states, base.database), is_suspect=base.queue.is_suspect
    )


def _count_states(database: Path) -> dict[str, int]:
    with closing(QueueReader(database)) as reader:
        totals: Counter[str] = Counter()
        for count in reader.summarize():
            totals[count.state.value] += count.recipients
        return dict(totals)


def _count_unbalanced_accounts(database: Path) -> int:
    with closing(QueueReader(database)) as reader:
        return sum([one.difference != 0 for one in reader.read_books()])


def _compose_sources(base: _Base, listeners: Mapping[str, SMTPListener], tls: ServerTLS | None) -> Sources:
    return Sources(
        queue_state=partial(_queue_state, base),
        count_unbalanced_accounts=lambda: asyncio.to_thread(_count_unbalanced_accounts, base.database),
        count_sessions=lambda: sum([listener.open_connections for listener in listeners.values()]),
        count_content_octets=lambda: base.budget.held_octets,
        count_outgoing_connections=lambda: base.connector.open_connections,
        count_unusable_addresses=base.sources.count_unusable,
        disk=base.disk,
        certificate_expires_at=lambda: tls.expires_at if tls else None,
    )


def _compose_periodic(base: _Base, sources: Sources, *, is_serving: bool) -> tuple[Periodic, ...]:
    async def flush_last_used() -> None:
        # It waits for other writers, and for a server that may be gone.
        await asyncio.to_thread(base.control.principals.flush_last_used)

    async def give_back_credits() -> None:
        await asyncio.to_thread(base.control.principals.meter.give_back)

    async def flush_attempts() -> None:
        await asyncio.to_thread(base.control.principals.flush_attempts)

    async def keep_ballast() -> None:
        await asyncio.to_thread(base.disk.keep_ballast)

    async def prune_events() -> None:
        await base.queue.prune_events(base.control.clock.now() - EVENTS_KEPT_FOR)
        await base.queue.prune_requests(base.control.clock.now() - REMEMBERED_FOR)

    async def start_scheduled() -> None:
        await start_due(base.queue, base.control.batch_statuses, base.control.clock.now())

    return (
        *keep_up_keys(base.control, base.metrics),
        # A worker that only empties its shard takes nothing in.
        *(keep_up_people(base.settings, base.control, base.mailer, base.metrics) if is_serving else ()),
        Periodic(name="flush_last_used", every=LAST_USED_EVERY, work=flush_last_used),
        Periodic(name="give_back_credits", every=LAST_USED_EVERY, work=give_back_credits),
        Periodic(name="start_scheduled", every=START_EVERY, work=start_scheduled, at_start=True),
        Periodic(name="flush_attempts", every=LAST_USED_EVERY, work=flush_attempts),
        Periodic(name="keep_ballast", every=BALLAST_EVERY, work=keep_ballast, at_start=True),
        Periodic(name="prune_events", every=timedelta(hours=1), work=prune_events),
        Periodic(name="measure", every=MEASURE_EVERY, work=partial(measure, sources, base.metrics), at_start=True),
    )
