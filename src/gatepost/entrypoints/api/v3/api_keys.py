"""``/v3/api_keys``: made, listed, renamed, changed and revoked, never beyond what the caller holds: a key or a person.

A change that takes rights away is answered once every mail worker goes by it (``RightsChanged``). If that cannot be
made certain the answer is 503: the change is committed, and asking again makes it certain.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import FORBIDDEN, Problem, problem, problem_of_person
from gatepost.entrypoints.api.v3.api_keys_body import (
    KeyList,
    KeyListed,
    KeyMade,
    KeyName,
    KeyRotated,
    KeyShown,
    KeyToMake,
    RotationWanted,
    key_made,
    key_rotated,
    key_shown,
)
from gatepost.entrypoints.api.v3.api_keys_checks import WantedKey, read_name, read_overlap, read_wanted
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import KeyId
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.budget import new_purse
from gatepost.tenancy.access.grant import Grant, Widening, inherit, limit, narrow, narrow_to
from gatepost.tenancy.access.issue import MAX_KEYS, issue_key
from gatepost.tenancy.access.person import Caller, id_of
from gatepost.tenancy.access.ports import ApiKeyStore
from gatepost.tenancy.access.rotate import Rotated, Rotation, RotationDenial, rotate_key
from gatepost.tenancy.access.scope import MAIL_SEND, of_one_kind
from gatepost.tenancy.access.team import grant_of
from gatepost.tenancy.audit.entry import Actor

_CREATE, _READ, _UPDATE, _DELETE = (f"api_keys.{verb}" for verb in ("create", "read", "update", "delete"))

_KEY_UNKNOWN: Final = problem(404, "unable to find API key")
_TOO_MANY: Final = problem(403, f"maximum number of API keys reached: an account has at most {MAX_KEYS}")
_SCOPES_MISSING: Final = problem(400, "at least one scope is required; delete the key to take all away", at="scopes")
_FIELDS: Final = {
    Widening.SCOPES: "scopes",
    Widening.NETWORKS: "allowed_networks",
    Widening.AUTHORS: "allowed_authors",
    Widening.RECIPIENTS: "allowed_recipient_domains",
    Widening.EXPIRY: "expires_at",
    Widening.BUDGET: "budget",
}

T = TypeVar("T")
log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """Manages the keys of the caller's account.

    Attributes:
        keys: To look at.
        keys_as: To change, in the name of an actor: what is done is recorded as its act.
        hash_secret: The keyring's.
    """

    access: Callers
    keys: ApiKeyStore
    keys_as: Callable[[Actor], ApiKeyStore]
    rights_changed: RightsChanged
    acts: ActsInProgress
    clock: Clock
    entropy: Entropy
    hash_secret: Callable[[bytes], bytes]

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/api_keys", "/v3/api_keys/{api_key_id}"
        return (
            Operation(
                method="GET", path=many, name="ListApiKeys", summary="List the account's API keys.",
                scope=_READ, run=self.list_all, is_on_behalf=True, gives={200: KeyList}, refuses=(400,),
                query={"limit": "How many to return at most."},
            ),
            Operation(
                method="POST", path=many, name="CreateApiKey", summary="Make an API key; its text is shown once.",
                scope=_CREATE, run=self.create, is_on_behalf=True, needs_proof=True, takes=KeyToMake,
                gives={201: KeyMade},
            ),
            Operation(
                method="GET", path=one, name="GetApiKey", summary="Show an API key: scopes, limits, last use.",
                scope=_READ, run=self.show, is_on_behalf=True, gives={200: KeyShown}, refuses=(404,),
            ),
            Operation(
                method="PATCH", path=one, name="UpdateApiKeyName", summary="Rename an API key.",
                scope=_UPDATE, run=self.rename, is_on_behalf=True, needs_proof=True, takes=KeyName,
                gives={200: KeyListed}, refuses=(404,),
            ),
            Operation(
                method="PUT", path=one, name="UpdateApiKey",
                summary="Rename an API key, replace its scopes, tighten its limits.",
                scope=_UPDATE, run=self.change, is_on_behalf=True, needs_proof=True, takes=KeyToMake,
                gives={200: KeyShown}, refuses=(404,),
            ),
            Operation(
                method="POST", path=f"{one}/rotate", name="RotateApiKey",
                summary="Make a key with the same grant, shown once; the old one ends after an overlap.",
                scope=_CREATE, run=self.rotate, is_on_behalf=True, needs_proof=True, takes=RotationWanted,
                gives={201: KeyRotated}, refuses=(404,),
            ),
            Operation(
                method="DELETE", path=one, name="DeleteApiKey",
                summary="Revoke an API key for good, on every worker, and hold what it has queued.",
                scope=_DELETE, run=self.revoke, is_on_behalf=True, needs_proof=True, gives={204: None}, refuses=(404,),
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the keys that have not been revoked."""
        limit = call.parameters.get("limit", "")
        if limit and not (limit.isascii() and limit.isdigit() and int(limit) > 0):
            return problem(400, "limit must be a number from 1 up", at="limit")
        keys = [key for key in self.keys.list_all(call.account_id) if key.revoked_at is None]
        shown = keys[: int(limit)] if limit else keys
        return Answer(
            status=200, body=KeyList(result=tuple([KeyListed(api_key_id=key.id, name=key.name) for key in shown]))
        )

    async def show(self, call: Call) -> Answer | Problem:
        """Show one key."""
        key = self._find(call)
        return _KEY_UNKNOWN if key is None else Answer(status=200, body=key_shown(key))

    async def create(self, call: Call) -> Answer | Problem:
        """Make a key. It inherits every limit of the caller's; those that are asked for must lie within them."""
        wanted = read_wanted(cast("KeyToMake", call.body), self.clock.now())
        if isinstance(wanted, Problem):
            return wanted

        def make(maker: Caller) -> Answer | Problem:
            grant = self._grant_made(call, maker, wanted)
            if isinstance(grant, Deny):
                return _widening(grant)
            issued = issue_key(
                self._keys_for(call),
                account_id=call.account_id,
                name=wanted.name,
                grant=grant,
                hash_secret=self.hash_secret,
                entropy=self.entropy,
                now=self.clock.now(),
                at_most=MAX_KEYS,
            )
            if issued is None:
                return _TOO_MANY
            made, secret = issued
            log.info("key_made", key_id=made.id, account_id=made.account_id, by=id_of(maker))
            return Answer(status=201, body=key_made(made, secret.reveal()))

        return await self._act(call, _CREATE, make)

    def _grant_made(self, call: Call, maker: Caller, wanted: WantedKey) -> Grant | Deny:
        own = grant_of(maker)
        scopes = of_one_kind(own.scopes) if wanted.scopes is None else wanted.scopes
        grant = limit(inherit(own, scopes=scopes), wanted.limits, purse=new_purse(call.account_id, self.entropy))
        return narrow_to(own, wanted.limits, grant)

    async def rename(self, call: Call) -> Answer | Problem:
        """Give a key another name."""
        name = read_name(cast("KeyName", call.body).name)
        if isinstance(name, Problem):
            return name

        def rename(_: Caller) -> ApiKey | Deny | None:
            if self._find(call) is None:
                return None
            return self._keys_for(call).change_grant(call.account_id, _key_id(call), lambda grant: grant, name=name)

        changed = await self._act(call, _UPDATE, rename)
        if isinstance(changed, ApiKey):
            return Answer(status=200, body=KeyListed(api_key_id=changed.id, name=changed.name))
        return changed if isinstance(changed, Problem) else _KEY_UNKNOWN

    async def change(self, call: Call) -> Answer | Problem:
        """Replace a key's name and scopes, and tighten its limits.

        What is added must be the caller's to give, under the key's own limits; no limit is ever lifted.
        """
        wanted = read_wanted(cast("KeyToMake", call.body), self.clock.now())
        if isinstance(wanted, Problem):
            return wanted
        scopes = wanted.scopes
        if scopes is None:
            return _SCOPES_MISSING

        def change(maker: Caller) -> ApiKey | Deny | None:
            if self._find(call) is None:
                return None

            def decide(current: Grant) -> Grant | Deny:
                added = scopes - current.scopes
                allowed = narrow(grant_of(maker), replace(current, scopes=added)) if added else current
                if isinstance(allowed, Deny):
                    return allowed
                changed = replace(current, scopes=scopes)
                purse = new_purse(call.account_id, self.entropy)
                return narrow(changed, limit(changed, wanted.limits, purse=purse))

            return self._keys_for(call).change_grant(call.account_id, _key_id(call), decide, name=wanted.name)

        changed = await self._act(call, _UPDATE, change)
        if isinstance(changed, Problem):
            return changed
        if isinstance(changed, Deny):
            return _widening(changed)
        if changed is None:
            return _KEY_UNKNOWN
        limits = wanted.limits
        await self._settle(
            call, holds=bool(MAIL_SEND not in scopes or limits.allowed_authors or limits.allowed_recipient_domains)
        )
        log.info("key_changed", key_id=changed.id, account_id=changed.account_id, by=id_of(call.principal))
        return Answer(status=200, body=key_shown(changed))

    async def rotate(self, call: Call) -> Answer | Problem:
        """Make a key with the same grant, which must be within the caller's; the old one ends after the overlap."""
        overlap = read_overlap(cast("RotationWanted", call.body))
        if isinstance(overlap, Problem):
            return overlap

        def rotate(maker: Caller) -> Rotated | Deny | None:
            rotation = Rotation(
                account_id=call.account_id,
                key_id=_key_id(call),
                overlap=overlap,
                decide=lambda current: narrow(grant_of(maker), current),
            )
            return rotate_key(
                self._keys_for(call),
                rotation,
                hash_secret=self.hash_secret,
                entropy=self.entropy,
                now=self.clock.now(),
            )

        rotated = await self._act(call, _CREATE, rotate)
        if isinstance(rotated, Problem):
            return rotated
        if isinstance(rotated, Deny):
            return _rotation_problem(rotated)
        if rotated is None:
            return _KEY_UNKNOWN
        await self.rights_changed.settle()
        log.info("key_rotated", key_id=rotated.old.id, new_key_id=rotated.new.id, by=id_of(call.principal))
        return Answer(status=201, body=key_rotated(rotated.new, rotated.shown.reveal(), replaced=rotated.old))

    async def revoke(self, call: Call) -> Answer | Problem:
        """Revoke a key. One that is revoked already is unknown, but only once every worker is sure to know it."""
        was_valid = self._find(call) is not None

        def revoke(_: Caller) -> ApiKey | None:
            return self._keys_for(call).revoke(call.account_id, _key_id(call), self.clock.now())

        revoked = await self._act(call, _DELETE, revoke)
        if isinstance(revoked, Problem):
            return revoked
        if revoked is None:
            return _KEY_UNKNOWN
        await self._settle(call, holds=True)
        if not was_valid:
            return _KEY_UNKNOWN
        log.info("key_revoked", key_id=revoked.id, account_id=revoked.account_id, by=id_of(call.principal))
        return Answer(status=204)

    async def _act(self, call: Call, scope: str, act: Callable[[Caller], T]) -> T | Problem:
        """Do something in a thread, by the rights that the caller has at this moment."""
        with self.acts.enter():
            principal = self.access.recheck(call.principal, call.peer, scope=scope)
            if isinstance(principal, Deny):
                return problem_of_person(principal)
            return await asyncio.to_thread(act, principal)

    async def _settle(self, call: Call, *, holds: bool) -> None:
        if holds:
            await self.rights_changed.settle_and_hold(call.account_id, _key_id(call), reason="key revoked or narrowed")
        else:
            await self.rights_changed.settle()

    def _keys_for(self, call: Call) -> ApiKeyStore:
        return self.keys_as(call.actor)

    def _find(self, call: Call) -> ApiKey | None:
        key = self.keys.find(call.account_id, _key_id(call))
        return key if key is not None and key.revoked_at is None else None


def _key_id(call: Call) -> KeyId:
    return KeyId(call.parameters["api_key_id"])


def _widening(denial: Deny) -> Problem:
    """Say what the caller's own key does not hold; that is nothing it could not find out by itself."""
    if denial.reason is Widening.SCOPES:
        return problem(403, f"access forbidden: your own key does not have these scopes: {denial.detail}", at="scopes")
    if isinstance(denial.reason, Widening):
        field = _FIELDS[denial.reason]
        return problem(
            403,
            f"access forbidden: the limits of your own key, or those that the key has already, are narrower: {field}",
            at=field,
        )
    return FORBIDDEN


def _rotation_problem(denial: Deny) -> Problem:
    if denial.reason is RotationDenial.NOT_VALID:
        return _KEY_UNKNOWN
    return _TOO_MANY if denial.reason is RotationDenial.TOO_MANY else _widening(denial)
