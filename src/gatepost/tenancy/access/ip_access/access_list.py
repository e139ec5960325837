"""AccessList: an account's rules, and what they say about an address. Pure; asked for each message."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from gatepost.tenancy.access.ip_allowlist import Address, Network, NetworkSet

MAX_RULES: Final = 1000
"""The dialect's own limit."""


class ListMode(Enum):
    """Whether a list refuses."""

    ENFORCED = "enforced"
    #: Nothing is refused; what would have been is recorded.
    OBSERVED = "observed"


class Verdict(Enum):
    """What became of an attempt, as far as the address it came from goes."""

    ALLOWED = "allowed"
    #: Let in, because the list is only observed.
    WOULD_REFUSE = "would refuse"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class IPRule:
    """One entry of a list; ``id`` counts from 1 within the account and is never given twice."""

    id: int
    network: Network
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessList:
    """All entries of one account, by id.

    Attributes:
        last_id: The highest id ever given.
        networks: The rules' networks, made ready.
    """

    mode: ListMode = ListMode.ENFORCED
    rules: tuple[IPRule, ...] = ()
    last_id: int = 0
    networks: NetworkSet = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", NetworkSet([rule.network for rule in self.rules]))

    def judge(self, peer: Address) -> Verdict:
        """Say whether somebody from there gets in."""
        if not self.rules or peer in self.networks:
            return Verdict.ALLOWED
        return Verdict.REFUSED if self.mode is ListMode.ENFORCED else Verdict.WOULD_REFUSE


EVERYWHERE: Final = AccessList()
"""The list of an account that has none."""
