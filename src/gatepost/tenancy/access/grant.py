"""Grant: what a key permits, and the one rule for changing it: it may only become less (architecture, promise 6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from operator import eq
from typing import TypeAlias, TypeVar

from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.budget import NO_BUDGET, Budget, Purse, tightened, tightest

Network: TypeAlias = IPv4Network | IPv6Network
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Scopes, and the limits within which they hold.

    Attributes:
        scopes: Names of the scope catalogue.
        allowed_networks: From where; empty means from anywhere.
        allowed_authors: As whom: addresses, or domains (exactly that one); empty means whatever the account may use.
        allowed_recipient_domains: To whom: domains (exactly that one); empty means to anybody.
        expires_at: Until when; None means for ever.
        budget: How much of its own it may spend; None means without a limit of its own.
        charges: What it spends is taken from these as well: the purses of the key that made it.
    """

    scopes: frozenset[str]
    allowed_networks: tuple[Network, ...] = ()
    allowed_authors: tuple[str, ...] = ()
    allowed_recipient_domains: tuple[str, ...] = ()
    expires_at: datetime | None = None
    budget: Purse | None = None
    charges: tuple[Purse, ...] = ()

    @property
    def purses(self) -> tuple[Purse, ...]:
        """All that is charged for what the key sends."""
        return self.charges if self.budget is None else (*self.charges, self.budget)


class Widening(Enum):
    """In which part a wanted grant reaches beyond the present one."""

    SCOPES = "scopes"
    NETWORKS = "networks"
    AUTHORS = "authors"
    RECIPIENTS = "recipient domains"
    EXPIRY = "expiry"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that somebody wants; None for those that are to stay as they are."""

    allowed_networks: tuple[Network, ...] | None = None
    allowed_authors: tuple[str, ...] | None = None
    allowed_recipient_domains: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    budget: Budget = NO_BUDGET


def limit(grant: Grant, limits: Limits, *, purse: Purse) -> Grant:
    """Return the grant with these limits in place of its own; whether that is less is for ``narrow`` to say.

    A budget counts in the key's own purse: in this new one, if it has none yet.
    """
    budget = grant.budget
    if limits.budget:
        own = budget or purse
        budget = replace(own, budget=tightened(own.budget, limits.budget))
    return replace(
        grant,
        allowed_networks=_chosen(limits.allowed_networks, grant.allowed_networks),
        allowed_authors=_chosen(limits.allowed_authors, grant.allowed_authors),
        allowed_recipient_domains=_chosen(limits.allowed_recipient_domains, grant.allowed_recipient_domains),
        expires_at=limits.expires_at or grant.expires_at,
        budget=budget,
    )


def inherit(maker: Grant, *, scopes: frozenset[str]) -> Grant:
    """Return what a key starts from that is made by a key: the maker's limits, and its purses to be charged."""
    return replace(maker, scopes=scopes, budget=None, charges=maker.purses)


def narrow_to(maker: Grant, limits: Limits, grant: Grant) -> Grant | Deny:
    """Return what a key made by a key is granted, or what of the wanted limits exceeds the maker's."""
    allowed = tightest(maker.purses)
    for measure, wanted in limits.budget.limits():
        most = getattr(allowed, measure.value)
        if most is not None and wanted > most:
            return Deny(Widening.BUDGET, f"{measure.value}={most}")
    return narrow(maker, grant)


def narrow(current: Grant, wanted: Grant) -> Grant | Deny:
    """Return ``wanted`` if everything it permits is permitted by ``current``; else a Deny that names what is not.

    A limit cannot be lifted: an empty list where there was one would mean "anywhere" or "anybody".
    """
    if surplus := wanted.scopes - current.scopes:
        return Deny(Widening.SCOPES, ", ".join(sorted(surplus)))
    if (network := _uncovered(current.allowed_networks, wanted.allowed_networks, _covers_network)) is not None:
        return Deny(Widening.NETWORKS, network)
    if (author := _uncovered(current.allowed_authors, wanted.allowed_authors, _covers_author)) is not None:
        return Deny(Widening.AUTHORS, author)
    recipients = _uncovered(current.allowed_recipient_domains, wanted.allowed_recipient_domains, eq)
    if recipients is not None:
        return Deny(Widening.RECIPIENTS, recipients)
    if (unkept := _unkept(current.purses, wanted.purses)) is not None:
        return Deny(Widening.BUDGET, unkept)
    if current.expires_at and (wanted.expires_at is None or wanted.expires_at > current.expires_at):
        return Deny(Widening.EXPIRY, "never" if wanted.expires_at is None else wanted.expires_at.isoformat())
    return wanted


def _chosen(wanted: tuple[T, ...] | None, present: tuple[T, ...]) -> tuple[T, ...]:
    return present if wanted is None else wanted


def _unkept(current: Sequence[Purse], wanted: Sequence[Purse]) -> str | None:
    """Name the limits of a purse that is no longer charged, or within wider limits."""
    charged = {purse.id: purse.budget for purse in wanted}
    for purse in current:
        if not charged.get(purse.id, NO_BUDGET).is_within(purse.budget):
            return ", ".join(f"{measure.value}={limit}" for measure, limit in purse.budget.limits())
    return None


def _uncovered(current: Sequence[T], wanted: Sequence[T], covers: Callable[[T, T], bool]) -> str | None:
    if current and not wanted:
        return "any"
    return next(
        (str(inner) for inner in wanted if current and not any(covers(outer, inner) for outer in current)), None
    )


def _covers_network(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)


def _covers_author(outer: str, inner: str) -> bool:
    # A domain covers itself and each address in exactly that domain; an address covers only itself.
    return inner == outer or ("@" not in outer and inner.rpartition("@")[2] == outer)
