"""The composition of the HTTP API in a mail worker."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.app import build_app
from gatepost.entrypoints.api.authentication import Authentication
from gatepost.entrypoints.api.endpoint import BodyBudget, EndpointServices
from gatepost.entrypoints.api.forwarded import Proxies
from gatepost.entrypoints.api.listener import APIListener, ListenerLimits
from gatepost.entrypoints.api.operation import Operation
from gatepost.entrypoints.api.rate_limit import RateLimit, RequestRates
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.access_settings import AccessSettings
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.mailflow.submission.accept import Acceptance
from gatepost.runtime.compose_commands import compose_workers
from gatepost.runtime.compose_meters import WorkerMeters
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.rights_changed import ControlledWorkers
from gatepost.runtime.settings import Settings
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.ip_allowlist import NetworkSet
from gatepost.tenancy.access.meters import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class APIParts:
    """What the API is made of, beside settings."""

    control: ControlPlane
    door: Acceptance
    acts: ActsInProgress
    metrics: Metrics
    meters: WorkerMeters


def compose_api_listener(settings: Settings, parts: APIParts, tls_context: Callable[[], ssl.SSLContext]) -> APIListener:
    """Put the API together."""
    api, control = settings.api, parts.control
    proxies = Proxies(NetworkSet(api.trusted_proxies), api.forwarded_header)
    services = EndpointServices(
        authentication=Authentication(control.principals, parts.metrics),
        rate_limit=RateLimit(
            parts.meters.of_accounts,
            parts.meters.of_strangers,
            RequestRates(
                key=_each_second(api.requests_per_second),
                account=_each_second(api.account_requests_per_second),
                address=_each_second(api.address_requests_per_second),
            ),
        ),
        proxies=proxies,
        budget=BodyBudget(settings.share(api.memory_octets)),
        clock=control.clock,
        metrics=parts.metrics,
        max_body_octets=api.max_body_octets,
        body_timeout=api.body_timeout,
    )
    return APIListener(
        build_app(services, compose_operations(settings, parts)),
        tls_context=tls_context,
        limits=ListenerLimits(
            max_connections=settings.share(api.max_connections),
            max_connections_per_address=settings.share(api.max_connections_per_address),
            header_timeout=api.header_timeout,
            idle_timeout=api.idle_timeout,
            handshake_timeout=settings.submission.handshake_timeout,
        ),
        is_proxy=proxies.is_trusted,
        clock=control.clock,
        metrics=parts.metrics,
    )


def _each_second(requests: int) -> Rate:
    """Return a rate with room for a burst of twice as many."""
    return Rate(2 * requests, requests)


def compose_operations(settings: Settings, parts: APIParts) -> tuple[Operation, ...]:
    """Return everything the API can do."""
    control = parts.control
    sending = MailSending(
        door=parts.door,
        clock=control.clock,
        entropy=control.entropy,
        metrics=parts.metrics,
        max_size_octets=settings.submission.max_size_octets,
    )
    keys = ApiKeys(
        access=control.principals,
        keys=control.keys,
        keys_as=lambda actor: control.acting_as(actor).keys,
        rights_changed=ControlledWorkers(compose_workers(settings)),
        acts=parts.acts,
        clock=control.clock,
        entropy=control.entropy,
        hash_secret=control.keyring.hash_secret,
    )
    access_settings = AccessSettings(
        access=control.principals,
        lists=control.ip_access,
        lists_as=lambda actor: control.acting_as(actor).ip_access,
        attempts=control.attempts,
        rights_changed=ControlledWorkers(compose_workers(settings)),
        acts=parts.acts,
        clock=control.clock,
    )
    return (*sending.operations(), *keys.operations(), *access_settings.operations(), *scopes.OPERATIONS)
