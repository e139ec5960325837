"""``/v3/whitelabel/domains/…/subuser``: a parent lets its subusers send as domains that stay its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, cast

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.whitelabel import READ, UNKNOWN, UPDATE, Whitelabel, as_parent, number_in
from gatepost.entrypoints.api.v3.whitelabel_bodies import DomainShown, SubuserNamed, show_domain
from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.grant import narrow
from gatepost.tenancy.access.person import Caller
from gatepost.tenancy.access.team import grant_of
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.domain import AuthenticatedDomain

_BEYOND_OWN_AUTHORS: Final = problem(
    403, "access forbidden: your own key may not write as every address of this domain, and so cannot lend it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelabelLending:
    """Lends domains of the caller's account to its subusers."""

    service: Whitelabel

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/whitelabel/domains", "/v3/whitelabel/domains/{id}"
        named = {"username": "The subuser's name."}
        return (
            Operation(
                method="GET", path=f"{many}/subuser", name="ListAuthenticatedDomainWithUser",
                summary="Show the first domain that a subuser was lent.", scope=READ, run=self.show_lent,
                gives={200: DomainShown}, refuses=(400, 404), query=named,
            ),
            Operation(
                method="GET", path=f"{many}/subuser/all", name="ListAllAuthenticatedDomainWithUser",
                summary="List the domains that a subuser was lent.", scope=READ, run=self.list_lent,
                gives={200: tuple[DomainShown, ...]}, refuses=(400,), query=named,
            ),
            Operation(
                method="DELETE", path=f"{many}/subuser", name="DisassociateAuthenticatedDomainFromUser",
                summary="Take all lent domains back from a subuser, on every worker.", scope=UPDATE,
                run=self.take_back_all, gives={204: None}, refuses=(400,), query=named,
            ),
            Operation(
                method="POST", path=f"{one}/subuser", name="AssociateAuthenticatedDomainWithUser",
                summary="Let a subuser send as the domain.", scope=UPDATE, run=self.lend, takes=SubuserNamed,
                gives={201: DomainShown}, refuses=(404,),
            ),
            Operation(
                method="POST", path=f"{one}/subuser:add", name="AddAuthenticatedDomainToUser",
                summary="Let a subuser send as the domain, beside others.", scope=UPDATE, run=self.lend,
                takes=SubuserNamed, gives={201: DomainShown}, refuses=(404,),
            ),
            Operation(
                method="DELETE", path=f"{one}/subuser", name="TakeAuthenticatedDomainFromUser",
                summary="Take the domain back from a subuser, on every worker.", scope=UPDATE, run=self.take_back,
                gives={204: None}, refuses=(400, 404), query=named,
            ),
        )  # fmt: skip

    async def lend(self, call: Call) -> Answer | Problem:
        """Let a subuser send as a domain that stays the account's: as all of it, so only who may do so himself."""
        username = cast("SubuserNamed", call.body).username
        claim = await self.service.read(lambda: self.service.find_claim(call))
        if claim is None:
            return UNKNOWN

        def lend() -> AuthenticatedDomain | Problem | None:
            subuser = self.service.find_subuser(call, username)
            if isinstance(subuser, Problem):
                return subuser
            self.service.domains_as(as_parent(call)).assign(claim.account_id, claim.name, subuser.id)
            return self.service.find_claim(call)

        def object_to(caller: Caller) -> Problem | None:
            own = grant_of(caller)
            allowed = narrow(own, replace(own, allowed_authors=(claim.name,)))
            return _BEYOND_OWN_AUTHORS if isinstance(allowed, Deny) else None

        lent = await self.service.act(call, UPDATE, lend, object_to=object_to)
        return await self.service.shown(call, lent, status=201)

    async def show_lent(self, call: Call) -> Answer | Problem:
        """Show the first domain that a subuser was lent."""
        answer = await self.list_lent(call)
        if isinstance(answer, Problem):
            return answer
        shown = cast("tuple[DomainShown, ...]", answer.body)
        return Answer(status=200, body=shown[0]) if shown else UNKNOWN

    async def list_lent(self, call: Call) -> Answer | Problem:
        """List the domains that a subuser was lent."""

        def read() -> tuple[DomainShown, ...] | Problem:
            subuser = self.service.find_subuser(call, call.parameters.get("username", ""))
            if isinstance(subuser, Problem):
                return subuser
            holder = self.service.holder(call)
            lent = self.service.domains.list_assigned(subuser.id)
            return tuple([show_domain(each, holder, self.service.relay, [subuser]) for each in lent])

        shown = await self.service.read(read)
        return shown if isinstance(shown, Problem) else Answer(status=200, body=shown)

    async def take_back(self, call: Call) -> Answer | Problem:
        """Take a domain back from a subuser; one that is not the account's own is unknown, whoever has it."""
        if await self.service.read(lambda: self.service.find_claim(call)) is None:
            return UNKNOWN
        return await self._take_back(call, lambda claim: claim.id == number_in(call))

    async def take_back_all(self, call: Call) -> Answer | Problem:
        """Take every lent domain back from a subuser."""
        return await self._take_back(call, lambda _: True)

    async def _take_back(self, call: Call, is_meant: Callable[[AuthenticatedDomain], bool]) -> Answer | Problem:
        def take() -> tuple[Account, list[str]] | Problem:
            subuser = self.service.find_subuser(call, call.parameters.get("username", ""))
            if isinstance(subuser, Problem):
                return subuser
            store = self.service.domains_as(as_parent(call))
            meant = [claim for claim in self.service.domains.list_assigned(subuser.id) if is_meant(claim)]
            for claim in meant:
                store.unassign(claim.account_id, claim.name, subuser.id)
            # Asked again after it could not be made certain, there is nothing left to take, but all to be made certain.
            taken = meant or [each for each in self.service.domains.list_all(call.account_id) if is_meant(each)]
            return subuser, sorted({claim.name for claim in taken})

        taken = await self.service.act(call, UPDATE, take)
        if isinstance(taken, Problem):
            return taken
        subuser, names = taken
        for name in names:
            await self.service.rights_changed.settle_domain((subuser.id,), name, reason="domain taken back")
        return Answer(status=204)
