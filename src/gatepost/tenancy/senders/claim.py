"""Claiming a domain for an account, and proving the claim by the DNS: what every way in does the same way."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.dkim_key import generate_dkim_keys
from gatepost.tenancy.senders.dns_check import Finding, check_domain, is_proved
from gatepost.tenancy.senders.dns_plan import plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.ports import DomainStore, Keyring, Resolver
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.review import DomainReview


class NotClaimable(Exception):
    """Nobody can claim that name; the text says why, for the operator."""


class HeldForReview(Exception):
    """The DNS proves the claim, but its name looks like another's: the operator has to look, or has said no."""

    def __init__(self, review: DomainReview) -> None:
        super().__init__(review.name)
        self.review: Final = review


def claim_domain(
    store: DomainStore, account_id: AccountId, name: str, *, keyring: Keyring, entropy: Entropy, now: datetime
) -> AuthenticatedDomain:
    """Store an account's claim to a domain, PENDING, with DKIM keys of its own.

    Args:
        name: Lower-case A-labels.

    Raises:
        NotClaimable: The name is a public suffix.
        DomainTaken: The account has claimed it already.
    """
    if PublicSuffixes().find_organizational_domain(name) is None:
        raise NotClaimable(f"{name} is a public suffix, under which others register: nobody can claim it")
    keys = generate_dkim_keys(account_id, name, keyring=keyring, entropy=entropy, created_at=now)
    claim = AuthenticatedDomain(
        name=name, account_id=account_id, state=DomainState.PENDING, dkim_keys=keys, created_at=now
    )
    store.add(claim)
    return claim


async def prove_domain(
    store: DomainStore,
    claim: AuthenticatedDomain,
    resolver: Resolver,
    *,
    guard: LookAlikeGuard,
    sending_networks: Sequence[IPv4Network | IPv6Network],
    host_name: str,
    now: datetime,
) -> tuple[Finding, ...]:
    """Ask the DNS for the records the claim needs; where they prove it, make it VERIFIED. ``is_proved`` tells which.

    Raises:
        HeldForReview: They do, but the name looks like another's and the operator has not approved it.
        DomainTaken: They do, but another account has verified the name.
    """
    plan = plan_records(claim, sending_networks=sending_networks, host_name=host_name)
    findings = await check_domain(
        claim.name, plan, resolver, sending_networks=sending_networks, host_name=host_name, at=now
    )
    if is_proved(findings):
        if claim.state is not DomainState.VERIFIED:
            objection = guard.find_objection(claim.account_id, claim.name, now)
            if objection is not None:
                raise HeldForReview(objection)
        store.mark_verified(claim.account_id, claim.name, now)
    return findings
