"""Grant: what a key permits, and the one rule for changing it: it may only become less (architecture, promise 6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias, TypeVar

from gatepost.primitives.decision import Deny

Network: TypeAlias = IPv4Network | IPv6Network
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Scopes, and the limits within which they hold.

    Attributes:
        scopes: Names of the scope catalogue.
        allowed_networks: From where; empty means from anywhere.
        allowed_authors: As whom: addresses, or domains (exactly that one); empty means whatever the account may use.
        expires_at: Until when; None means for ever.
    """

    scopes: frozenset[str]
    allowed_networks: tuple[Network, ...] = ()
    allowed_authors: tuple[str, ...] = ()
    expires_at: datetime | None = None


class Widening(Enum):
    """In which part a wanted grant reaches beyond the present one."""

    SCOPES = "scopes"
    NETWORKS = "networks"
    AUTHORS = "authors"
    EXPIRY = "expiry"


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
    if current.expires_at and (wanted.expires_at is None or wanted.expires_at > current.expires_at):
        return Deny(Widening.EXPIRY, "never" if wanted.expires_at is None else wanted.expires_at.isoformat())
    return wanted


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
