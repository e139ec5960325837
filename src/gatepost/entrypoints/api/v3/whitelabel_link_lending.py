"""``/v3/whitelabel/links/…/subuser``: a parent lets its subusers use links that stay its own, one each."""

from dataclasses import dataclass
from typing import Final, cast

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.whitelabel import READ, UNKNOWN, UPDATE, Whitelabel, as_parent, number_in
from gatepost.entrypoints.api.v3.whitelabel_bodies import LinkShown, SubuserNamed, show_link
from gatepost.tenancy.senders.branding import BrandedLink

_NONE_LENT: Final = problem(404, "this subuser was lent no link")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelabelLinkLending:
    """Lends links of the caller's account to its subusers. Nothing is sent by it, so no right depends on it."""

    service: Whitelabel

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many = "/v3/whitelabel/links"
        named = {"username": "The subuser's name."}
        return (
            Operation(
                method="GET", path=f"{many}/subuser", name="ListSubuserBrandedLink",
                summary="Show the link that a subuser was lent.", scope=READ, run=self.show_lent,
                gives={200: LinkShown}, refuses=(400, 404), query=named,
            ),
            Operation(
                method="DELETE", path=f"{many}/subuser", name="DisassociateBrandedLinkFromSubuser",
                summary="Take the lent link back from a subuser.", scope=UPDATE, run=self.take_back,
                gives={204: None}, refuses=(400,), query=named,
            ),
            Operation(
                method="POST", path=f"{many}/{{id}}/subuser", name="AssociateBrandedLinkWithSubuser",
                summary="Let a subuser use the link, in place of the one it was lent before.", scope=UPDATE,
                run=self.lend, takes=SubuserNamed, gives={200: LinkShown}, refuses=(404,),
            ),
        )  # fmt: skip

    async def lend(self, call: Call) -> Answer | Problem:
        """Let a subuser use a link."""
        username = cast("SubuserNamed", call.body).username

        def lend() -> BrandedLink | Problem | None:
            link = self.service.find_link(call.account_id, number_in(call))
            if link is None:
                return None
            subuser = self.service.find_subuser(call, username)
            if isinstance(subuser, Problem):
                return subuser
            is_lent = self.service.branding_as(as_parent(call)).lend_link(link.account_id, link.id, subuser.id)
            return link if is_lent else None

        lent = await self.service.act(call, UPDATE, lend)
        return await self._answer(call, UNKNOWN if lent is None else lent)

    async def show_lent(self, call: Call) -> Answer | Problem:
        """Show the link that a subuser was lent."""

        def read() -> BrandedLink | Problem:
            subuser = self.service.find_subuser(call, call.parameters.get("username", ""))
            if isinstance(subuser, Problem):
                return subuser
            return self.service.branding.find_lent_link(call.account_id, subuser.id) or _NONE_LENT

        return await self._answer(call, await self.service.read(read))

    async def take_back(self, call: Call) -> Answer | Problem:
        """Take the lent link back from a subuser; one that has none has none afterwards too."""

        def take() -> Problem | None:
            subuser = self.service.find_subuser(call, call.parameters.get("username", ""))
            if isinstance(subuser, Problem):
                return subuser
            self.service.branding_as(as_parent(call)).take_link_back(call.account_id, subuser.id)
            return None

        return await self.service.act(call, UPDATE, take) or Answer(status=204)

    async def _answer(self, call: Call, link: BrandedLink | Problem) -> Answer | Problem:
        if isinstance(link, Problem):
            return link
        holder = await self.service.read(lambda: self.service.holder(call))
        return Answer(status=200, body=show_link(link, holder, self.service.relay))
