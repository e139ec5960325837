"""What the resources under ``/v3/whitelabel`` share: who may act, on whose things, and how a change is made."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from msgspec import UnsetType

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.judged_act import do_judged
from gatepost.entrypoints.api.operation import Answer, Call
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.whitelabel_bodies import DomainShown, show_domain
from gatepost.primitives.clock import Clock
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import AddressError, parse_domain
from gatepost.tenancy.access.person import Caller
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.ports import AccountStore
from gatepost.tenancy.audit.entry import Actor
from gatepost.tenancy.senders.branding import BrandedLink, BrandingStore
from gatepost.tenancy.senders.dns_plan import Relay
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainId
from gatepost.tenancy.senders.look_alike_guard import LookAlikeGuard
from gatepost.tenancy.senders.ports import DomainStore, Keyring, Resolver
from gatepost.tenancy.senders.posture import PolicyFetcher

CREATE, READ, UPDATE, DELETE = (f"whitelabel.{verb}" for verb in ("create", "read", "update", "delete"))
MAX_OF_EACH: Final = 3000
"""Domains, and links, of one account."""

UNKNOWN: Final = problem(404, "not found")
UNKNOWN_SUBUSER: Final = problem(400, "invalid username", at="username")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitelabel:
    """What these resources are made of.

    Attributes:
        domains: To look at.
        domains_as: To change, in the name of an actor: what is done is recorded as its act.
        branding, branding_as: The same for links and names of addresses.
        guard_as: Holds names that look like others', on the record as an actor's.
        resolver: Makes one that does not answer from a long memory, for one event loop.
        policy_fetcher: Makes one that finds hosts with such a resolver.
    """

    callers: Callers
    accounts: AccountStore
    domains: DomainStore
    domains_as: Callable[[Actor], DomainStore]
    branding: BrandingStore
    branding_as: Callable[[Actor], BrandingStore]
    rights_changed: RightsChanged
    acts: ActsInProgress
    clock: Clock
    entropy: Entropy
    keyring: Keyring
    relay: Relay
    resolver: Callable[[], Resolver]
    policy_fetcher: Callable[[Resolver], PolicyFetcher]
    guard_as: Callable[[Actor], LookAlikeGuard]

    async def act(
        self,
        call: Call,
        scope: str,
        act: Callable[[], T],
        *,
        object_to: Callable[[Caller], Problem | None] = lambda _: None,
    ) -> T | Problem:
        """Do something in a thread, by the rights that the caller has at this moment."""
        return await do_judged(self.acts, self.callers, call, scope=scope, act=act, object_to=object_to)

    async def read(self, act: Callable[[], T]) -> T:
        """Read something in a thread."""
        return await asyncio.to_thread(act)

    def holder(self, call: Call) -> Account:
        """Return the account that is meant."""
        account = self.accounts.find(call.account_id)
        assert account is not None, "a caller that was known has an account"
        return account

    def changing(self, call: Call) -> DomainStore:
        """Return the store in which the caller's changes are recorded as his."""
        return self.domains_as(call.actor)

    def changing_for(self, call: Call, holder: Account) -> DomainStore:
        """As ``changing``, where the holder may be a subuser of the caller's."""
        actor = call.actor if holder.id == call.principal.account_id else replace(call.actor, account=call.account_id)
        return self.domains_as(actor)

    def find_subuser(self, call: Call, name: str | UnsetType) -> Account | Problem:
        """Return the subuser of that name; one of others' and one that is nobody's are alike."""
        if isinstance(name, UnsetType) or not name:
            return UNKNOWN_SUBUSER
        return self.accounts.find_subuser(call.account_id, name.lower()) or UNKNOWN_SUBUSER

    def find_claim(self, call: Call) -> AuthenticatedDomain | None:
        """Return the claim that the path names, if it is the account's."""
        return self.domains.find_numbered(call.account_id, DomainId(number_in(call)))

    def find_link(self, account_id: AccountId, number: int) -> BrandedLink | None:
        """Return the account's link of that number."""
        return next((each for each in self.branding.list_links(account_id) if each.id == number), None)

    def subusers_of(self, holder: Account) -> list[Account]:
        """Return the subusers of an account."""
        return list(self.accounts.list_subusers(holder.id))

    async def shown(
        self, call: Call, claim: AuthenticatedDomain | Problem | None, *, status: int = 200
    ) -> Answer | Problem:
        """Return a claim as an answer; a refusal as it is."""
        if claim is None or isinstance(claim, Problem):
            return claim or UNKNOWN

        def show() -> DomainShown:
            holder = self.holder(call)
            return show_domain(claim, holder, self.relay, self.subusers_of(holder))

        return Answer(status=status, body=await self.read(show))


def read_name(text: str | UnsetType) -> str | Problem:
    """Read a domain name; lower-case A-labels, at least two of them."""
    if isinstance(text, UnsetType) or not text:
        return problem(400, "domain is required", at="domain")
    try:
        name = parse_domain(text.removesuffix("."))
    except AddressError as error:
        return problem(400, f"{text[:64]!r} is no domain: {error}", at="domain")
    if "." not in name:
        return problem(400, f"{text[:64]!r} is a top-level name: write one like example.com", at="domain")
    return name


def as_parent(call: Call) -> Actor:
    """Return the caller as one who acts on a subuser: it is written into the chains of both."""
    return replace(call.actor, account=call.principal.account_id)


def number_in(call: Call) -> int:
    """Return the number in the path; 0, which nothing has, where there is none."""
    text = call.parameters.get("id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
