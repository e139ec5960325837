"""Claiming a domain for an account, and proving the claim by the DNS: what every way in does the same way."""

import re
from base64 import b32encode
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.tenancy.senders.dkim_key import generate_dkim_key, generate_dkim_keys, hold_selector
from gatepost.tenancy.senders.dns_check import Finding, check_domain, is_proved, note_found
from gatepost.tenancy.senders.dns_plan import Relay, plan_records
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, DomainTaken
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.ports import DomainStore, Keyring, Resolver
from gatepost.tenancy.senders.public_suffix import PublicSuffixes
from gatepost.tenancy.senders.review import DomainReview

MAX_ADDRESSES: Final = 10
"""More do not fit into one answer of the DNS."""

_LABEL_OCTETS = 10
_RETURN_PATH = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_SELECTOR = re.compile(r"[a-z0-9]{3}", re.ASCII)


class NotClaimable(Exception):
    """Nobody can claim that name, or not so; the text says why, and ``field`` what of the wish is wrong."""

    def __init__(self, text: str, field: str = "domain") -> None:
        super().__init__(text)
        self.field: Final = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a domain is to be authenticated.

    Attributes:
        is_automatic: By CNAMEs into our own zone, where keys are rotated; else by records with the values themselves.
        has_return_path: Whether bounces go to a name below the domain with manual security too; then DKIM is one key.
        return_path: The label for that; "" for one that is drawn.
        selector: Three letters or digits instead of ``s1`` (``m1`` with manual security), so that one domain can be
            authenticated several times; "" for the usual.
        is_default: Whether it signs for authors whose domain no claim matches.
        custom_spf: Whether the return path's SPF names ``addresses`` alone.
        addresses: Addresses or networks that send.
    """

    is_automatic: bool = False
    has_return_path: bool = False
    return_path: str = ""
    selector: str = ""
    is_default: bool = False
    custom_spf: bool = False
    addresses: tuple[str, ...] = ()

    @property
    def is_simple(self) -> bool:
        """Manual security by two keys with selectors of their own, and SPF at the domain itself."""
        return not (self.is_automatic or self.has_return_path or self.return_path or self.selector)


class HeldForReview(Exception):
    """The DNS proves the claim, but its name looks like another's: the operator has to look, or has said no."""

    def __init__(self, review: DomainReview) -> None:
        super().__init__(review.name)
        self.review: Final = review


def claim_domain(
    store: DomainStore,
    account_id: AccountId,
    name: str,
    *,
    keyring: Keyring,
    entropy: Entropy,
    now: datetime,
    wish: Wish | None = None,
) -> AuthenticatedDomain:
    """Store an account's claim to a domain, PENDING, with DKIM keys of its own.

    Args:
        store: Where it rests.
        account_id: Whose it is.
        name: Lower-case A-labels.
        keyring: Seals the keys.
        entropy: Draws what must not be guessed.
        now: The present instant.
        wish: Manual security, with two keys and no return path, unless it says otherwise.

    Raises:
        NotClaimable: The name is a public suffix, or the wish cannot be fulfilled.
        DomainTaken: The account has claimed it already, with these selectors or that return path.
    """
    if PublicSuffixes().find_organizational_domain(name) is None:
        raise NotClaimable(f"{name} is a public suffix, under which others register: nobody can claim it")
    wish = wish or Wish()
    check_wish(wish)
    present = [each for each in store.list_all(account_id) if each.name == name]
    if present and wish.is_simple:
        raise DomainTaken(name)
    claim = AuthenticatedDomain(
        name=name,
        account_id=account_id,
        state=DomainState.PENDING,
        dkim_keys=_draw_keys(account_id, name, wish, keyring=keyring, entropy=entropy, now=now),
        created_at=now,
        return_path=wish.return_path or _draw_return_path(wish, present, entropy),
        label=_draw_label(entropy) if wish.is_automatic else None,
        is_default=wish.is_default,
        custom_spf=wish.custom_spf,
        addresses=tuple(sorted(wish.addresses)),
    )
    return replace(claim, id=store.add(claim))


def check_wish(wish: Wish) -> None:
    """Raise ``NotClaimable`` for what cannot be."""
    if wish.return_path and not _RETURN_PATH.fullmatch(wish.return_path):
        text = f'"{wish.return_path}" cannot be the return path: write one label of letters, digits and hyphens'
        raise NotClaimable(text, "subdomain")
    if wish.selector and not _SELECTOR.fullmatch(wish.selector):
        raise NotClaimable("a selector of your own has exactly three letters or digits", "custom_dkim_selector")
    if wish.custom_spf and not wish.addresses:
        raise NotClaimable("an SPF record of your own needs the addresses that it is to name", "ips")
    if len(wish.addresses) > MAX_ADDRESSES:
        raise NotClaimable(f"more than {MAX_ADDRESSES} addresses do not fit into one SPF record", "ips")
    for address in wish.addresses:
        try:
            ip_network(address)
        except ValueError:
            raise NotClaimable(f'"{address}" is no IP address', "ips") from None


async def prove_domain(
    store: DomainStore,
    claim: AuthenticatedDomain,
    resolver: Resolver,
    *,
    guard: LookAlikeGuard,
    relay: Relay,
    now: datetime,
) -> tuple[Finding, ...]:
    """Ask the DNS for the records the claim needs; where they prove it, make it VERIFIED. ``is_proved`` tells which.

    Raises:
        HeldForReview: They do, but the name looks like another's and the operator has not approved it.
        DomainTaken: They do, but another account has verified the name.
    """
    findings = await check_domain(claim.name, plan_records(claim, relay), resolver, relay=relay, at=now)
    if is_proved(findings):
        accept_proof(store, claim, guard=guard, now=now)

    def note(present: AuthenticatedDomain) -> AuthenticatedDomain:
        # Of a claim whose records were gone, a look counts once the queue agrees with it: see ``upkeep``.
        checked_at = now if present.failing_since is None else present.checked_at
        return replace(present, checked_at=checked_at, records_found=note_found(present.records_found, findings))

    store.change(claim.account_id, claim.id, note)
    return findings


def accept_proof(store: DomainStore, claim: AuthenticatedDomain, *, guard: LookAlikeGuard, now: datetime) -> None:
    """Make a claim that the DNS proves VERIFIED.

    Raises:
        HeldForReview: Its name looks like another's and the operator has not approved it.
        DomainTaken: Another account has verified the name.
        LookupError: The claim is gone.
    """

    def verify() -> None:
        store.mark_verified(claim.account_id, claim.id, now)

    if claim.state is DomainState.VERIFIED:
        verify()
    elif (objection := guard.admit(claim.account_id, claim.name, now, verify)) is not None:
        raise HeldForReview(objection)


def _draw_keys(
    account_id: AccountId, name: str, wish: Wish, *, keyring: Keyring, entropy: Entropy, now: datetime
) -> tuple[DKIMKey, ...]:
    if wish.is_simple:
        return generate_dkim_keys(account_id, name, keyring=keyring, entropy=entropy, created_at=now)
    first = wish.selector or ("s1" if wish.is_automatic else "m1")
    key = generate_dkim_key(account_id, name, first, keyring=keyring, created_at=now)
    if not wish.is_automatic:
        return (key,)
    return key, hold_selector(f"{wish.selector}2" if wish.selector else "s2", created_at=now)


def _draw_return_path(wish: Wish, present: list[AuthenticatedDomain], entropy: Entropy) -> str:
    if not (wish.is_automatic or wish.has_return_path):
        return ""
    taken = {each.return_path for each in present}
    while True:
        drawn = f"em{1000 + int.from_bytes(entropy.draw(4), 'big') % 9000}"
        if drawn not in taken:
            return drawn


def _draw_label(entropy: Entropy) -> str:
    """Draw 80 bits: nobody guesses a label, and none is ever drawn twice, so no CNAME left behind leads anywhere."""
    return b32encode(entropy.draw(_LABEL_OCTETS)).decode("ascii").lower()
