"""The tenant matrix: every operation, called by those who may not. The operations are those of the program itself."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import KeyId, TeammateId
from gatepost.tenancy.access.person import CallerKind
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.teammate import Role, Teammate
from gatepost.tenancy.audit.entry import SERVICE

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
    "CreateSubuser": {"username": "new", "email": "a@b.example"},
    "UpdateSubuser": {"disabled": True},
    "UpdateSubuserWebsiteAccess": {"disabled": True},
    "UpdateSubuserIps": [],
    "UpdateSubuserCredits": {"type": "nonrecurring", "total": 1},
    "UpdateSubuserRemainingCredits": {"allocation_update": 1},
    "UpdateProfile": {"city": "Here"},
    "InviteTeammate": {"email": "new@own.example", "scopes": ["mail.send"]},
    "UpdateTeammate": {"scopes": ["mail.send"], "is_admin": False},
}
#: By who calls, the answers that are documented. Where nobody's id is in the path, another tenant's key does its own.
DOCUMENTED = {
    "no key": {401},
    "revoked": {401},
    "expired": {401},
    "of a suspended account": {401, 403},
    "without the scope": {401, 403},
    "from a refused address": {401, 403},
    "another tenant's": {200, 201, 400, 403, 404},
    "a sibling subuser's": {200, 201, 400, 403, 404},
    "the parent's, for itself": {200, 201, 400, 403, 404},
    # Not of the canary's account: what names it must be unknown, in each way that a path or a header can name it.
    "the parent's, on behalf of another subuser": {200, 201, 403, 404},
    "another tenant's, on behalf of it": {403},
}
ON_BEHALF = {
    "the parent's, on behalf of another subuser": "sibling",
    "another tenant's, on behalf of it": "other",
}
OPERATIONS = [
    "SendMail", "ListApiKeys", "CreateApiKey", "GetApiKey", "UpdateApiKeyName", "UpdateApiKey", "RotateApiKey",
    "DeleteApiKey", "ListScopeGroups", "ListScopes",
    "ListSubusers", "CreateSubuser", "UpdateSubuser", "DeleteSubuser", "UpdateSubuserWebsiteAccess",
    "UpdateSubuserIps", "GetSubuserCredits", "UpdateSubuserCredits", "UpdateSubuserRemainingCredits",
    "GetProfile", "UpdateProfile", "GetAccount", "GetEmail", "GetUsername", "ListTeammates",
    "InviteTeammate", "ListPendingTeammates", "DeletePendingTeammate", "ResendTeammateInvite", "GetTeammate",
    "UpdateTeammate", "DeleteTeammate", "GetTeammateSubuserAccess",
]  # fmt: skip


@pytest.fixture
def world(api):
    """The one with the canary is a subuser of ``parent``, beside ``sibling``; ``own`` is a stranger to them."""
    parent, own = api.account("parent"), api.account("own")
    other = api.account("other", parent)
    api.account("sibling", parent)
    api.claims.holders |= {"other.example": other}
    foreign = api.key(other, *CATALOGUE, name=CANARY)
    api.control.people_stores.teammates.add(
        Teammate(
            id=TeammateId("per_other"), account_id=other, email=f"{CANARY}@other.example", username=CANARY,
            role=Role.OWNER, created_at=api.clock.now(),
        )
    )  # fmt: skip
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
        case "a sibling subuser's":
            return api.key(api.control.accounts.find_by_name("sibling").id, *every)
        case "the parent's, for itself" | "the parent's, on behalf of another subuser":
            return api.key(api.control.accounts.find_by_name("parent").id, *every)
    return api.key(own, *every)


def everything_of(api, account_id):
    stores = api.control.people_stores
    return [
        api.control.keys.list_all(account_id),
        stores.teammates.list_all(account_id),
        stores.invitations.list_all(account_id),
    ]


def suspend(api, own):
    api.control.accounts.change_state(own, to=AccountState.SUSPENDED, only_from=[AccountState.ACTIVE])


def test_every_operation_is_in_the_matrix(api):
    operations = [each for each in api.operations() if CallerKind.KEY in each.callers]

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
    invited, _ = api.people.inviting.invite(other, f"{CANARY}@x.example", Role.ADMIN, frozenset(), SERVICE)
    before = everything_of(api, other)
    foreign_id = foreign.split(".")[1]
    key = make_key(api, own, caller, operation.scope)

    # A parent's subuser is its own to manage: there the stranger's is what must not be reached.
    stranger = api.account("hidden", own)
    name_in_path = "hidden" if caller.startswith("the parent's") else "other"
    path = operation.path.format(api_key_id=foreign_id, subuser_name=name_in_path, username=CANARY, token=invited.id)
    subusers = [api.control.accounts.find(each) for each in (other, stranger)]

    reply = await api.ask(
        operation.method, path, BODIES.get(name), key=key, headers={"on-behalf-of": ON_BEHALF.get(caller, "")}
    )

    assert reply.status in DOCUMENTED[caller]
    if "{" in operation.path and reply.status not in {401, 403}:
        assert reply.status == (404 if "{api_key_id}" in operation.path else 400)
    assert [api.control.accounts.find(each.id) for each in subusers] == subusers
    assert api.control.accounts.find_allocation(other) is None
    if name == "SendMail":
        assert reply.status in {401, 403}
    for secret in (CANARY, foreign_id, foreign, other, invited.id):
        assert secret.encode() not in reply.octets
        assert all(secret not in value for value in reply.headers.values())
    assert everything_of(api, other) == before
    assert api.queue.counters.accepted_messages == 0
    assert (await api.ask("GET", "/v3/scopes", key=foreign)).status == 200
