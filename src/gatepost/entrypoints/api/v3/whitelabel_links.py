"""``/v3/whitelabel/links``: names under which links in mail may stand. Records are planned and checked; links are not
rewritten yet.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, cast

from msgspec import UnsetType

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.subuser_bodies import number_of, read_page
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
    LinkChange,
    LinkShown,
    LinkToBrand,
    Validation,
    show_link,
    show_validation,
)
from gatepost.tenancy.senders.branding import BrandedLink, plan_link
from gatepost.tenancy.senders.claim import NotClaimable, Wish, check_wish
from gatepost.tenancy.senders.dns_check import FindingState, check_domain, note_found

_EXISTS: Final = problem(400, "you have this link already", at="subdomain")
_TOO_MANY: Final = problem(403, f"maximum number of links reached: an account has at most {MAX_OF_EACH}")
_SAME: Final = problem(400, "the subdomain must differ from that of the authenticated domain", at="subdomain")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelabelLinks:
    """Manages the links of the caller's account."""

    service: Whitelabel

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/whitelabel/links", "/v3/whitelabel/links/{id}"
        return (
            Operation(
                method="GET", path=many, name="ListBrandedLink", summary="List the account's links.", scope=READ,
                run=self.list_all, gives={200: tuple[LinkShown, ...]}, refuses=(400,), is_on_behalf=True,
                query={"limit": "How many to return at most: 500.", "offset": "How many to leave out."},
            ),
            Operation(
                method="POST", path=many, name="CreateBrandedLink", summary="Make a link; shows what to publish.",
                scope=CREATE, run=self.create, takes=LinkToBrand, gives={201: LinkShown}, is_on_behalf=True,
            ),
            Operation(
                method="GET", path=f"{many}/default", name="GetDefaultBrandedLink", summary="Show the default link.",
                scope=READ, run=self.show_default, gives={200: LinkShown}, refuses=(404,), is_on_behalf=True,
                query={"domain": "Only if it is for this one."},
            ),
            Operation(
                method="GET", path=one, name="GetBrandedLink", summary="Show a link.", scope=READ, run=self.show,
                gives={200: LinkShown}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="PATCH", path=one, name="UpdateBrandedLink", summary="Make a link the default.", scope=UPDATE,
                run=self.change, takes=LinkChange, gives={200: LinkShown}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="DELETE", path=one, name="DeleteBrandedLink", summary="Forget a link.", scope=DELETE,
                run=self.delete, gives={204: None}, refuses=(404,), is_on_behalf=True,
            ),
            Operation(
                method="POST", path=f"{one}/validate", name="ValidateBrandedLink", summary="Look for a link's records.",
                scope=UPDATE, run=self.validate, gives={200: Validation}, refuses=(404,), is_on_behalf=True,
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the links."""

        page = read_page(call.parameters)
        if isinstance(page, str):
            return problem(400, f"{page} must be a number", at=page)
        limit, offset = page

        def read() -> tuple[LinkShown, ...]:
            links = self.service.branding.list_links(call.account_id)
            return tuple([self._show(call, each) for each in links[offset : offset + limit]])

        return Answer(status=200, body=await self.service.read(read))

    async def create(self, call: Call) -> Answer | Problem:
        """Make a link."""
        wanted = cast("LinkToBrand", call.body)
        domain = read_name(wanted.domain)
        if isinstance(domain, Problem):
            return domain
        named = not isinstance(wanted.subdomain, UnsetType) and wanted.subdomain
        subdomain = str(wanted.subdomain).lower() if named else f"url{_draw_number(self.service)}"
        try:
            check_wish(Wish(return_path=subdomain))
        except NotClaimable as error:
            return problem(400, str(error), at=error.field)

        def make() -> LinkShown | Problem:
            claims = self.service.domains.list_all(call.account_id)
            if any((each.name, each.return_path) == (domain, subdomain) for each in claims):
                return _SAME
            if len(self.service.branding.list_links(call.account_id)) >= MAX_OF_EACH:
                return _TOO_MANY
            link = BrandedLink(
                account_id=call.account_id, domain=domain, subdomain=subdomain, is_default=wanted.default is True
            )
            made = self.service.branding_as(call.actor).add_link(link)
            return _EXISTS if made is None else self._show(call, made)

        made = await self.service.act(call, CREATE, make)
        return made if isinstance(made, Problem) else Answer(status=201, body=made)

    async def show(self, call: Call) -> Answer | Problem:
        """Show a link."""
        return await self._answer(call, lambda link: link.id == number_in(call))

    async def show_default(self, call: Call) -> Answer | Problem:
        """Show the default link."""
        domain = call.parameters.get("domain", "").lower()
        return await self._answer(call, lambda link: link.is_default and domain in {"", link.domain})

    async def change(self, call: Call) -> Answer | Problem:
        """Make a link the default, or not."""
        wanted = cast("LinkChange", call.body).default

        def change() -> LinkShown | None:
            link = self._find(call)
            if link is None:
                return None
            changed = replace(link, is_default=link.is_default if isinstance(wanted, UnsetType) else wanted)
            self.service.branding_as(call.actor).put_link(changed)
            return self._show(call, changed)

        changed = await self.service.act(call, UPDATE, change)
        if changed is None or isinstance(changed, Problem):
            return changed or UNKNOWN
        return Answer(status=200, body=changed)

    async def delete(self, call: Call) -> Answer | Problem:
        """Forget a link."""

        def remove() -> bool:
            return self.service.branding_as(call.actor).remove_link(call.account_id, number_in(call))

        removed = await self.service.act(call, DELETE, remove)
        if isinstance(removed, Problem):
            return removed
        return Answer(status=204) if removed else UNKNOWN

    async def validate(self, call: Call) -> Answer | Problem:
        """Look for a link's aliases."""
        link = await self.service.read(lambda: self._find(call))
        if link is None:
            return UNKNOWN
        now, relay = self.service.clock.now(), self.service.relay
        plan = plan_link(link, number_of(call.account_id), relay)
        findings = await check_domain(link.domain, plan, self.service.resolver(), relay=relay, at=now)
        valid = all(each.state is FindingState.VALID for each in findings)

        def note() -> None:
            present = self._find(call)
            if present is not None:
                found = note_found(present.records_found, findings)
                noted = replace(present, is_valid=valid, records_found=found, checked_at=now)
                self.service.branding_as(call.actor).put_link(noted)

        refusal = await self.service.act(call, UPDATE, note)
        if refusal is not None:
            return refusal
        return Answer(status=200, body=show_validation(link.id, findings, valid=valid))

    async def _answer(self, call: Call, is_meant: Callable[[BrandedLink], bool]) -> Answer | Problem:
        def read() -> LinkShown | None:
            found = next(filter(is_meant, self.service.branding.list_links(call.account_id)), None)
            return None if found is None else self._show(call, found)

        shown = await self.service.read(read)
        return UNKNOWN if shown is None else Answer(status=200, body=shown)

    def _find(self, call: Call) -> BrandedLink | None:
        return self.service.find_link(call.account_id, number_in(call))

    def _show(self, call: Call, link: BrandedLink) -> LinkShown:
        return show_link(link, self.service.holder(call), self.service.relay)


def _draw_number(service: Whitelabel) -> int:
    return 1000 + int.from_bytes(service.entropy.draw(4), "big") % 9000
