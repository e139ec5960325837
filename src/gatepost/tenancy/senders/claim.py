"""Claiming a domain for an account, and proving the claim by the DNS: what every way in does the same way."""

from dataclasses import replace
from datetime import datetime

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.dkim_key import generate_dkim_keys
from gatepost.tenancy.senders.dns_check import Finding, check_domain, is_proved
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState, DomainTaken
from gatepost.tenancy.senders.ports import DomainStore, Keyring, Resolver
from gatepost.tenancy.senders.public_suffix import PublicSuffixes


class NotClaimable(Exception):
    """Nobody can claim that name; the text says why, for the operator."""


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
    if store.find(account_id, name) is not None:
        raise DomainTaken(name)
    keys = generate_dkim_keys(account_id, name, keyring=keyring, entropy=entropy, created_at=now)
    claim = AuthenticatedDomain(
        name=name, account_id=account_id, state=DomainState.PENDING, dkim_keys=keys, created_at=now
    )
    return replace(claim, id=store.add(claim))


async def prove_domain(
    store: DomainStore,
    claim: AuthenticatedDomain,
    resolver: Resolver,
    *,
    relay: Relay,
    now: datetime,
) -> tuple[Finding, ...]:
    """Ask the DNS for the records the claim needs; where they prove it, make it VERIFIED. ``is_proved`` tells which.

    Raises:
        DomainTaken: They do, but another account has verified the name.
    """
    findings = await check_domain(claim.name, plan_records(claim, relay), resolver, relay=relay, at=now)
    if is_proved(findings):
        store.mark_verified(claim.account_id, claim.id, now)
    return findings
