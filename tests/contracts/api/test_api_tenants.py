"""The tenant matrix: every operation × who calls × whose thing it is about.

The operations are those of the OpenAPI document that the program itself gives. What must be known of an operation
beside that stands in two tables: an id for each path parameter, of a thing that the other tenant has, and a good body.
An operation that needs what is not in them fails the first test, which says what to add.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from gatepost.entrypoints.api.openapi import describe
from gatepost.mailflow.queue.batches import new_batch_id
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.account import AccountState


@dataclass(frozen=True)
class Tenant:
    """An account with a key that may do all, a domain of its own, and the canary wherever a text can be put."""

    account_id: AccountId
    key: str
    domain: str
    canary: str


def make_tenant(api: Any, name: str) -> Tenant:
    account_id = api.account(name)
    domain, canary = f"{name}.example", f"canary of {name}"
    api.claims.holders |= {domain: account_id}
    return Tenant(account_id, api.key(account_id, *CATALOGUE, name=canary), domain, canary)


def make_batch(api: Any, tenant: Tenant) -> str:
    batch = new_batch_id(api.control.entropy)
    now = api.clock.now()
    assert api.control.batches.add(tenant.account_id, batch, now, at_most=10)
    assert api.control.batches.decide(tenant.account_id, batch, BatchStatus.PAUSED, now, at_most=10) is None
    return batch


#: By path parameter: makes such a thing of a tenant, and returns its id.
THINGS: dict[str, Callable[[Any, Tenant], str]] = {
    "api_key_id": lambda api, tenant: api.key(tenant.account_id, "mail.send", name=tenant.canary).split(".")[1],
    "batch_id": make_batch,
}

#: By operation: a body that is right for a tenant. The second argument is the id of a thing the caller names in it.
BODIES: dict[str, Callable[[Tenant], dict[str, Any]]] = {
    "SendMail": lambda tenant: {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": f"ann@{tenant.domain}"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    },
    "CreateApiKey": lambda _: {"name": "x", "scopes": ["mail.send"]},
    "UpdateApiKeyName": lambda _: {"name": "x"},
    "UpdateApiKey": lambda _: {"name": "x", "scopes": ["mail.send"]},
    "CreateScheduledSend": lambda _: {"batch_id": "nobody's", "status": "cancel"},
    "UpdateScheduledSend": lambda _: {"status": "cancel"},
}

#: Operations that answer "not yours" otherwise than by 403 or 404, as the dialect has it.
NOT_YOURS = {"GetMailBatch": {400}, "SendMail": {403}}

#: Who calls, and what he may hear. A key of one's own account that is right in all else is refused for one thing.
CALLERS: dict[str, set[int]] = {
    "no key": {401},
    "a wrong key": {401},
    "a revoked key": {401},
    "an expired key": {401},
    "a key of a suspended account": {401, 403},
    "the right tenant without the scope": {401, 403},
    "the right key from a refused address": {401, 403},
}


def make_key(api: Any, own: Tenant, caller: str, scope: str | None) -> str:
    account = own.account_id
    match caller:
        case "no key":
            return ""
        case "a wrong key":
            return own.key[:-1] + ("A" if own.key[-1] != "A" else "B")
        case "a revoked key":
            key = api.key(account, *CATALOGUE)
            api.control.keys.revoke(account, KeyId(key.split(".")[1]), api.clock.now())
            return key
        case "an expired key":
            return api.key(account, *CATALOGUE, expires_at=api.clock.now() - timedelta(seconds=1))
        case "a key of a suspended account":
            api.control.accounts.change_state(account, to=AccountState.SUSPENDED, only_from=[AccountState.ACTIVE])
            return own.key
        case "the right tenant without the scope":
            return api.key(account, *(CATALOGUE - {scope}))
        case "the right key from a refused address":
            return api.key(account, *CATALOGUE, allowed_networks=(ip_network("10.0.0.0/8"),))
    raise AssertionError(f"nobody knows how to be {caller}")


def parameters_of(operation: Any) -> list[str]:
    return re.findall(r"\{(\w+)\}", operation.path)


def fill(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)


@pytest.fixture
def other(api: Any) -> Tenant:
    return make_tenant(api, "other")


@pytest.fixture
def own(api: Any) -> Tenant:
    return make_tenant(api, "own")


def documented(api: Any) -> dict[str, set[int]]:
    """By operation, the statuses that the document names."""
    paths = describe(api.operations())["paths"]
    return {
        each["operationId"]: {int(status) for status in each["responses"]}
        for methods in paths.values()
        for each in methods.values()
    }


def assert_silent(reply: Any, other: Tenant, *more: str) -> None:
    """No byte of the other tenant: neither its canary nor an id or a key of it."""
    said = reply.octets + repr(reply.headers).encode()
    for secret in (other.canary, other.account_id, other.key, other.key.split(".")[1], *more):
        assert secret.encode() not in said


def test_every_operation_can_be_tried(api: Any) -> None:
    operations = api.operations()
    names = {operation.name for operation in operations}

    lacking = {
        f"THINGS lacks {name!r}, the path parameter of {operation.name}: say how such a thing is made"
        for operation in operations
        for name in parameters_of(operation)
        if name not in THINGS
    }
    lacking |= {
        f"BODIES lacks a good body of {operation.name}"
        for operation in operations
        if operation.takes and operation.name not in BODIES
    }
    assert lacking == set()
    assert set(BODIES) <= names
    assert documented(api).keys() == names


@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_not_is_told_so_by_every_operation_about_own_and_foreign_things(
    api: Any, other: Tenant, own: Tenant, caller: str
) -> None:
    statuses = documented(api)
    # Whoever may not changes nothing, so that one thing of each kind is enough.
    things = {tenant: {name: make(api, tenant) for name, make in THINGS.items()} for tenant in (own, other)}
    keys = {scope: make_key(api, own, caller, scope) for scope in {each.scope for each in api.operations()}}
    before = snapshot(api, other), snapshot(api, own)

    for number, operation in enumerate(api.operations()):
        if caller == "the right tenant without the scope" and operation.scope is None:
            continue
        for tenant, ids in things.items():
            body = BODIES[operation.name](tenant) if operation.takes else None
            # From a network of its own: a wrong key is answered ever more slowly.
            peer = f"198.51.{2 * number + (tenant is own)}.1"

            reply = await api.ask(
                operation.method, fill(operation.path, ids), body, key=keys[operation.scope], peer=peer
            )

            assert reply.status in CALLERS[caller] & statuses[operation.name], operation.name
            assert_silent(reply, other, *things[other].values())
            assert_silent(reply, own, *things[own].values())
    assert (snapshot(api, other), snapshot(api, own)) == before
    assert api.queue.counters.accepted_messages == 0


async def test_another_tenants_things_are_not_there_for_any_operation(api: Any, other: Tenant, own: Tenant) -> None:
    statuses = documented(api)
    ids = {name: make(api, other) for name, make in THINGS.items()}
    before = snapshot(api, other)
    for operation in api.operations():
        body = BODIES[operation.name](other) if operation.takes else None

        reply = await api.ask(operation.method, fill(operation.path, ids), body, key=own.key)

        is_about_others = bool(parameters_of(operation)) or operation.name in NOT_YOURS
        expected = NOT_YOURS.get(operation.name, {403, 404}) if is_about_others else {200, 201, 204, 400}
        assert reply.status in expected & statuses[operation.name], operation.name
        assert_silent(reply, other, *ids.values())
        assert snapshot(api, other) == before, operation.name
    assert api.queue.counters.accepted_messages == 0
    assert (await api.ask("GET", "/v3/scopes", key=other.key)).status == 200


async def test_ones_own_things_are_there_for_every_operation(api: Any, other: Tenant, own: Tenant) -> None:
    """Else the tests above would be right about a service that refuses everything."""
    for operation in api.operations():
        ids = {name: THINGS[name](api, own) for name in parameters_of(operation)}
        body = BODIES[operation.name](own) if operation.takes else None

        reply = await api.ask(operation.method, fill(operation.path, ids), body, key=own.key)

        wanted = {400} if operation.name == "CreateScheduledSend" else set(operation.gives)
        assert reply.status in wanted, (operation.name, reply.octets)
        assert_silent(reply, other)


def snapshot(api: Any, tenant: Tenant) -> tuple[object, ...]:
    """What the control plane holds of a tenant."""
    control, account = api.control, tenant.account_id
    return (
        control.accounts.find(account),
        tuple(control.keys.list_all(account)),
        tuple(control.batches.list_decisions(account)),
    )
