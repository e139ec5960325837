"""``/v3/access_settings``: from where the account may be reached, and who came from where.

Beyond the dialect: the list's ``mode``, and the ``verdict`` of an attempt. An edit is answered once every mail worker
goes by it; if that cannot be made certain the answer is 503, the edit is committed, and ``GET`` shows it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import FieldError, Problem, invalid, problem, problem_of_access
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.access_list import MAX_RULES, AccessList, IPRule, ListMode, Verdict
from gatepost.tenancy.access.ip_access.attempt import Attempt
from gatepost.tenancy.access.ip_access.attempt_log import MAX_ATTEMPTS
from gatepost.tenancy.access.ip_access.edit import Author, EditDenial
from gatepost.tenancy.access.ip_access.ports import AttemptStore, IPAccessStore
from gatepost.tenancy.access.ip_allowlist import Network, parse_network
from gatepost.tenancy.access.person import Person, id_of
from gatepost.tenancy.audit.entry import Actor

_MANY: Final = "/v3/access_settings/whitelist"
_ONE: Final = "/v3/access_settings/whitelist/{rule_id}"
_CREATE, _READ, _UPDATE, _DELETE = (
    f"access_settings.whitelist.{verb}" for verb in ("create", "read", "update", "delete")
)
_DEFAULT_LIMIT: Final = 20

_RULE_UNKNOWN: Final = problem(404, "unable to find a rule of that id", at="rule_id")
_FORCE: Final = "Make an edit that shuts out its own author; takes a person with a fresh second factor, never a key."
_IPS_MISSING: Final = problem(400, "at least one address is required", at="ips")
_IDS_MISSING: Final = problem(400, "at least one id is required", at="ids")
_MODE_UNKNOWN: Final = problem(400, "mode must be one of: " + ", ".join(mode.value for mode in ListMode), at="mode")

log = get_logger()


class AddressToAllow(Struct, frozen=True, kw_only=True):
    """An address, a CIDR block, or an IPv4 address whose last octets are asterisks."""

    ip: str | UnsetType = UNSET


class AddressesToAllow(Struct, frozen=True, kw_only=True):
    """What is to be let in."""

    ips: Annotated[tuple[AddressToAllow, ...] | UnsetType, Meta(description="Required.")] = UNSET
    force: Annotated[bool | UnsetType, Meta(description=_FORCE)] = UNSET


class RulesToRemove(Struct, frozen=True, kw_only=True):
    """What is to be let in no longer: all of these, or none."""

    ids: Annotated[tuple[int, ...] | UnsetType, Meta(description="Required.")] = UNSET
    force: Annotated[bool | UnsetType, Meta(description=_FORCE)] = UNSET


class ModeToSet(Struct, frozen=True, kw_only=True):
    """How the list is to be used."""

    mode: Annotated[
        str | UnsetType,
        Meta(description="Required: `enforced`, or `observed`: nothing is refused, what would have been is recorded."),
    ] = UNSET
    force: Annotated[bool | UnsetType, Meta(description=_FORCE)] = UNSET


class RuleShown(Struct, frozen=True, kw_only=True):
    """A rule; instants are seconds since 1970."""

    id: int
    ip: str
    created_at: int
    updated_at: int


class RulesShown(Struct, frozen=True, kw_only=True):
    """Rules, by id; no rule at all lets in everybody."""

    result: tuple[RuleShown, ...]
    mode: str


class AttemptShown(Struct, frozen=True, kw_only=True):
    """All attempts from one address, by one way, with one verdict."""

    allowed: bool
    auth_method: str
    first_at: int
    ip: str
    last_at: int
    location: Annotated[str, Meta(description="Always empty: no address is looked up anywhere.")]
    verdict: Annotated[str, Meta(description="`allowed`, `refused`, or `would refuse`: let in by an observed list.")]
    attempts: int


class AttemptsShown(Struct, frozen=True, kw_only=True):
    """Attempts, the latest first; up to a minute late."""

    result: tuple[AttemptShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Manages the list of the caller's account.

    Attributes:
        lists: To look at.
        lists_as: To edit, in the name of an actor: what is done is recorded as its act.
    """

    callers: Callers
    lists: IPAccessStore
    lists_as: Callable[[Actor], IPAccessStore]
    attempts: AttemptStore
    rights_changed: RightsChanged
    acts: ActsInProgress
    clock: Clock

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        return (
            Operation(
                method="GET", path=_MANY, name="ListAllowedIp", summary="List the addresses that are let in.",
                scope=_READ, run=self.list_all, gives={200: RulesShown},
            ),
            Operation(
                method="POST", path=_MANY, name="AddIpToAllowList",
                summary="Let in addresses; the first one shuts out all others, unless the list is only observed.",
                scope=_CREATE, run=self.add, takes=AddressesToAllow, gives={201: RulesShown}, refuses=(409,),
                needs_proof=True,
            ),
            Operation(
                method="PATCH", path=_MANY, name="UpdateAllowListMode",
                summary="Enforce the list, or only observe what it would refuse.",
                scope=_UPDATE, run=self.set_mode, takes=ModeToSet, gives={200: RulesShown}, refuses=(409,),
                needs_proof=True,
            ),
            Operation(
                method="DELETE", path=_MANY, name="DeleteAllowedIps", summary="Remove addresses from the list.",
                scope=_DELETE, run=self.remove_many, takes=RulesToRemove, gives={204: None}, refuses=(404, 409),
                needs_proof=True,
            ),
            Operation(
                method="GET", path=_ONE, name="GetAllowedIp", summary="Show one rule.",
                scope=_READ, run=self.show, gives={200: RulesShown}, refuses=(404,),
            ),
            Operation(
                method="DELETE", path=_ONE, name="DeleteAllowedIp", summary="Remove one rule.",
                scope=_DELETE, run=self.remove_one, gives={204: None}, refuses=(404, 409), needs_proof=True,
            ),
            Operation(
                method="GET", path="/v3/access_settings/activity", name="ListAccessActivity",
                summary="List recent attempts to reach the account, let in or not.",
                scope="access_settings.activity.read", run=self.list_attempts, gives={200: AttemptsShown},
                refuses=(400,), query={"limit": f"How many to return at most; {_DEFAULT_LIMIT} if left out."},
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the rules."""
        found = self.lists.find(call.account_id)
        return Answer(status=200, body=_shown(found, found.rules))

    async def show(self, call: Call) -> Answer | Problem:
        """Show one rule."""
        found = self.lists.find(call.account_id)
        rules = [rule for rule in found.rules if rule.id == _rule_id(call)]
        return Answer(status=200, body=_shown(found, rules)) if rules else _RULE_UNKNOWN

    async def add(self, call: Call) -> Answer | Problem:
        """Let in addresses; answer with their rules, those that were there already too."""
        wanted = cast("AddressesToAllow", call.body)
        networks = _read_networks(wanted.ips)
        if isinstance(networks, Problem):
            return networks
        after = await self._edit(
            call,
            _CREATE,
            lambda store, author: edit.add_rules(
                store,
                call.account_id,
                networks,
                author,
                now=self.clock.now(),
                force=wanted.force is True,
            ),
        )
        if isinstance(after, Problem):
            return after
        return Answer(status=201, body=_shown(after, [rule for rule in after.rules if rule.network in set(networks)]))

    async def set_mode(self, call: Call) -> Answer | Problem:
        """Enforce, or observe."""
        wanted = cast("ModeToSet", call.body)
        mode = next((mode for mode in ListMode if mode.value == wanted.mode), None)
        if mode is None:
            return _MODE_UNKNOWN
        after = await self._edit(
            call,
            _UPDATE,
            lambda store, author: edit.set_mode(store, call.account_id, mode, author, force=wanted.force is True),
        )
        return after if isinstance(after, Problem) else Answer(status=200, body=_shown(after, after.rules))

    async def remove_many(self, call: Call) -> Answer | Problem:
        """Remove rules, all of them or none."""
        wanted = cast("RulesToRemove", call.body)
        if isinstance(wanted.ids, UnsetType) or not wanted.ids:
            return _IDS_MISSING
        return await self._remove(call, wanted.ids, force=wanted.force is True)

    async def remove_one(self, call: Call) -> Answer | Problem:
        """Remove one rule."""
        return await self._remove(call, [_rule_id(call)], force=False)

    async def list_attempts(self, call: Call) -> Answer | Problem:
        """List recent attempts."""
        text = call.parameters.get("limit", "") or str(_DEFAULT_LIMIT)
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_ATTEMPTS):
            return problem(400, f"limit must be a number from 1 to {MAX_ATTEMPTS}", at="limit")
        found = await asyncio.to_thread(self.attempts.list_recent, call.account_id, int(text))
        return Answer(status=200, body=AttemptsShown(result=tuple([_attempt(each) for each in found])))

    async def _remove(self, call: Call, ids: Sequence[int], *, force: bool) -> Answer | Problem:
        after = await self._edit(
            call,
            _DELETE,
            lambda store, author: edit.remove_rules(store, call.account_id, frozenset(ids), author, force=force),
        )
        return after if isinstance(after, Problem) else Answer(status=204)

    async def _edit(
        self, call: Call, scope: str, change: Callable[[IPAccessStore, Author], AccessList | Deny]
    ) -> AccessList | Problem:
        """Edit in a thread, by the rights that the caller has at this moment, and make it certain everywhere."""
        with self.acts.enter():
            caller = self.callers.recheck(call.principal, call.peer, scope=scope)
            if isinstance(caller, Deny):
                return problem_of_access(caller, sends_mail=False)
            # A person was let in here only with a factor shown in the last minutes; a key shows none, ever.
            author = Author(address=call.peer, may_force=isinstance(caller, Person))
            outcome = await asyncio.to_thread(change, self.lists_as(call.actor), author)
        if isinstance(outcome, Deny):
            return _refusal(outcome)
        await self.rights_changed.settle()
        log.info(
            "ip_access_changed", account_id=call.account_id, by=id_of(caller), rules=len(outcome.rules),
            mode=outcome.mode.value,
        )  # fmt: skip
        return outcome


def _rule_id(call: Call) -> int:
    text = call.parameters["rule_id"]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _read_networks(ips: tuple[AddressToAllow, ...] | UnsetType) -> list[Network] | Problem:
    if isinstance(ips, UnsetType) or not ips:
        return _IPS_MISSING
    if len(ips) > MAX_RULES:
        return _refusal(Deny(EditDenial.TOO_MANY_RULES))
    networks: list[Network] = []
    errors: list[FieldError] = []
    for place, each in enumerate(ips):
        try:
            networks.append(parse_network("" if isinstance(each.ip, UnsetType) else each.ip))
        except ValueError as error:
            reason = f"not an address, a CIDR block or a pattern such as 192.168.*.*: {error}"
            errors.append(FieldError(message=reason, field=f"ips.{place}.ip"))
    return invalid(errors) if errors else networks


def _refusal(denial: Deny) -> Problem:
    match denial.reason:
        case EditDenial.SHUTS_OUT_AUTHOR:
            return problem(
                409,
                f"this would shut you out: your own address, {denial.detail}, would be refused afterwards. List it"
                " first, or set the mode to observed",
            )
        case EditDenial.FORCE_NOT_ALLOWED:
            return problem(
                403, "access forbidden: only a person with a fresh second factor can force an edit", at="force"
            )
        case EditDenial.RULE_UNKNOWN:
            return _RULE_UNKNOWN
        case _:
            return problem(400, f"too many addresses: a list has at most {MAX_RULES}; use CIDR blocks", at="ips")


def _shown(access_list: AccessList, rules: Sequence[IPRule]) -> RulesShown:
    return RulesShown(
        result=tuple(
            [
                RuleShown(
                    id=rule.id,
                    ip=str(rule.network),
                    created_at=int(rule.created_at.timestamp()),
                    updated_at=int(rule.updated_at.timestamp()),
                )
                for rule in rules
            ]
        ),
        mode=access_list.mode.value,
    )


def _attempt(attempt: Attempt) -> AttemptShown:
    return AttemptShown(
        allowed=attempt.verdict is not Verdict.REFUSED,
        auth_method=attempt.method.value,
        first_at=int(attempt.first_at.timestamp()),
        ip=str(ip_address(attempt.address)),
        last_at=int(attempt.last_at.timestamp()),
        location="",
        verdict=attempt.verdict.value,
        attempts=attempt.count,
    )
