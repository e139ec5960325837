"""``/v3/subusers``: an account makes, lists, stops and deletes the accounts under it.

What takes rights away is answered once every mail worker goes by it and what the subuser has queued is held; see
``api_keys``. A subuser that is not the caller's and one that does not exist get the same answer.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, cast

from msgspec import UNSET, UnsetType

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.judged_act import do_judged
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import FieldError, Problem, invalid, problem
from gatepost.entrypoints.api.v3.subuser_bodies import (
    REGION,
    AssignedAddresses,
    CreditAllocation,
    Disabling,
    SubuserListed,
    SubuserMade,
    SubuserToMake,
    describe,
    number_of,
    read_page,
)
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.secret import Secret
from gatepost.standards.address import AddressError, parse_mailbox
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.ip_access.edit import begin_as
from gatepost.tenancy.access.ip_access.ports import IPAccessStore
from gatepost.tenancy.access.person import Caller, id_of
from gatepost.tenancy.access.team import decide_grant
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.first_owner import FirstOwnerRefused, FirstOwners, OwnerWanted
from gatepost.tenancy.accounts.lifecycle import AccountRefused
from gatepost.tenancy.accounts.ports import AccountNameTaken, AccountStore
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import Actor

MAX_SUBUSERS: Final = 1000
_CREATE, _READ, _UPDATE, _DELETE = (f"subusers.{verb}" for verb in ("create", "read", "update", "delete"))

_PATH_WORDS: Final = frozenset({"stats", "reputations"})

UNKNOWN: Final = problem(400, "invalid username", at="username")
_NO_FIELDS: Final = problem(400, "no fields provided")
_EXISTS: Final = problem(400, "username exists", at="username")
_TOO_MANY: Final = problem(403, f"maximum number of subusers reached: an account has at most {MAX_SUBUSERS}")
_NOT_ENABLED: Final = problem(403, "unable to enable user: whoever runs this service has stopped it")
_NO_PARENT: Final = problem(403, "you dont have permission to access this resource: a subuser has no subusers")
_CANNOT_MAKE_OWNER: Final = problem(
    403,
    "access forbidden: an owner may do everything in the subuser, which is more than you may do here; leave the "
    "password out, or use a key with full access",
    at="password",
)

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subusers:
    """Manages the subusers of the caller's account.

    Attributes:
        accounts: To look at.
        accounts_as: To change, in the name of an actor: what is done is recorded as its act.
        lists: Address lists: a new subuser begins with its parent's.
        lists_as: To change these.
        unit_of_work: Makes what is changed within it one change.
        sending_networks: Where this service sends from.
        first_owners: Makes the first person of a subuser that is made with a password.
    """

    callers: Callers
    accounts: AccountStore
    accounts_as: Callable[[Actor], AccountStore]
    lists: IPAccessStore
    lists_as: Callable[[Actor], IPAccessStore]
    unit_of_work: Callable[[], AbstractContextManager[object]]
    rights_changed: RightsChanged
    acts: ActsInProgress
    clock: Clock
    entropy: Entropy
    sending_networks: Collection[IPv4Network | IPv6Network]
    first_owners: FirstOwners

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/subusers", "/v3/subusers/{subuser_name}"
        return (
            Operation(
                method="GET", path=many, name="ListSubusers", summary="List the account's subusers.",
                scope=_READ, run=self.list_all, gives={200: tuple[SubuserListed, ...]}, refuses=(400,),
                query={
                    "username": "Only the one of this name.", "limit": "How many to return at most: 500.",
                    "offset": "How many to leave out.", "region": '"all" or "global"; there is no other.',
                    "include_region": '"true" shows the region of each.',
                },
            ),
            Operation(
                method="POST", path=many, name="CreateSubuser", summary="Make a subuser.",
                scope=_CREATE, run=self.create, takes=SubuserToMake, gives={200: SubuserMade}, needs_proof=True,
            ),
            Operation(
                method="PATCH", path=one, name="UpdateSubuser",
                summary="Disable a subuser, on every worker, and hold what it has queued; or enable it again.",
                scope=_UPDATE, run=self.disable, takes=Disabling, gives={204: None},
            ),
            Operation(
                method="DELETE", path=one, name="DeleteSubuser",
                summary="Close a subuser for good, on every worker, and hold what it has queued.",
                scope=_DELETE, run=self.delete, gives={204: None}, refuses=(400,),
            ),
            Operation(
                method="PATCH", path=f"{one}/website_access", name="UpdateSubuserWebsiteAccess",
                summary="Keep the subuser's people off the website, or let them in again; its keys go on sending.",
                scope=_UPDATE, run=self.bar, takes=Disabling, gives={204: None},
            ),
            Operation(
                method="PUT", path=f"{one}/ips", name="UpdateSubuserIps",
                summary="Assign sending addresses of this service to a subuser, in place of those it had.",
                scope=_UPDATE, run=self.assign, takes=tuple[str, ...], gives={200: AssignedAddresses},
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the subusers that are not deleted, by name."""
        page = read_page(call.parameters)
        if isinstance(page, str):
            return problem(400, f"{page} must be a number", at=page)
        limit, offset = page
        found = await asyncio.to_thread(self.accounts.list_subusers, call.account_id)
        name, region = call.parameters.get("username", "").lower(), call.parameters.get("region", "all")
        with_region = call.parameters.get("include_region") == "true"
        listed = [
            describe(each, with_region=with_region)
            for each in found
            if each.state is not AccountState.CLOSED and name in {"", each.name} and region in {"all", REGION}
        ]
        return Answer(status=200, body=tuple(listed[offset : offset + limit]))

    async def create(self, call: Call) -> Answer | Problem:
        """Make a subuser; with a password, its first person too, who may do everything in it.

        So only who could do everything himself gives one: whatever is left of a key would otherwise grow by it.
        """
        wanted = cast("SubuserToMake", call.body)
        errors = list(self._find_errors(wanted))
        if errors:
            return invalid(errors)
        owner = await self._prepare_owner(call, wanted)
        if isinstance(owner, Problem):
            return owner
        made = await do_judged(
            self.acts,
            self.callers,
            call,
            scope=_CREATE,
            act=lambda: self._make(call, wanted, owner),
            object_to=_object_to_granting_all if owner else lambda _: None,
        )
        if isinstance(made, Problem):
            return made
        log.info("subuser_made", account_id=made.id, parent_id=made.parent_id, by=id_of(call.principal))
        region = REGION if wanted.include_region is True else UNSET
        body = SubuserMade(
            username=made.name,
            user_id=number_of(made.id),
            email=made.email,
            credit_allocation=CreditAllocation(type="unlimited"),
            region=region,
        )
        return Answer(status=200, body=body)

    async def _prepare_owner(self, call: Call, wanted: SubuserToMake) -> OwnerWanted | Problem | None:
        if not wanted.password:
            return None
        name = str(wanted.username).lower()
        if (objection := _object_to_granting_all(call.principal)) is not None:
            return objection
        try:
            lifecycle.require_name(name)
            return await self.first_owners.prepare(name, email=str(wanted.email), password=Secret(str(wanted.password)))
        except AccountRefused as error:
            return problem(400, str(error), at="username")
        except FirstOwnerRefused as error:
            return problem(400, str(error), at=error.subject)

    def _make(self, call: Call, wanted: SubuserToMake, owner: OwnerWanted | None) -> Account | Problem:
        parent = self.accounts.find(call.account_id)
        if parent is None or parent.parent_id is not None:
            return _NO_PARENT
        if len(self.accounts.list_subusers(parent.id)) >= MAX_SUBUSERS:
            return _TOO_MANY
        actor = self.actor(call)
        email = str(wanted.email).strip()
        try:
            with self.unit_of_work():
                made = lifecycle.create(
                    self.accounts_as(actor),
                    str(wanted.username).lower(),
                    now=self.clock.now(),
                    entropy=self.entropy,
                    parent=parent,
                    email=email,
                    addresses=() if isinstance(wanted.ips, UnsetType) else wanted.ips,
                )
                begin_as(self.lists_as(actor), made.id, self.lists.find(parent.id))
                if owner is not None:
                    self.first_owners.add(made, owner, actor)
        except AccountNameTaken:
            return _EXISTS
        except AccountRefused as error:
            return problem(400, str(error), at="username")
        except FirstOwnerRefused as error:
            return problem(400, str(error), at=error.subject)
        return made

    async def disable(self, call: Call) -> Answer | Problem:
        """Disable a subuser, or enable it. What was held stays so until the operator releases it."""
        is_off = cast("Disabling", call.body).disabled
        if isinstance(is_off, UnsetType):
            return _NO_FIELDS
        now = self.clock.now()

        def change(subuser: Account) -> Account:
            return replace(subuser, disabled_at=(subuser.disabled_at or now) if is_off else None)

        changed = await self.change(call, change, is_allowed=lambda it: is_off or it.state is AccountState.ACTIVE)
        if isinstance(changed, Problem):
            return changed
        if is_off:
            await self.rights_changed.settle_and_hold(changed.id, None, reason="subuser disabled")
        log.info("subuser_changed", account_id=changed.id, disabled=is_off, by=id_of(call.principal))
        return Answer(status=204)

    async def delete(self, call: Call) -> Answer | Problem:
        """Close a subuser for good. One that is closed already is unknown, but only once every worker knows it."""
        known = self.find(call)
        was_open = not isinstance(known, Problem)

        def close() -> Account | Problem:
            found = self.accounts.find_subuser(call.account_id, _name(call))
            if found is None:
                return UNKNOWN
            lifecycle.move(self.accounts_as(self.actor(call)), found, AccountState.CLOSED)
            return found

        closed = await do_judged(self.acts, self.callers, call, scope=_DELETE, act=close)
        if isinstance(closed, Problem):
            return closed
        await self.rights_changed.settle_and_hold(closed.id, None, reason="subuser deleted")
        if not was_open:
            return UNKNOWN
        log.info("subuser_deleted", account_id=closed.id, by=id_of(call.principal))
        return Answer(status=204)

    async def bar(self, call: Call) -> Answer | Problem:
        """Keep a subuser's people out, or let them in again; nothing that one of them had begun goes on after it."""
        is_off = cast("Disabling", call.body).disabled
        if isinstance(is_off, UnsetType):
            return _NO_FIELDS
        now = self.clock.now()

        def change(subuser: Account) -> Account:
            return replace(subuser, website_disabled_at=(subuser.website_disabled_at or now) if is_off else None)

        changed = await self.change(call, change)
        if isinstance(changed, Problem):
            return changed
        if is_off:
            await self.rights_changed.settle()
        log.info("subuser_changed", account_id=changed.id, website_disabled=is_off, by=id_of(call.principal))
        return Answer(status=204)

    async def assign(self, call: Call) -> Answer | Problem:
        """Assign sending addresses."""
        wanted = cast("tuple[str, ...]", call.body)
        if foreign := self._find_foreign(wanted):
            return problem(400, _not_ours(foreign), at="ips")
        changed = await self.change(call, lambda subuser: replace(subuser, addresses=tuple(sorted(set(wanted)))))
        if isinstance(changed, Problem):
            return changed
        return Answer(status=200, body=AssignedAddresses(ips=changed.addresses))

    def find(self, call: Call) -> Account | Problem:
        """Return the subuser that the path names, unless it is closed."""
        found = self.accounts.find_subuser(call.account_id, _name(call))
        return UNKNOWN if found is None or found.state is AccountState.CLOSED else found

    @staticmethod
    def actor(call: Call) -> Actor:
        """Return the caller as one who acts on a subuser: it is written into the chains of both."""
        return replace(call.actor, account=call.principal.account_id)

    async def change(
        self,
        call: Call,
        change: Callable[[Account], Account],
        *,
        scope: str = _UPDATE,
        is_allowed: Callable[[Account], bool] = lambda _: True,
    ) -> Account | Problem:
        """Change what the caller decides about the subuser that the path names, if it is ``is_allowed``."""

        def act() -> Account | Problem:
            found = self.find(call)
            if isinstance(found, Problem):
                return found
            if not is_allowed(found):
                return _NOT_ENABLED
            return self.accounts_as(self.actor(call)).change_subuser(call.account_id, found.id, change) or UNKNOWN

        return await do_judged(self.acts, self.callers, call, scope=scope, act=act)

    def _find_errors(self, wanted: SubuserToMake) -> list[FieldError]:
        errors: list[FieldError] = []
        if isinstance(wanted.username, UnsetType) or not wanted.username:
            errors.append(FieldError(message="username is required", field="username"))
        elif wanted.username.lower() in _PATH_WORDS:
            errors.append(
                FieldError(message="username stands for something else in paths of this API", field="username")
            )
        if not _is_address(wanted.email):
            errors.append(FieldError(message="a valid email address is required", field="email"))
        if wanted.region not in {UNSET, REGION}:
            errors.append(FieldError(message=f'there is one region here: "{REGION}"', field="region"))
        foreign = None if isinstance(wanted.ips, UnsetType) else self._find_foreign(wanted.ips)
        if foreign:
            errors.append(FieldError(message=_not_ours(foreign), field="ips"))
        return errors

    def _find_foreign(self, addresses: Collection[str]) -> str | None:
        """Return the first that is no address this service sends from."""
        return next((each for each in addresses if not self._is_ours(each)), None)

    def _is_ours(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self.sending_networks)


def _object_to_granting_all(caller: Caller) -> Problem | None:
    return _CANNOT_MAKE_OWNER if isinstance(decide_grant(caller, Role.ADMIN, frozenset()), Deny) else None


def _name(call: Call) -> str:
    return call.parameters["subuser_name"].lower()


def _is_address(text: str | UnsetType) -> bool:
    try:
        return not isinstance(text, UnsetType) and bool(parse_mailbox(text.strip().encode(), allow_utf8=True))
    except AddressError:
        return False


def _not_ours(address: str) -> str:
    return f"unable to validate IPs: {address[:64]!r} is no address that this service sends from"
