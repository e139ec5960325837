"""The parts of delivery, out of the settings: routes, limits, retries, what is written down."""

import time
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Final

from gatepost.mailflow.delivery.outgoing import CopyTools
from gatepost.mailflow.delivery.route import RoutePolicy
from gatepost.mailflow.delivery.settlement import RetryPolicy
from gatepost.mailflow.delivery.shaping import ShapingLimits
from gatepost.mailflow.delivery.static_route import parse_static_route
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.mailflow.events.event import EventType
from gatepost.mailflow.queue.recipient import Lease, Settlement
from gatepost.mailflow.queue.retry import RetrySchedule, decide_next
from gatepost.network.delivery_tls import DeliveryTLS
from gatepost.network.local_address import find_bind_trouble
from gatepost.network.smtp_connector import SMTPConnector
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import RelayError
from gatepost.runtime.assigned_sources import AssignedSources, parse_source_addresses
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.settings import Settings
from gatepost.standards.dkim.body_hash import BodyHasher, relaxed_body_hash
from gatepost.standards.dkim.sign import finish, prepare
from gatepost.standards.message.header import parse_header_section
from gatepost.standards.message.mime import NotConvertible, downgrade_to_7bit
from gatepost.standards.smtp.transaction import ClientTimeouts
from gatepost.telemetry.logger import get_logger
from gatepost.telemetry.metrics import Metrics

log = get_logger()


def route_policy(settings: Settings) -> RoutePolicy:
    """Return where mail goes."""
    return RoutePolicy(
        static_routes={name: parse_static_route(text) for name, text in settings.delivery.routes.items()},
        own_names=frozenset({settings.host_name.lower()}),
        own_addresses=frozenset(listener.address for listener in settings.listeners if listener.address != "*"),
        allow_private_destinations=settings.delivery.allow_private_destinations,
        tls=TLSRequirement.ENCRYPTED if settings.delivery.require_tls else TLSRequirement.OPPORTUNISTIC,
    )


def shaping_limits(settings: Settings) -> ShapingLimits:
    """Return how many connections a destination gets."""
    connections = settings.delivery.connections_per_destination
    return ShapingLimits(
        max_connections=connections,
        initial_connections=min(ShapingLimits().initial_connections, connections),
    )


def compose_connector(settings: Settings) -> SMTPConnector:
    """Put together what opens connections to destinations."""
    delivery = settings.delivery
    return SMTPConnector(
        greeting_name=settings.host_name,
        tls=DeliveryTLS(),
        timeouts=ClientTimeouts(
            connect=delivery.connect_timeout,
            greeting=delivery.command_timeout,
            command=delivery.command_timeout,
            content=delivery.data_timeout,
            final_dot=delivery.final_reply_timeout,
        ),
        source_address=str(delivery.source_address) if delivery.source_address else None,
    )


def compose_sources(settings: Settings, control: ControlPlane) -> AssignedSources:
    """Put together what says from where an account's mail leaves."""
    return AssignedSources(
        parse_source_addresses(settings.delivery.source_addresses),
        accounts=control.accounts,
        version=control.version,
        find_trouble=find_bind_trouble,
        monotonic=time.monotonic,
    )


def hash_body(pieces: Iterable[bytes]) -> bytes:
    """A body in memory comes in one piece, for which there is a quicker way."""
    first = next(iterator := iter(pieces), b"")
    second = next(iterator, None)
    if second is None:
        return relaxed_body_hash(first)
    hasher = BodyHasher()
    for piece in chain((first, second), iterator):
        hasher.update(piece)
    return hasher.digest()


def downgrade(octets: bytes) -> bytes | None:
    """Return the content in 7 bits; None if it cannot be had so."""
    try:
        return downgrade_to_7bit(octets)
    except NotConvertible:
        return None


COPY_TOOLS: Final = CopyTools(
    parse=parse_header_section, hash_body=hash_body, prepare=prepare, finish=finish, downgrade=downgrade
)


def compose_retry(schedule: RetrySchedule, entropy: Entropy) -> RetryPolicy:
    """Put together when a recipient is tried again."""

    def next_attempt(attempts: int, due_at: datetime, now: datetime) -> datetime | None:
        jitter = int.from_bytes(entropy.draw(4), "big") / (1 << 32)
        return decide_next(attempts, due_at, now, jitter, schedule)

    return next_attempt


def log_fault(step: str, lease: Lease | None, error: BaseException) -> None:
    """Write down what went wrong in a delivery, beside what the peer said."""
    message_id = lease.message.id if lease else None
    if isinstance(error, RelayError):
        log.error("delivery_fault", step=step, message_id=message_id, reason=str(error))
    else:
        log.error("delivery_fault", step=step, message_id=message_id, exc_info=error)


def note_settlement(metrics: Metrics, settlement: Settlement) -> None:
    """Write down what became of the recipients of one lease, and count it."""
    message = settlement.lease.message
    for recipient in settlement.recipients:
        event = recipient.event
        metrics.attempts.add(event.type.value)
        if event.type is EventType.DELIVERED:
            metrics.delivery_seconds.observe((event.at - message.due_at).total_seconds())
    log.info(
        "settled",
        message_id=message.id,
        account_id=message.account_id,
        domain=settlement.lease.domain,
        outcomes=[f"{recipient.position}={recipient.event.type.value}" for recipient in settlement.recipients],
        # The code alone: the words that follow often quote the recipient's address; `gatepost events` has them.
        status=settlement.recipients[0].event.detail.get("reply", "")[:3],
    )


# ---------------------------------------------------------------- upkeep
