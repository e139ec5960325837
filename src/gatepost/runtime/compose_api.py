"""The composition of the HTTP API in a mail worker."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from starlette.routing import Route

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.app import build_app
from gatepost.entrypoints.api.authentication import Authentication
from gatepost.entrypoints.api.callers import CurrentCallers
from gatepost.entrypoints.api.endpoint import BodyBudget, EndpointServices
from gatepost.entrypoints.api.forwarded import Proxies
from gatepost.entrypoints.api.idempotency import Once, PastRequests
from gatepost.entrypoints.api.leaked_keys import PATH as LEAKED_KEYS_PATH
from gatepost.entrypoints.api.leaked_keys import LeakedKeys, hash_token
from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.listener import APIListener, ListenerLimits
from gatepost.entrypoints.api.operation import Operation
from gatepost.entrypoints.api.rate_limit import RateLimit, RequestRates
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.access_settings import AccessSettings
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_batch import MailBatches
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.entrypoints.api.v3.password_resets import TokenEntries
from gatepost.entrypoints.api.v3.scheduled_sends import ScheduledSends
from gatepost.entrypoints.api.v3.sessions import Sessions
from gatepost.entrypoints.api.v3.subuser_credits import SubuserCredits
from gatepost.entrypoints.api.v3.subuser_monitor import SubuserMonitor
from gatepost.entrypoints.api.v3.subuser_stats import SubuserStats
from gatepost.entrypoints.api.v3.subusers import Subusers
from gatepost.entrypoints.api.v3.teammates import Teammates
from gatepost.entrypoints.api.v3.user import User
from gatepost.entrypoints.api.v3.user_factors import UserFactors
from gatepost.entrypoints.api.v3.verified_senders import VerifiedSenders
from gatepost.entrypoints.api.v3.whitelabel import Whitelabel
from gatepost.entrypoints.api.v3.whitelabel_dns_email import WhitelabelDnsEmail
from gatepost.entrypoints.api.v3.whitelabel_domains import WhitelabelDomains
from gatepost.entrypoints.api.v3.whitelabel_ips import WhitelabelIps
from gatepost.entrypoints.api.v3.whitelabel_lending import WhitelabelLending
from gatepost.entrypoints.api.v3.whitelabel_link_lending import WhitelabelLinkLending
from gatepost.entrypoints.api.v3.whitelabel_links import WhitelabelLinks
from gatepost.mailflow.submission.accept import Acceptance
from gatepost.runtime.assigned_sources import parse_source_addresses
from gatepost.runtime.compose_meters import WorkerMeters
from gatepost.runtime.compose_people import compose_people, make_token_text
from gatepost.runtime.compose_resolvers import compose_checking_resolver, compose_policy_fetcher
from gatepost.runtime.compose_senders import compose_guard, compose_rights_changed
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.own_zone import relay_of
from gatepost.runtime.rights_changed import ControlledWorkers
from gatepost.runtime.settings import Settings
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.ip_allowlist import NetworkSet
from gatepost.tenancy.access.meters import Rate
from gatepost.tenancy.access.throttle import AuthenticationThrottle
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.person_ports import SystemMailer
from gatepost.tenancy.audit.entry import Actor
from gatepost.tenancy.senders.alignment import VerifiedDomains
from gatepost.tenancy.senders.letter_limit import LetterLimit
from gatepost.tenancy.senders.ports import Resolver
from gatepost.tenancy.senders.single_sender_proof import SenderProofs


@dataclass(frozen=True, slots=True, kw_only=True)
class APIParts:
    """What the API is made of, beside settings."""

    control: ControlPlane
    door: Acceptance
    acts: ActsInProgress
    past: PastRequests
    metrics: Metrics
    domains: VerifiedDomains
    resolver: Resolver
    mailer: SystemMailer
    meters: WorkerMeters


def compose_api_listener(settings: Settings, parts: APIParts, tls_context: Callable[[], ssl.SSLContext]) -> APIListener:
    """Put the API together."""
    api, control = settings.api, parts.control
    proxies = Proxies(NetworkSet(api.trusted_proxies), api.forwarded_header)
    services = EndpointServices(
        authentication=Authentication(control.principals, parts.metrics, control.people),
        subusers=control.accounts,
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
        build_app(services, compose_operations(settings, parts), *_compose_operator_routes(settings, parts, proxies)),
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


def _compose_operator_routes(settings: Settings, parts: APIParts, proxies: Proxies) -> list[Route]:
    """Return what the operator's own token opens: nothing, where there is none."""
    token, control = settings.api.leaked_key_token, parts.control
    if token is None:
        return []
    leaked = LeakedKeys(
        token_hash=hash_token(token),
        keys_as=lambda actor: control.acting_as(actor).keys,
        rights_changed=compose_rights_changed(settings, control),
        clock=control.clock,
        hash_secret=control.keyring.hash_secret,
        throttle=AuthenticationThrottle(),
        proxies=proxies,
    )
    return [Route(LEAKED_KEYS_PATH, leaked)]


def _each_second(requests: int) -> Rate:
    """Return a rate with room for a burst of twice as many."""
    return Rate(2 * requests, requests)


def compose_operations(settings: Settings, parts: APIParts) -> tuple[Operation, ...]:
    """Return everything the API can do."""
    control = parts.control
    sending = MailSending(
        door=parts.door,
        batches=control.batches,
        once=Once(parts.past, control.clock),
        clock=control.clock,
        entropy=control.entropy,
        metrics=parts.metrics,
        max_size_octets=settings.submission.max_size_octets,
    )
    callers = CurrentCallers(control.principals, control.people)
    rights_changed = compose_rights_changed(settings, control)
    keys = ApiKeys(
        access=callers,
        keys=control.keys,
        keys_as=lambda actor: control.acting_as(actor).keys,
        rights_changed=rights_changed,
        acts=parts.acts,
        clock=control.clock,
        entropy=control.entropy,
        hash_secret=control.keyring.hash_secret,
    )
    people = compose_people(settings, control)
    access_settings = AccessSettings(
        callers=callers,
        lists=control.ip_access,
        lists_as=lambda actor: control.acting_as(actor).ip_access,
        attempts=control.attempts,
        rights_changed=rights_changed,
        acts=parts.acts,
        clock=control.clock,
    )
    return (
        *sending.operations(),
        *_compose_batches(control),
        *keys.operations(),
        *access_settings.operations(),
        *scopes.OPERATIONS,
        *_compose_subusers(settings, parts, callers, people),
        *_compose_senders(settings, parts, callers, rights_changed).operations(),
        *_compose_whitelabel_operations(settings, parts, callers, rights_changed),
        *_compose_people_operations(settings, parts, callers, rights_changed, people),
    )


def _compose_batches(control: ControlPlane) -> tuple[Operation, ...]:
    scheduled = ScheduledSends(
        batches=control.batches, batches_as=lambda actor: control.acting_as(actor).batches, clock=control.clock
    )
    batches = MailBatches(batches=control.batches, clock=control.clock, entropy=control.entropy)
    return (*batches.operations(), *scheduled.operations())


def _compose_subusers(
    settings: Settings, parts: APIParts, callers: CurrentCallers, people: PeopleUseCases
) -> tuple[Operation, ...]:
    control = parts.control
    subusers = Subusers(
        callers=callers,
        accounts=control.accounts,
        accounts_as=lambda actor: control.acting_as(actor).accounts,
        lists=control.ip_access,
        lists_as=lambda actor: control.acting_as(actor).ip_access,
        unit_of_work=control.audit.unit_of_work,
        rights_changed=compose_rights_changed(settings, control),
        acts=parts.acts,
        clock=control.clock,
        entropy=control.entropy,
        sending_networks=_own_networks(settings),
        first_owners=people.first_owners,
    )
    return (
        *subusers.operations(),
        *SubuserMonitor(subusers=subusers).operations(),
        *SubuserCredits(subusers=subusers).operations(),
        *SubuserStats(subusers=subusers, statistics=control.statistics).operations(),
    )


def _compose_senders(
    settings: Settings, parts: APIParts, callers: CurrentCallers, rights_changed: ControlledWorkers
) -> VerifiedSenders:
    control = parts.control

    def proofs_of(plane: ControlPlane) -> SenderProofs:
        return SenderProofs(
            store=plane.senders,
            attempts=control.people_stores.attempts,
            entropy=control.entropy,
            keyed_hash=control.keyring.hash_secret,
        )

    def proofs_as(actor: Actor) -> SenderProofs:
        return proofs_of(control.acting_as(actor))

    return VerifiedSenders(
        callers=callers,
        proofs=proofs_of(control),
        proofs_as=proofs_as,
        domains=control.domains,
        rule=parts.domains,
        letters=_compose_letters(settings, parts),
        resolver=parts.resolver,
        rights_changed=rights_changed,
        acts=parts.acts,
        clock=control.clock,
    )


def _compose_letters(settings: Settings, parts: APIParts) -> Letters:
    return Letters(mailer=parts.mailer, host_name=settings.host_name, show_token=make_token_text(settings))


def _compose_whitelabel(
    settings: Settings, parts: APIParts, callers: CurrentCallers, rights_changed: ControlledWorkers
) -> Whitelabel:
    control = parts.control
    return Whitelabel(
        callers=callers,
        accounts=control.accounts,
        domains=control.domains,
        domains_as=lambda actor: control.acting_as(actor).domains,
        branding=control.branding,
        branding_as=lambda actor: control.acting_as(actor).branding,
        rights_changed=rights_changed,
        acts=parts.acts,
        clock=control.clock,
        entropy=control.entropy,
        keyring=control.keyring,
        relay=relay_of(settings),
        resolver=lambda: compose_checking_resolver(settings),
        policy_fetcher=lambda resolver: compose_policy_fetcher(settings, resolver),
        guard_as=lambda actor: compose_guard(
            control.acting_as(actor), settings.host_name, settings.senders.protected_names
        ),
    )


def _compose_whitelabel_operations(
    settings: Settings, parts: APIParts, callers: CurrentCallers, rights_changed: ControlledWorkers
) -> tuple[Operation, ...]:
    service = _compose_whitelabel(settings, parts, callers, rights_changed)
    return compose_whitelabel(service, parts.control, _compose_letters(settings, parts))


def compose_whitelabel(service: Whitelabel, control: ControlPlane, letters: Letters) -> tuple[Operation, ...]:
    """Return what the resources under ``/v3/whitelabel`` can do."""
    limit = LetterLimit(
        attempts=control.people_stores.attempts, entropy=control.entropy, keyed_hash=control.keyring.hash_secret
    )
    dns_email = WhitelabelDnsEmail(service=service, letters=letters, limit=limit, recorder_as=control.recorder_for)
    return (
        # First, as "subuser" stands where a number could.
        *WhitelabelLending(service=service).operations(),
        *WhitelabelDomains(service=service).operations(),
        *WhitelabelLinkLending(service=service).operations(),
        *WhitelabelLinks(service=service).operations(),
        *WhitelabelIps(service=service).operations(),
        *dns_email.operations(),
    )


def _own_networks(settings: Settings) -> tuple[IPv4Network | IPv6Network, ...]:
    source = settings.delivery.source_address
    single = [*([source] if source else []), *parse_source_addresses(settings.delivery.source_addresses)]
    return (*settings.senders.sending_networks, *[ip_network(address) for address in single])


def _compose_people_operations(
    settings: Settings,
    parts: APIParts,
    callers: CurrentCallers,
    rights_changed: ControlledWorkers,
    people: PeopleUseCases,
) -> tuple[Operation, ...]:
    letters = _compose_letters(settings, parts)
    teammates = Teammates(
        people=people, callers=callers, letters=letters, rights_changed=rights_changed, acts=parts.acts
    )
    return (
        *Sessions(people=people, rights_changed=rights_changed).operations(),
        *TokenEntries(people=people, letters=letters).operations(),
        *UserFactors(people=people).operations(),
        *User(people=people, letters=letters).operations(),
        *teammates.operations(),
    )
