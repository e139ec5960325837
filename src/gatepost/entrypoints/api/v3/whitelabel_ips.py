"""``/v3/whitelabel/ips``: the names that sending addresses are to have, and whether they have them."""

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, cast

from msgspec import UnsetType

from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.v3.subuser_bodies import read_page
from gatepost.entrypoints.api.v3.whitelabel import (
    CREATE,
    DELETE,
    READ,
    UPDATE,
    Whitelabel,
    number_in,
    read_name,
)
from gatepost.entrypoints.api.v3.whitelabel_bodies import (
    ReverseNameShown,
    ReverseNameToSet,
    Validation,
    show_reverse_name,
    show_validation,
)
from gatepost.tenancy.senders.branding import ReverseName, check_reverse_name
from gatepost.tenancy.senders.claim import NotClaimable, Wish, check_wish
from gatepost.tenancy.senders.dns_check import FindingState

_UNKNOWN: Final = problem(404, "Reverse DNS record not found.")
_EXISTS: Final = problem(400, "this address has a name already: delete that first", at="ip")
_NO_ADDRESS: Final = problem(400, "ip must be an IP address", at="ip")
_NOT_OURS: Final = problem(400, "this service does not send from that address", at="ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelabelIps:
    """Manages the names of sending addresses, of the caller's own account only."""

    service: Whitelabel

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/whitelabel/ips", "/v3/whitelabel/ips/{id}"
        page = {
            "limit": "How many to return at most: 500.",
            "offset": "How many to leave out.",
            "ip": "Only addresses that begin so.",
        }
        return (
            Operation(
                method="GET", path=many, name="ListReverseDns", summary="List the names of sending addresses.",
                scope=READ, run=self.list_all, gives={200: tuple[ReverseNameShown, ...]}, refuses=(400,), query=page,
            ),
            Operation(
                method="POST", path=many, name="SetUpReverseDns", summary="Plan the name of a sending address.",
                scope=CREATE, run=self.create, takes=ReverseNameToSet, gives={201: ReverseNameShown},
            ),
            Operation(
                method="GET", path=one, name="GetReverseDns", summary="Show the name of a sending address.",
                scope=READ, run=self.show, gives={200: ReverseNameShown}, refuses=(404,),
            ),
            Operation(
                method="DELETE", path=one, name="DeleteReverseDns", summary="Forget the name of a sending address.",
                scope=DELETE, run=self.delete, gives={204: None}, refuses=(404,),
            ),
            Operation(
                method="POST", path=f"{one}/validate", name="ValidateReverseDns",
                summary="Look whether the name leads to the address and back.", scope=UPDATE, run=self.validate,
                gives={200: Validation}, refuses=(404,),
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the names."""
        page = read_page(call.parameters)
        if isinstance(page, str):
            return problem(400, f"{page} must be a number", at=page)
        limit, offset = page
        names = await self.service.read(lambda: self.service.branding.list_names(call.account_id))
        found = [show_reverse_name(each) for each in names if each.ip.startswith(call.parameters.get("ip", ""))]
        return Answer(status=200, body=tuple(found[offset : offset + limit]))

    async def create(self, call: Call) -> Answer | Problem:
        """Plan the name of an address that this service sends from."""
        wanted = cast("ReverseNameToSet", call.body)
        domain = read_name(wanted.domain)
        if isinstance(domain, Problem):
            return domain
        try:
            address = ip_address("" if isinstance(wanted.ip, UnsetType) else wanted.ip)
        except ValueError:
            return _NO_ADDRESS
        if not any(address in network for network in self.service.relay.sending_networks):
            return _NOT_OURS
        named = not isinstance(wanted.subdomain, UnsetType) and wanted.subdomain
        subdomain = str(wanted.subdomain).lower() if named else "mail"
        try:
            check_wish(Wish(return_path=subdomain))
        except NotClaimable as error:
            return problem(400, str(error), at=error.field)
        name = ReverseName(account_id=call.account_id, ip=str(address), domain=domain, subdomain=subdomain)
        made = await self.service.act(call, CREATE, lambda: self.service.branding_as(call.actor).add_name(name))
        if made is None or isinstance(made, Problem):
            return made or _EXISTS
        return Answer(status=201, body=show_reverse_name(made))

    async def show(self, call: Call) -> Answer | Problem:
        """Show one name."""
        found = await self.service.read(lambda: self._find(call))
        return _UNKNOWN if found is None else Answer(status=200, body=show_reverse_name(found))

    async def delete(self, call: Call) -> Answer | Problem:
        """Forget one."""

        def remove() -> bool:
            return self.service.branding_as(call.actor).remove_name(call.account_id, number_in(call))

        removed = await self.service.act(call, DELETE, remove)
        if isinstance(removed, Problem):
            return removed
        return Answer(status=204) if removed else _UNKNOWN

    async def validate(self, call: Call) -> Answer | Problem:
        """Ask the DNS in both directions."""
        name = await self.service.read(lambda: self._find(call))
        if name is None:
            return _UNKNOWN
        finding = await check_reverse_name(name, self.service.resolver())
        valid, now = finding.state is FindingState.VALID, self.service.clock.now()

        def note() -> None:
            self.service.branding_as(call.actor).put_name(replace(name, is_valid=valid, checked_at=now))

        refusal = await self.service.act(call, UPDATE, note)
        if refusal is not None:
            return refusal
        return Answer(status=200, body=show_validation(name.id, [finding], valid=valid))

    def _find(self, call: Call) -> ReverseName | None:
        names = self.service.branding.list_names(call.account_id)
        return next((each for each in names if each.id == number_in(call)), None)
