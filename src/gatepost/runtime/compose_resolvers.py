"""The composition of resolvers: for delivery, for looks at customers' records, for a server's own word."""

import time
from typing import Final

from gatepost.network.policy_fetcher import HTTPSPolicyFetcher
from gatepost.network.resolver import CachingResolver, Nameserver, parse_nameserver, system_nameservers
from gatepost.runtime.settings import Settings
from gatepost.tenancy.senders.ports import Resolver

_CACHED_FOR_DELIVERY: Final = 20_000
_CACHED_FOR_CHECKS: Final = 1_000


def compose_resolver(settings: Settings) -> CachingResolver:
    """Make a resolver for one event loop."""
    return _resolver(settings, *_nameservers(settings), max_cached=_CACHED_FOR_DELIVERY)


def compose_checking_resolver(settings: Settings) -> CachingResolver:
    """Make a resolver for one look at the DNS: what a customer has just mended must be seen."""
    return _resolver(settings, *_nameservers(settings), max_cached=_CACHED_FOR_CHECKS)


def compose_single_resolvers(settings: Settings) -> tuple[CachingResolver, ...]:
    """Make a resolver for each nameserver, which asks it alone and remembers nothing."""
    return tuple([_resolver(settings, server, max_cached=0) for server in _nameservers(settings)])


def compose_policy_fetcher(settings: Settings, resolver: Resolver) -> HTTPSPolicyFetcher:
    """Make what fetches MTA-STS policies, for one look at a domain."""
    return HTTPSPolicyFetcher(resolver, allow_private=settings.delivery.allow_private_destinations)


def _nameservers(settings: Settings) -> tuple[Nameserver, ...]:
    return tuple([parse_nameserver(text) for text in settings.delivery.nameservers]) or system_nameservers()


def _resolver(settings: Settings, *nameservers: Nameserver, max_cached: int) -> CachingResolver:
    return CachingResolver(
        nameservers,
        monotonic=time.monotonic,
        timeout_seconds=settings.delivery.dns_timeout.total_seconds(),
        max_cached=max_cached,
    )
