"""The tenant matrix: every operation, called by those who may not. The operations are those of the program itself."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import KeyId
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.account import AccountState

CANARY = "canary-of-the-other-tenant"
BODIES = {
    "SendMail": {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": "ann@other.example"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    },
    "CreateApiKey": {"name": "x", "scopes": ["mail.send"]},
    "UpdateApiKeyName": {"name": "x"},
    "UpdateApiKey": {"name": "x", "scopes": ["mail.send"]},
    "RotateApiKey": {},
}
#: By who calls, the answers that are documented. Where nobody's id is in the path, another tenant's key does its own.
DOCUMENTED = {
    "no key": {401},
    "revoked": {401},
    "expired": {401},
    "of a suspended account": {401, 403},
    "without the scope": {401, 403},
    "from a refused address": {401, 403},
    "another tenant's": {200, 201, 403, 404},
}
OPERATIONS = [
    "SendMail", "ListApiKeys", "CreateApiKey", "GetApiKey", "UpdateApiKeyName", "UpdateApiKey", "RotateApiKey",
    "DeleteApiKey", "ListScopeGroups", "ListScopes",
]  # fmt: skip


@pytest.fixture
def world(api):
    """Two tenants: the one with the canary, and the one that calls."""
    other, own = api.account("other"), api.account("own")
    api.claims.holders |= {"other.example": other}
    foreign = api.key(other, *CATALOGUE, name=CANARY)
    return other, own, foreign


def make_key(api, own, caller, scope):
    every = CATALOGUE
    match caller:
        case "no key":
            return ""
        case "revoked":
            key = api.key(own, *every)
            api.control.keys.revoke(own, KeyId(key.split(".")[1]), api.clock.now())
            return key
        case "expired":
            return api.key(own, *every, expires_at=api.clock.now() - timedelta(seconds=1))
        case "without the scope":
            return api.key(own, *(every - {scope}))
        case "from a refused address":
            return api.key(own, *every, allowed_networks=(ip_network("10.0.0.0/8"),))
        case "of a suspended account":
            key = api.key(own, *every)
            suspend(api, own)
            return key
    return api.key(own, *every)


def suspend(api, own):
    api.control.accounts.change_state(own, to=AccountState.SUSPENDED, only_from=[AccountState.ACTIVE])


def test_every_operation_is_in_the_matrix(api):
    operations = api.operations()

    assert [operation.name for operation in operations] == OPERATIONS
    assert {operation.name for operation in operations if operation.takes} == set(BODIES)


@pytest.mark.parametrize(
    ("name", "caller"),
    # What needs no scope is not refused for want of one.
    [
        (name, caller)
        for name in OPERATIONS
        for caller in DOCUMENTED
        if not (name.startswith("ListScope") and caller == "without the scope")
    ],
)
async def test_who_may_not_gets_a_documented_answer_and_no_byte_of_another_tenant(api, world, name, caller):
    other, own, foreign = world
    operation = next(each for each in api.operations() if each.name == name)
    before = api.control.keys.list_all(other)
    foreign_id = foreign.split(".")[1]
    key = make_key(api, own, caller, operation.scope)

    reply = await api.ask(
        operation.method, operation.path.replace("{api_key_id}", foreign_id), BODIES.get(name), key=key
    )

    assert reply.status in DOCUMENTED[caller]
    if "{" in operation.path and caller == "another tenant's":
        assert reply.status == 404
    if name == "SendMail":
        assert reply.status in {401, 403}
    for secret in (CANARY, foreign_id, foreign, other):
        assert secret.encode() not in reply.octets
        assert all(secret not in value for value in reply.headers.values())
    assert api.control.keys.list_all(other) == before
    assert api.queue.counters.accepted_messages == 0
    assert (await api.ask("GET", "/v3/scopes", key=foreign)).status == 200
