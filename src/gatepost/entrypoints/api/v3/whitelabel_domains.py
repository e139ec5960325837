"""``/v3/whitelabel/domains``: domains are claimed, proved, changed, lent to subusers and given up.

What takes a right away is answered once every mail worker goes by it and what is queued is held; see ``api_keys``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from typing import Final, TypeVar, cast

from msgspec import UNSET, UnsetType

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.subuser_bodies import read_page
from gatepost.entrypoints.api.v3.whitelabel import (
    CREATE,
    DELETE,
    MAX_OF_EACH,
    READ,
    UNKNOWN,
    UPDATE,
    Whitelabel,
    number_in,
    read_name,
)
from gatepost.entrypoints.api.v3.whitelabel_bodies import (
    AddressToAdd,
    DomainChange,
    DomainShown,
    DomainToAuthenticate,
    Posture,
    Validation,
    show_domain,
    show_posture,
    show_validation,
)
from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.person import id_of
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.claim import MAX_ADDRESSES, HeldForReview, NotClaimable, Wish, accept_proof, claim_domain
from gatepost.tenancy.senders.dns_check import Finding, check_domain, is_proved, note_found
from gatepost.tenancy.senders.dns_plan import plan_records
from gatepost.tenancy.senders.doctor import advise
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainId, DomainTaken
from gatepost.tenancy.senders.posture import examine, examine_all

_MANY: Final = "/v3/whitelabel/domains"
_ONE: Final = "/v3/whitelabel/domains/{id}"

_TAKEN: Final = problem(400, "you have authenticated this domain with this subdomain or selector already", at="domain")
_HELD: Final = problem(
    403, "the DNS proves this domain, but its name looks like another's: whoever runs this service has to approve it"
)
_ANOTHERS: Final = problem(400, "another account has verified this domain: it must be removed there first", at="domain")
_TOO_MANY: Final = problem(403, f"maximum number of domains reached: an account has at most {MAX_OF_EACH}")
_NO_ZONE: Final = problem(
    400, "this service has no zone of its own: ask for automatic_security false", at="automatic_security"
)
_NO_ADDRESS: Final = problem(400, "ip must be an IP address", at="ip")

T = TypeVar("T")
log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelabelDomains:
    """Manages the domains of the caller's account."""

    service: Whitelabel

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do; names that stand where a number could come first."""
        return (*self._many(), *self._one(), *self._records())

    def _many(self) -> tuple[Operation, ...]:
        many = _MANY
        page = {
            "limit": "How many to return at most: 500.",
            "offset": "How many to leave out.",
            "domain": "Only claims to this domain.",
            "username": "Only those of this subuser.",
            "exclude_subusers": '"true" leaves those of subusers out.',
        }
        return (
            Operation(
                method="GET", path=many, name="ListAuthenticatedDomain", summary="List the account's domains.",
                scope=READ, run=self.list_all, gives={200: tuple[DomainShown, ...]}, refuses=(400,), query=page,
                is_on_behalf=True,
            ),
            Operation(
                method="POST", path=many, name="AuthenticateDomain", summary="Claim a domain; shows what to publish.",
                scope=CREATE, run=self.create, takes=DomainToAuthenticate, gives={201: DomainShown},
                is_on_behalf=True,
            ),
            Operation(
                method="GET", path=f"{many}/default", name="ListDefaultAuthenticatedDomain",
                summary="Show the domain that signs where no other matches.", scope=READ, run=self.show_default,
                gives={200: DomainShown}, refuses=(404,), query={"domain": "Only if it is this one."},
                is_on_behalf=True,
            ),
        )  # fmt: skip

    def _one(self) -> tuple[Operation, ...]:
        one = _ONE
        return (
            Operation(
                method="GET", path=one, name="GetAuthenticatedDomain", summary="Show a domain.", scope=READ,
                run=self.show, gives={200: DomainShown}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="PATCH", path=one, name="UpdateAuthenticatedDomain", summary="Change a domain.", scope=UPDATE,
                run=self.change, takes=DomainChange, gives={200: DomainShown}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="DELETE", path=one, name="DeleteAuthenticatedDomain",
                summary="Give a domain up, on every worker, destroy its keys, and hold what is queued.", scope=DELETE,
                run=self.delete, gives={204: None}, refuses=(404,), is_on_behalf=True,
            ),
        )  # fmt: skip

    def _records(self) -> tuple[Operation, ...]:
        one = _ONE
        return (
            Operation(
                method="POST", path=f"{one}/validate", name="ValidateAuthenticatedDomain",
                summary="Look for the records; if they are there, the account may send as the domain.", scope=UPDATE,
                run=self.validate, gives={200: Validation}, refuses=(400, 404), is_on_behalf=True,
            ),
            Operation(
                method="GET", path=f"{one}/posture", name="ExplainAuthenticatedDomain",
                summary="Say what the DNS says about the domain's mail, worst first, and what mends it.", scope=READ,
                run=self.explain, gives={200: Posture}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="POST", path=f"{one}/ips", name="AddIpToAuthenticatedDomain",
                summary="Add an address to the domain's SPF record.", scope=UPDATE, run=self.add_address,
                takes=AddressToAdd, gives={200: DomainShown}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="DELETE", path=f"{one}/ips/{{ip}}", name="DeleteIpFromAuthenticatedDomain",
                summary="Take an address out of the domain's SPF record.", scope=UPDATE, run=self.remove_address,
                gives={200: DomainShown}, refuses=(404,), is_on_behalf=True,
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the account's claims and those of its subusers."""
        page = read_page(call.parameters)
        if isinstance(page, str):
            return problem(400, f"{page} must be a number", at=page)
        limit, offset = page
        domain, username = call.parameters.get("domain", "").lower(), call.parameters.get("username", "").lower()

        def read() -> tuple[DomainShown, ...]:
            holder = self.service.holder(call)
            subusers = self.service.subusers_of(holder)
            holders = [holder] if call.parameters.get("exclude_subusers") == "true" else [holder, *subusers]
            found = [
                show_domain(claim, each, self.service.relay, subusers)
                for each in holders
                if username in {"", each.name}
                for claim in self.service.domains.list_all(each.id)
                if domain in {"", claim.name}
            ]
            return tuple(found[offset : offset + limit])

        return Answer(status=200, body=await self.service.read(read))

    async def create(self, call: Call) -> Answer | Problem:
        """Claim a domain, for the account or for a subuser of it."""
        wanted = cast("DomainToAuthenticate", call.body)
        name = read_name(wanted.domain)
        if isinstance(name, Problem):
            return name
        is_automatic = _or(wanted.automatic_security, otherwise=bool(self.service.relay.zone))
        if is_automatic and not self.service.relay.zone:
            return _NO_ZONE
        if wanted.region not in {UNSET, "", "global"}:
            return problem(400, 'there is one region here: "global"', at="region")

        def make() -> DomainShown | Problem:
            holder = self.service.holder(call)
            if not isinstance(wanted.username, UnsetType) and wanted.username not in {"", holder.name}:
                subuser = self.service.find_subuser(call, wanted.username)
                if isinstance(subuser, Problem):
                    return subuser
                holder = subuser
            if len(self.service.domains.list_all(holder.id)) >= MAX_OF_EACH:
                return _TOO_MANY
            return self._claim(call, holder, name, _wish(wanted, is_automatic=is_automatic))

        made = await self.service.act(call, CREATE, make)
        return made if isinstance(made, Problem) else Answer(status=201, body=made)

    def _claim(self, call: Call, holder: Account, name: str, wish: Wish) -> DomainShown | Problem:
        try:
            claim = claim_domain(
                self.service.changing_for(call, holder),
                holder.id,
                name,
                keyring=self.service.keyring,
                entropy=self.service.entropy,
                now=self.service.clock.now(),
                wish=wish,
            )
        except NotClaimable as error:
            return problem(400, str(error), at=error.field)
        except DomainTaken:
            return _TAKEN
        log.info("domain_claimed", account_id=holder.id, claim=claim.id, by=id_of(call.principal))
        return show_domain(claim, holder, self.service.relay)

    async def show(self, call: Call) -> Answer | Problem:
        """Show one claim."""
        return await self._answer(call, lambda: self.service.find_claim(call))

    async def show_default(self, call: Call) -> Answer | Problem:
        """Show the account's default claim."""
        domain = call.parameters.get("domain", "").lower()

        def read() -> AuthenticatedDomain | None:
            claims = self.service.domains.list_all(call.account_id)
            return next((each for each in claims if each.is_default and domain in {"", each.name}), None)

        return await self._answer(call, read)

    async def change(self, call: Call) -> Answer | Problem:
        """Change what may be changed of a claim."""
        wanted = cast("DomainChange", call.body)

        def decide(claim: AuthenticatedDomain) -> AuthenticatedDomain | Problem:
            if wanted.custom_spf is True and not claim.addresses:
                return problem(400, "an SPF record of your own needs addresses: add some first", at="custom_spf")
            return replace(
                claim,
                is_default=_or(wanted.default, otherwise=claim.is_default),
                custom_spf=_or(wanted.custom_spf, otherwise=claim.custom_spf),
            )

        return await self._change(call, decide)

    async def add_address(self, call: Call) -> Answer | Problem:
        """Add an address to a claim's SPF record."""
        address = _address(cast("AddressToAdd", call.body).ip)
        if address is None:
            return _NO_ADDRESS

        def decide(claim: AuthenticatedDomain) -> AuthenticatedDomain | Problem:
            addresses = tuple(sorted({*claim.addresses, address}))
            if len(addresses) > MAX_ADDRESSES:
                return problem(400, f"more than {MAX_ADDRESSES} addresses do not fit into one SPF record", at="ip")
            return replace(claim, addresses=addresses)

        return await self._change(call, decide)

    async def remove_address(self, call: Call) -> Answer | Problem:
        """Take an address out of a claim's SPF record; without any the record names all of ours again."""
        address = _address(call.parameters.get("ip", ""))

        def decide(claim: AuthenticatedDomain) -> AuthenticatedDomain | Problem:
            if address not in claim.addresses:
                return UNKNOWN
            left = tuple([each for each in claim.addresses if each != address])
            return replace(claim, addresses=left, custom_spf=claim.custom_spf and bool(left))

        return await self._change(call, decide)

    async def delete(self, call: Call) -> Answer | Problem:
        """Give a claim up. Withdrawn first and forgotten last: who could not be told is told when asked again."""

        def withdraw() -> AuthenticatedDomain | None:
            claim = self.service.find_claim(call)
            if claim is not None:
                self.service.changing(call).withdraw(claim.account_id, claim.id)
            return claim

        claim = await self.service.act(call, DELETE, withdraw)
        if isinstance(claim, Problem):
            return claim
        if claim is None:
            return UNKNOWN
        if claim.verified_at is not None:
            holders = (claim.account_id, *sorted(claim.assigned_to))
            await self.service.rights_changed.settle_domain(holders, claim.name, reason="domain removed")

        def remove() -> bool:
            return self.service.changing(call).remove(claim.account_id, claim.id)

        removed = await self.service.act(call, DELETE, remove)
        if isinstance(removed, Problem):
            return removed
        log.info("domain_removed", account_id=claim.account_id, claim=claim.id, by=id_of(call.principal))
        return Answer(status=204)

    async def validate(self, call: Call) -> Answer | Problem:
        """Look for the records of a claim; where they prove it, it is verified."""
        claim = await self.service.read(lambda: self.service.find_claim(call))
        if claim is None:
            return UNKNOWN
        now = self.service.clock.now()
        plan = plan_records(claim, self.service.relay)
        findings = await check_domain(claim.name, plan, self.service.resolver(), relay=self.service.relay, at=now)
        proved = is_proved(findings)

        def accept() -> Problem | None:
            return self._accept(call, claim, now) if proved else None

        trouble = await self.service.act(call, UPDATE, accept) or await self._note(call, claim, findings, now)
        return trouble or Answer(status=200, body=show_validation(claim.id, findings, valid=proved))

    async def _note(
        self, call: Call, claim: AuthenticatedDomain, findings: Sequence[Finding], now: datetime
    ) -> Problem | None:
        """Note a look at the records, once what rests on those that were gone is held or goes on.

        A call that failed before is made good by the next one, or by the next look at the records.
        """
        if claim.failing_since is not None:
            holders = (claim.account_id, *sorted(claim.assigned_to))
            await self.service.rights_changed.settle_domain(holders, claim.name, reason=HELD_UNTIL_RETURN)

        def note() -> Problem | None:
            self.service.changing(call).change(
                claim.account_id,
                claim.id,
                lambda present: replace(
                    present,
                    checked_at=now,
                    failing_since=None if is_proved(findings) else present.failing_since,
                    records_found=note_found(present.records_found, findings),
                ),
            )
            return None

        return await self.service.act(call, UPDATE, note)

    def _accept(self, call: Call, claim: AuthenticatedDomain, now: datetime) -> Problem | None:
        try:
            guard = self.service.guard_as(call.actor)
            accept_proof(self.service.changing(call), claim, guard=guard, now=now)
        except HeldForReview:
            return _HELD
        except DomainTaken:
            return _ANOTHERS
        except LookupError:
            return UNKNOWN
        return None

    async def explain(self, call: Call) -> Answer | Problem:
        """Explain the whole mail posture of a domain of the account's own."""
        claim = await self.service.read(lambda: self.service.find_claim(call))
        if claim is None:
            return UNKNOWN
        examination = examine(
            claim.name,
            selectors=[key.selector for key in claim.dkim_keys],
            sending_networks=self.service.relay.sending_networks,
            host_name=self.service.relay.host_name,
            at=self.service.clock.now(),
        )
        resolver = self.service.resolver()
        posture = await examine_all(examination, resolver, self.service.policy_fetcher(resolver))
        return Answer(status=200, body=show_posture(claim.name, advise(posture)))

    async def _change(
        self, call: Call, decide: Callable[[AuthenticatedDomain], AuthenticatedDomain | Problem]
    ) -> Answer | Problem:
        def act() -> AuthenticatedDomain | Problem | None:
            refusal: Problem | None = None

            def settle(present: AuthenticatedDomain) -> AuthenticatedDomain:
                nonlocal refusal
                decided = decide(present)
                refusal = decided if isinstance(decided, Problem) else None
                return present if isinstance(decided, Problem) else decided

            store = self.service.changing(call)
            changed = store.change(call.account_id, DomainId(number_in(call)), settle)
            return refusal or changed

        return await self.service.shown(call, await self.service.act(call, UPDATE, act))

    async def _answer(self, call: Call, read: Callable[[], AuthenticatedDomain | None]) -> Answer | Problem:
        return await self.service.shown(call, await self.service.read(read))


def _wish(wanted: DomainToAuthenticate, *, is_automatic: bool) -> Wish:
    return Wish(
        is_automatic=is_automatic,
        has_return_path=True,
        return_path=_or(wanted.subdomain, otherwise="").lower(),
        selector=_or(wanted.custom_dkim_selector, otherwise="").lower(),
        is_default=_or(wanted.default, otherwise=False),
        custom_spf=_or(wanted.custom_spf, otherwise=False),
        addresses=_or(wanted.ips, otherwise=()),
    )


def _or(value: T | UnsetType, *, otherwise: T) -> T:
    return otherwise if isinstance(value, UnsetType) else value


def _address(text: str | UnsetType) -> str | None:
    try:
        return None if isinstance(text, UnsetType) else str(ip_address(text))
    except ValueError:
        return None
