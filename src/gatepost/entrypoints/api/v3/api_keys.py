"""``/v3/api_keys``: made, listed, renamed, changed and revoked, never beyond what the caller holds: a key or a person.

A change that takes rights away is answered once every mail worker goes by it (``RightsChanged``). If that cannot be
made certain the answer is 503: the change is committed, and asking again makes it certain.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeVar, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import FORBIDDEN, Problem, problem, problem_of_person
from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import KeyId
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.api_key import ApiKey
from gatepost.tenancy.access.grant import Grant, Widening, narrow
from gatepost.tenancy.access.person import Caller, id_of
from gatepost.tenancy.access.ports import ApiKeyStore
from gatepost.tenancy.access.scope import MAIL_SEND, UnknownScope, require_known
from gatepost.tenancy.audit.entry import Actor

MAX_KEYS: Final = 100
_MAX_NAME: Final = 100
_CREATE, _READ, _UPDATE, _DELETE = (f"api_keys.{verb}" for verb in ("create", "read", "update", "delete"))

_KEY_UNKNOWN: Final = problem(404, "unable to find API key")
_NAME_INVALID: Final = problem(400, f"name is required: 1 to {_MAX_NAME} printable characters", at="name")
_TOO_MANY: Final = problem(403, f"maximum number of API keys reached: an account has at most {MAX_KEYS}")
_SCOPES_MISSING: Final = problem(400, "at least one scope is required; delete the key to take all away", at="scopes")

T = TypeVar("T")
log = get_logger()


class KeyToMake(Struct, frozen=True, kw_only=True):
    """A key that is wanted."""

    name: Annotated[str | UnsetType, Meta(description="Required; need not be unique.")] = UNSET
    scopes: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="What it may do; left out: all that the caller's key may do.")
    ] = UNSET


class KeyName(Struct, frozen=True, kw_only=True):
    """A key's new name."""

    name: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET


class KeyMade(Struct, frozen=True, kw_only=True):
    """A new key: the only answer that ever holds its text."""

    api_key: str
    api_key_id: str
    name: str
    scopes: tuple[str, ...]


class KeyListed(Struct, frozen=True, kw_only=True):
    """A key in a list."""

    api_key_id: str
    name: str


class KeyShown(Struct, frozen=True, kw_only=True):
    """A key with what it may do."""

    api_key_id: str
    name: str
    scopes: tuple[str, ...]


class KeyList(Struct, frozen=True, kw_only=True):
    """The account's keys, oldest first."""

    result: tuple[KeyListed, ...]


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
                method="GET", path=one, name="GetApiKey", summary="Show an API key and its scopes.",
                scope=_READ, run=self.show, is_on_behalf=True, gives={200: KeyShown}, refuses=(404,),
            ),
            Operation(
                method="PATCH", path=one, name="UpdateApiKeyName", summary="Rename an API key.",
                scope=_UPDATE, run=self.rename, is_on_behalf=True, needs_proof=True, takes=KeyName,
                gives={200: KeyListed}, refuses=(404,),
            ),
            Operation(
                method="PUT", path=one, name="UpdateApiKey", summary="Rename an API key and replace its scopes.",
                scope=_UPDATE, run=self.change, is_on_behalf=True, needs_proof=True, takes=KeyToMake,
                gives={200: KeyShown}, refuses=(404,),
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
        return _KEY_UNKNOWN if key is None else Answer(status=200, body=_shown(key))

    async def create(self, call: Call) -> Answer | Problem:
        """Make a key. It inherits every limit of the caller's: networks, authors, expiry."""
        wanted = cast("KeyToMake", call.body)
        name = _name(wanted.name)
        if name is None:
            return _NAME_INVALID

        def make(maker: Caller) -> Answer | Problem:
            scopes = _scopes(wanted.scopes, otherwise=maker.scopes)
            if isinstance(scopes, Problem):
                return scopes
            grant = narrow(_grant(maker), replace(_grant(maker), scopes=scopes))
            if isinstance(grant, Deny):
                return _widening(grant)
            made, secret = api_key.issue(
                account_id=call.account_id, name=name, grant=grant, now=self.clock.now(), entropy=self.entropy
            )
            credential = api_key.parse(secret.reveal().encode())
            assert credential is not None, "a key just issued is well-formed"
            if not self._keys_for(call).add(made, self.hash_secret(credential[1].reveal()), at_most=MAX_KEYS):
                return _TOO_MANY
            log.info("key_made", key_id=made.id, account_id=made.account_id, by=id_of(maker))
            return Answer(
                status=201,
                body=KeyMade(
                    api_key=secret.reveal(), api_key_id=made.id, name=name, scopes=tuple(sorted(grant.scopes))
                ),
            )

        return await self._act(call, _CREATE, make)

    async def rename(self, call: Call) -> Answer | Problem:
        """Give a key another name."""
        name = _name(cast("KeyName", call.body).name)
        if name is None:
            return _NAME_INVALID

        def rename(_: Caller) -> ApiKey | Deny | None:
            if self._find(call) is None:
                return None
            return self._keys_for(call).change_grant(call.account_id, _key_id(call), lambda grant: grant, name=name)

        changed = await self._act(call, _UPDATE, rename)
        if isinstance(changed, ApiKey):
            return Answer(status=200, body=KeyListed(api_key_id=changed.id, name=changed.name))
        return changed if isinstance(changed, Problem) else _KEY_UNKNOWN

    async def change(self, call: Call) -> Answer | Problem:
        """Replace a key's name and scopes; what is added must be the caller's to give, under the key's own limits."""
        wanted = cast("KeyToMake", call.body)
        name, scopes = _name(wanted.name), _scopes(wanted.scopes, otherwise=frozenset())
        if name is None:
            return _NAME_INVALID
        if isinstance(scopes, Problem):
            return scopes
        if not scopes:
            return _SCOPES_MISSING

        def change(maker: Caller) -> ApiKey | Deny | None:
            if self._find(call) is None:
                return None

            def decide(current: Grant) -> Grant | Deny:
                added = scopes - current.scopes
                allowed = narrow(_grant(maker), replace(current, scopes=added)) if added else current
                return allowed if isinstance(allowed, Deny) else replace(current, scopes=scopes)

            return self._keys_for(call).change_grant(call.account_id, _key_id(call), decide, name=name)

        changed = await self._act(call, _UPDATE, change)
        if isinstance(changed, Problem):
            return changed
        if isinstance(changed, Deny):
            return _widening(changed)
        if changed is None:
            return _KEY_UNKNOWN
        await self._settle(call, holds=MAIL_SEND not in scopes)
        log.info("key_changed", key_id=changed.id, account_id=changed.account_id, by=id_of(call.principal))
        return Answer(status=200, body=_shown(changed))

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


def _name(name: str | UnsetType) -> str | None:
    if isinstance(name, UnsetType) or not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        return None
    return name


def _scopes(names: tuple[str, ...] | UnsetType, *, otherwise: frozenset[str]) -> frozenset[str] | Problem:
    if isinstance(names, UnsetType):
        return otherwise
    if not names:
        return _SCOPES_MISSING
    try:
        return require_known(names)
    except UnknownScope as error:
        return problem(400, f"one or more of given scopes are invalid: {error}", at="scopes")


def _grant(principal: Caller) -> Grant:
    return Grant(
        scopes=principal.scopes,
        allowed_networks=principal.allowed_networks,
        allowed_authors=principal.allowed_authors,
        expires_at=principal.expires_at,
    )


def _widening(denial: Deny) -> Problem:
    """Say what the caller's own key does not hold; that is nothing it could not find out by itself."""
    if denial.reason is Widening.SCOPES:
        return problem(403, f"access forbidden: your own key does not have these scopes: {denial.detail}", at="scopes")
    if isinstance(denial.reason, Widening):
        return problem(
            403, "access forbidden: your own key holds these scopes only within narrower limits", at="scopes"
        )
    return FORBIDDEN


def _shown(key: ApiKey) -> KeyShown:
    return KeyShown(api_key_id=key.id, name=key.name, scopes=tuple(sorted(key.grant.scopes)))
