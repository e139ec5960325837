"""From a recipient's domain to the hosts that take its mail, in the order to try them (RFC 5321 §5, RFC 7505).

Pure: ``find_route`` is a generator that yields questions for the DNS and is sent their answers.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from ipaddress import ip_address
from typing import TypeAlias

from gatepost.mailflow.delivery.destination_address import is_public
from gatepost.mailflow.delivery.static_route import StaticRoute, find_static_route
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import MX, Address

SMTP_PORT = 25

MAX_EXCHANGES = 10
"""MX hosts whose addresses are asked for; a domain with a hundred of them costs no more than this."""

MAX_HOPS = 10
"""Addresses tried in one attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """One address to connect to.

    Attributes:
        host: The name it was found by: what a certificate must be for.
        source: The local address to connect from; "" for the service's own. Connections are kept apart by it.
    """

    host: str
    address: str
    port: int
    tls: TLSRequirement = TLSRequirement.OPPORTUNISTIC
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The next hops in the order to try them; at least one."""

    hops: tuple[NextHop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unroutable:
    """No mail can go there: bounce at once. ``status`` is the enhanced status code (RFC 3463, RFC 7505)."""

    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The DNS did not say: try again later."""

    reason: str


RouteResult: TypeAlias = Route | Unroutable | Undecided

Questions: TypeAlias = tuple[Question, ...]
Answers: TypeAlias = Sequence[Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicy:
    """The operator's part of routing.

    Attributes:
        static_routes: By domain; ``*`` for all others.
        own_names: Names under which we are a mail exchanger; lower case.
        own_addresses: Addresses on which we listen; never connected to because of the DNS.
        allow_private_destinations: Whether the DNS may send us to private and loopback addresses.
        tls: What TLS a next hop must show where its route does not say.
        port: Where mail exchangers listen; another one only in tests.
    """

    static_routes: Mapping[str, StaticRoute] = field(default_factory=dict)
    own_names: frozenset[str] = frozenset()
    own_addresses: frozenset[str] = frozenset()
    allow_private_destinations: bool = False
    tls: TLSRequirement = TLSRequirement.OPPORTUNISTIC
    port: int = SMTP_PORT


def find_route(domain: str, policy: RoutePolicy, *, seed: bytes) -> Generator[Questions, Answers, RouteResult]:
    """Find the next hops for a domain.

    Args:
        domain: A recipient's, lower-case A-labels.
        policy: The operator's settings.
        seed: Random octets that shuffle hosts of equal preference (RFC 5321 §5.1).

    Yields:
        Questions to be asked side by side; send back their answers in the same order.

    Returns:
        Where to go, or why not.
    """
    static_route = find_static_route(domain, policy.static_routes)
    if static_route is not None:
        return (yield from _follow_static_route(static_route, policy.tls))
    if domain.startswith("["):
        return Unroutable(status="5.1.2", reason="mail to address literals is not delivered")
    exchanges = yield from _find_exchanges(domain, policy, seed)
    if not isinstance(exchanges, tuple):
        return exchanges
    return (yield from _find_hops(exchanges, policy, seed))


def _follow_static_route(route: StaticRoute, tls: TLSRequirement) -> Generator[Questions, Answers, RouteResult]:
    try:
        addresses: tuple[str, ...] = (str(ip_address(route.host)),)
        failed = ""
    except ValueError:
        answers = yield _address_questions((route.host,))
        addresses = _addresses(answers)
        failed = _failure(answers)
    if not addresses:
        # A person set this route and can mend it: mail waits.
        return Undecided(reason=f"no address for the route {route.destination}" + (f": {failed}" if failed else ""))
    hops = [NextHop(host=route.host, address=address, port=route.port, tls=route.tls or tls) for address in addresses]
    return Route(hops=tuple(hops[:MAX_HOPS]))


def _find_exchanges(
    domain: str, policy: RoutePolicy, seed: bytes
) -> Generator[Questions, Answers, tuple[str, ...] | Unroutable | Undecided]:
    """Return the hosts to try, best first; the domain itself where it has no MX (RFC 5321 §5.1)."""
    (answer,) = yield (Question(domain, RecordType.MX),)
    if answer.status is AnswerStatus.FAILED:
        return Undecided(reason=f"MX lookup failed: {answer.detail}")
    if answer.status is AnswerStatus.NO_NAME:
        return Unroutable(status="5.1.2", reason="the domain does not exist")
    exchangers = [record for record in answer.records if isinstance(record, MX)]
    if not exchangers:
        return (domain,)
    usable = [record for record in exchangers if record.exchange]
    if not usable:
        return Unroutable(status="5.1.10", reason="the domain takes no mail (null MX)")
    own = [record.preference for record in usable if record.exchange in policy.own_names]
    if own:
        # We are one of its exchangers: only those better than us may get it, or it would come back (RFC 5321 §5.1).
        usable = [record for record in usable if record.preference < min(own)]
        if not usable:
            return Unroutable(status="5.4.6", reason="mail for the domain loops back to this host")
    usable.sort(key=lambda record: (record.preference, _rank(record.exchange, seed)))
    return tuple(dict.fromkeys(record.exchange for record in usable))[:MAX_EXCHANGES]


def _find_hops(hosts: tuple[str, ...], policy: RoutePolicy, seed: bytes) -> Generator[Questions, Answers, RouteResult]:
    answers = yield _address_questions(hosts)
    hops = []
    refused = ""
    for row, host in enumerate(hosts):
        found = _addresses(answers[2 * row : 2 * row + 2])
        for address in sorted(found, key=lambda text: (":" in text, _rank(text, seed))):
            if _may_connect(address, policy):
                hops.append(NextHop(host=host, address=address, port=policy.port, tls=policy.tls))
            else:
                refused = refused or f"{host} has only addresses that are private or ours"
    if hops:
        return Route(hops=tuple(hops[:MAX_HOPS]))
    failed = _failure(answers)
    if failed:
        return Undecided(reason=f"address lookup failed: {failed}")
    return Unroutable(status="5.4.4", reason=refused or "no mail exchanger of the domain has an address")


def _may_connect(address: str, policy: RoutePolicy) -> bool:
    if address in policy.own_addresses:
        return False
    return policy.allow_private_destinations or is_public(address)


def _address_questions(hosts: Sequence[str]) -> Questions:
    return tuple([Question(host, kind) for host in hosts for kind in (RecordType.A, RecordType.AAAA)])


def _addresses(answers: Answers) -> tuple[str, ...]:
    """IPv4 first: its reputation and reverse DNS are more often in order than those of IPv6."""
    return tuple([record.address for answer in answers for record in answer.records if isinstance(record, Address)])


def _failure(answers: Answers) -> str:
    return next((answer.detail or "failed" for answer in answers if answer.status is AnswerStatus.FAILED), "")


def _rank(text: str, seed: bytes) -> bytes:
    return blake2b(text.encode(), key=seed[:64], digest_size=8).digest()
