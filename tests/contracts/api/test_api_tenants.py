"""The tenant matrix: every operation × who calls × whose thing it is about.

The operations are those of the OpenAPI document that the program itself gives. What must be known of an operation
beside that stands in three tables: an id for each path parameter, of a thing that the other tenant has, a good query,
and a good body. An operation that needs what is not in them fails the first test, which says what to add.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv6Address, ip_network
from typing import Any

import pytest

from gatepost.entrypoints.api.openapi import describe
from gatepost.mailflow.queue.batches import new_batch_id
from gatepost.mailflow.queue.schedule import BatchStatus
from gatepost.primitives.ids import AccountId, KeyId, TeammateId
from gatepost.standards.address import parse_mailbox
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.access_list import ListMode
from gatepost.tenancy.access.ip_access.edit import Author
from gatepost.tenancy.access.person import CallerKind
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.account import AccountState, Monitor
from gatepost.tenancy.accounts.teammate import Role, Teammate
from gatepost.tenancy.audit.entry import SERVICE
from gatepost.tenancy.senders.branding import BrandedLink, ReverseName
from gatepost.tenancy.senders.claim import Wish, claim_domain
from gatepost.tenancy.senders.single_sender import SenderDetails, SenderId

NOBODY = Author(address=None)


@dataclass(frozen=True)
class Tenant:
    """An account with a key that may do all, and the canary wherever a text can be put.

    Attributes:
        domain: That it may send as.
        address: In the SPF record of every domain that ``make_domain`` makes for it.
        subuser: The name of one, to which it lends those domains; of somebody else's if it is a subuser itself.
        link: The number of a link that it has from the start.
    """

    account_id: AccountId
    key: str
    domain: str
    canary: str
    address: str
    subuser: str
    link: int


def make_tenant(api: Any, name: str, parent: AccountId | None = None) -> Tenant:
    account_id = api.account(name, parent) if parent else api.account(name)
    domain, canary = f"{name}.example", f"canary-of-{name}"
    api.claims.holders |= {domain: account_id}
    tenant = Tenant(
        account_id, api.key(account_id, *CATALOGUE, name=canary), domain, canary,
        address=str(IPv6Address(b"\x20\x01\x0d\xb8" + api.control.entropy.draw(12))),
        subuser=make_subuser(api, account_id), link=first_link(api, account_id, domain, canary),
    )  # fmt: skip
    make_teammate(api, tenant, canary, Role.OWNER)
    return tenant


def make_teammate(api: Any, tenant: Tenant, username: str, role: Role = Role.ADMIN) -> str:
    api.control.people_stores.teammates.add(
        Teammate(
            id=TeammateId(f"per_{username}"), account_id=tenant.account_id, email=f"{username}@{tenant.domain}",
            username=username, role=role, created_at=api.clock.now(),
        )
    )  # fmt: skip
    return username


def make_invitation(api: Any, tenant: Tenant) -> str:
    address = f"{tenant.canary}-{api.control.entropy.draw(4).hex()}@{tenant.domain}"
    invited, _ = api.people.inviting.invite(tenant.account_id, address, Role.ADMIN, frozenset(), SERVICE)
    return str(invited.id)


def make_rule(api: Any, tenant: Tenant) -> str:
    """A rule of a list that is only observed, so that it shuts nobody out; its number is none that others have."""
    lists, drawn = api.control.ip_access, api.control.entropy.draw(9)
    edit.set_mode(lists, tenant.account_id, ListMode.OBSERVED, NOBODY)
    networks = [ip_network(f"10.{drawn[at]}.{drawn[at + 1]}.{at}") for at in range(8)]
    after = edit.add_rules(lists, tenant.account_id, networks, NOBODY, now=api.clock.now())
    return str(after.rules[-1].id)


def make_subuser(api: Any, account_id: AccountId) -> str:
    """A subuser of the account; one of somebody else if it is a subuser itself, and so can have none."""
    account = api.control.accounts.find(account_id)
    holder = account_id if account.parent_id is None else api.account(f"hidden-{api.control.entropy.draw(4).hex()}")
    name = f"sub-{api.control.entropy.draw(4).hex()}"
    api.account(name, holder)
    return name


def make_monitored(api: Any, tenant: Tenant) -> str:
    """A subuser, some of whose mail is copied."""
    accounts = api.control.accounts
    subuser = accounts.find_by_name(make_subuser(api, tenant.account_id))
    mailbox = parse_mailbox(f"{tenant.canary}@{tenant.domain}".encode(), allow_utf8=False)
    accounts.change_subuser(
        subuser.parent_id, subuser.id, lambda it: replace(it, monitor=Monitor(mailbox=mailbox, frequency=10))
    )
    return str(subuser.name)


def make_batch(api: Any, tenant: Tenant) -> str:
    batch = new_batch_id(api.control.entropy)
    now = api.clock.now()
    assert api.control.batches.add(tenant.account_id, batch, now, at_most=10)
    assert api.control.batches.decide(tenant.account_id, batch, BatchStatus.PAUSED, now, at_most=10) is None
    return batch


def make_sender(api: Any, tenant: Tenant) -> Any:
    """A single sender whose token is still good."""
    drawn = api.control.entropy.draw(4).hex()
    details = SenderDetails(nickname=tenant.canary, reply_to=f"{tenant.canary}@{tenant.domain}")
    mailbox = parse_mailbox(f"{tenant.canary}-{drawn}@{tenant.domain}".encode(), allow_utf8=False)
    return api.senders.proofs.add(tenant.account_id, mailbox, details, api.clock.now())


def make_domain(api: Any, tenant: Tenant) -> str:
    """The default domain from now on, lent to the tenant's subuser."""
    control = api.control
    claim = claim_domain(
        control.domains,
        tenant.account_id,
        f"{control.entropy.draw(4).hex()}.{tenant.domain}",
        keyring=control.keyring,
        entropy=control.entropy,
        now=api.clock.now(),
        wish=Wish(is_automatic=True, return_path=tenant.canary, is_default=True, addresses=(tenant.address,)),
    )
    control.domains.assign(tenant.account_id, claim.name, control.accounts.find_by_name(tenant.subuser).id)
    return str(claim.id)


def first_link(api: Any, account_id: AccountId, domain: str, canary: str) -> int:
    link = BrandedLink(account_id=account_id, domain=domain, subdomain=canary)
    return int(api.control.branding.add_link(link).id)


def make_link(api: Any, tenant: Tenant) -> str:
    """The default link from now on, lent to the tenant's subuser."""
    control = api.control
    name = f"{control.entropy.draw(4).hex()}.{tenant.domain}"
    link = BrandedLink(account_id=tenant.account_id, domain=name, subdomain=tenant.canary, is_default=True)
    made = control.branding.add_link(link)
    control.branding.lend_link(tenant.account_id, made.id, control.accounts.find_by_name(tenant.subuser).id)
    return str(made.id)


def make_reverse_name(api: Any, tenant: Tenant) -> str:
    # An address has one name: each gets the next one after the newest name's.
    newest = max([each.id for each in api.control.branding.list_names(tenant.account_id)], default=0)
    name = ReverseName(
        account_id=tenant.account_id, ip=f"198.51.100.{newest + 1}", domain=tenant.domain, subdomain=tenant.canary
    )
    return str(api.control.branding.add_name(name).id)


#: By path parameter, or its resource and ``id``: makes such a thing of a tenant, and returns its id.
THINGS: dict[str, Callable[[Any, Tenant], str]] = {
    "api_key_id": lambda api, tenant: api.key(tenant.account_id, "mail.send", name=tenant.canary).split(".")[1],
    "batch_id": make_batch,
    "subuser_name": make_monitored,
    "username": lambda api, tenant: make_teammate(api, tenant, f"mate-{api.control.entropy.draw(4).hex()}"),
    "token": make_invitation,
    "rule_id": make_rule,
    "sender_id": lambda api, tenant: str(make_sender(api, tenant).sender.id),
    "sender_token": lambda api, tenant: make_sender(api, tenant).token.reveal(),
    "domains id": make_domain,
    "ip": lambda _, tenant: tenant.address,
    "links id": make_link,
    "ips id": make_reverse_name,
}

#: By operation without a path parameter: the thing that must be there for it to have something to show.
NEEDS = {
    "ListAuthenticatedDomainWithUser": "domains id",
    "ListDefaultAuthenticatedDomain": "domains id",
    "GetDefaultBrandedLink": "links id",
    "ListSubuserBrandedLink": "links id",
}

#: By operation: the queries to ask it with, the first of which is right for the tenant whose things are named.
QUERIES: dict[str, Callable[[Tenant, dict[str, str]], tuple[str, ...]]] = {
    "ListSubusers": lambda tenant, _: ("", f"?username={tenant.subuser}"),
    "ListVerifiedSenders": lambda _, ids: ("", f"?id={ids.get('sender_id', '')}"),
    "ListAuthenticatedDomain": lambda tenant, _: ("", f"?username={tenant.subuser}", f"?domain={tenant.domain}"),
    "ListDefaultAuthenticatedDomain": lambda tenant, _: ("", f"?domain={tenant.domain}"),
    "GetDefaultBrandedLink": lambda tenant, _: ("", f"?domain={tenant.domain}"),
    "ListReverseDns": lambda *_: ("", "?ip=198.51.100."),
    "ListSubuserStat": lambda tenant, _: (f"?subusers={tenant.subuser}&start_date=2026-03-01",),
    "ListMonthlyStat": lambda tenant, _: (f"?subuser={tenant.subuser}&date=2026-03-01",),
    "GetSubuserMonthlyStat": lambda *_: ("?date=2026-03-01",),
    "ListStatSum": lambda *_: ("?start_date=2026-03-01",),
    "ListSubuserReputation": lambda tenant, _: (f"?usernames={tenant.subuser}",),
    **{
        name: lambda tenant, _: (f"?username={tenant.subuser}",)
        for name in (
            "ListAuthenticatedDomainWithUser", "ListAllAuthenticatedDomainWithUser",
            "DisassociateAuthenticatedDomainFromUser", "TakeAuthenticatedDomainFromUser", "ListSubuserBrandedLink",
            "DisassociateBrandedLinkFromSubuser",
        )
    },
}  # fmt: skip

#: Query parameters that name no thing.
PAGING = {
    "limit", "offset", "lastSeenID", "region", "include_region", "start_date", "end_date", "date", "aggregated_by",
    "sort_by_metric", "sort_by_direction",
}  # fmt: skip

#: By operation: a body that is right for a tenant.
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
    "RotateApiKey": lambda _: {},
    "CreateScheduledSend": lambda _: {"batch_id": "nobody's", "status": "cancel"},
    "UpdateScheduledSend": lambda _: {"status": "cancel"},
    "CreateSubuser": lambda tenant: {"username": f"new-{tenant.domain}", "email": "a@b.example"},
    "UpdateSubuser": lambda _: {"disabled": True},
    "UpdateSubuserWebsiteAccess": lambda _: {"disabled": True},
    "UpdateSubuserIps": lambda _: [],
    "CreateSubuserMonitor": lambda tenant: {"email": f"a@{tenant.domain}", "frequency": 1},
    "UpdateSubuserMonitor": lambda tenant: {"email": f"a@{tenant.domain}", "frequency": 1},
    "UpdateSubuserCredits": lambda _: {"type": "nonrecurring", "total": 1},
    "UpdateSubuserRemainingCredits": lambda _: {"allocation_update": 1},
    "AddIpToAllowList": lambda _: {"ips": [{"ip": "0.0.0.0/0"}]},
    "UpdateAllowListMode": lambda _: {"mode": "observed"},
    "DeleteAllowedIps": lambda _: {"ids": [4_000]},
    "UpdateProfile": lambda _: {"city": "Here"},
    "InviteTeammate": lambda tenant: {"email": f"new@{tenant.domain}", "scopes": ["mail.send"]},
    "CreateVerifiedSender": lambda tenant: {
        "nickname": "x",
        "from_email": f"x@{tenant.domain}",
        "reply_to": f"x@{tenant.domain}",
    },
    "UpdateVerifiedSender": lambda _: {"nickname": "x"},
    "UpdateTeammate": lambda _: {"scopes": ["mail.send"], "is_admin": False},
    "AuthenticateDomain": lambda tenant: {"domain": f"new-{tenant.domain}", "username": tenant.subuser},
    "UpdateAuthenticatedDomain": lambda _: {"default": False},
    "AddIpToAuthenticatedDomain": lambda _: {"ip": "198.51.100.200"},
    "AssociateAuthenticatedDomainWithUser": lambda tenant: {"username": tenant.subuser},
    "AddAuthenticatedDomainToUser": lambda tenant: {"username": tenant.subuser},
    "CreateBrandedLink": lambda tenant: {"domain": f"new-{tenant.domain}", "subdomain": "url"},
    "UpdateBrandedLink": lambda _: {"default": False},
    "AssociateBrandedLinkWithSubuser": lambda tenant: {"username": tenant.subuser},
    "EmailDnsRecord": lambda tenant: {"link_id": tenant.link, "email": "hostmaster@dest.test"},
    "SetUpReverseDns": lambda tenant: {"ip": "198.51.100.200", "domain": f"new-{tenant.domain}"},
}

#: Operations that answer "not yours" otherwise than by 403 or 404, as the dialect has it.
NOT_YOURS = {
    "GetMailBatch": {400},
    "DeleteAllowedIps": {404},
    "SendMail": {403},
    **{
        name: {400}
        for name in (
            "UpdateSubuser", "DeleteSubuser", "UpdateSubuserWebsiteAccess", "UpdateSubuserIps", "GetSubuserCredits",
            "UpdateSubuserCredits", "UpdateSubuserRemainingCredits", "AuthenticateDomain",
            "ListAuthenticatedDomainWithUser", "ListAllAuthenticatedDomainWithUser",
            "DisassociateAuthenticatedDomainFromUser", "ListSubuserStat", "ListMonthlyStat", "GetSubuserMonthlyStat",
            "ListSubuserReputation", "GetSubuserMonitor", "CreateSubuserMonitor", "UpdateSubuserMonitor",
            "DeleteSubuserMonitor", "ListSubuserBrandedLink", "DisassociateBrandedLinkFromSubuser",
        )
    },
    "EmailDnsRecord": {404},
    # The caller has none of its own, and is not shown another's.
    "ListDefaultAuthenticatedDomain": {404},
    "GetDefaultBrandedLink": {404},
}  # fmt: skip

#: What tells a parent, who calls for itself, of its subusers' things; their keys are not among them.
SHOWN_TO_PARENTS = {"ListAuthenticatedDomain"}

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


def operations_of_keys(api: Any) -> list[Any]:
    """What keys may call; what only people may is tried from every kind of session in test_api_sessions."""
    return [each for each in api.operations() if CallerKind.KEY in each.callers]


def things_of(operation: Any) -> list[str]:
    """The things that its path names, in order. What ``id`` is the id of, the resource says."""
    found = re.findall(r"(\w+)/\{(\w+)\}", operation.path)
    return [f"{resource} id" if name == "id" else name for resource, name in found]


def urls_of(operation: Any, tenant: Tenant, ids: dict[str, str]) -> list[str]:
    """Its path about the tenant's things, with every query that is known for it."""
    left = iter(things_of(operation))
    path = re.sub(r"\{\w+\}", lambda _: ids[next(left)], operation.path)
    queries = QUERIES[operation.name](tenant, ids) if operation.name in QUERIES else ("",)
    return [path + query for query in queries]


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


def said_in(reply: Any) -> bytes:
    return bytes(reply.octets) + repr(reply.headers).encode()


def assert_silent(reply: Any, other: Tenant, *more: str) -> None:
    """No byte of the other tenant: neither its canary nor an id, a key, a subuser or an address of it."""
    said = said_in(reply)
    # Small numbers say nothing: every account's rules count from 1.
    telling = [each for each in more if len(each) > 4]
    named = (other.canary, other.account_id, other.key, other.key.split(".")[1], other.subuser, other.address)
    for secret in (*named, *telling):
        assert secret.encode() not in said


def test_every_operation_can_be_tried(api: Any) -> None:
    operations = operations_of_keys(api)
    names = {operation.name for operation in operations}

    lacking = {
        f"THINGS lacks {name!r}, the path parameter of {operation.name}: say how such a thing is made"
        for operation in operations
        for name in things_of(operation)
        if name not in THINGS
    }
    lacking |= {
        f"QUERIES lacks {operation.name}: say how its {name!r} is given"
        for operation in operations
        for name in operation.query.keys() - PAGING
        if operation.name not in QUERIES
    }
    lacking |= {
        f"BODIES lacks a good body of {operation.name}"
        for operation in operations
        if operation.takes and operation.name not in BODIES
    }
    assert lacking == set()
    assert {*BODIES, *QUERIES, *NEEDS, *NOT_YOURS, *SHOWN_TO_PARENTS} <= names
    assert documented(api).keys() >= names


@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_not_is_told_so_by_every_operation_about_own_and_foreign_things(
    api: Any, other: Tenant, own: Tenant, caller: str
) -> None:
    statuses = documented(api)
    # Whoever may not changes nothing, so that one thing of each kind is enough.
    things = {tenant: {name: make(api, tenant) for name, make in THINGS.items()} for tenant in (own, other)}
    keys = {scope: make_key(api, own, caller, scope) for scope in {each.scope for each in operations_of_keys(api)}}
    before = snapshot(api, other), snapshot(api, own)

    for number, operation in enumerate(operations_of_keys(api)):
        if caller == "the right tenant without the scope" and operation.scope is None:
            continue
        for tenant, ids in things.items():
            body = BODIES[operation.name](tenant) if operation.takes else None
            # From a network of its own: a wrong key is answered ever more slowly.
            peer = f"198.51.{2 * number + (tenant is own)}.1"

            for url in urls_of(operation, tenant, ids):
                reply = await api.ask(operation.method, url, body, key=keys[operation.scope], peer=peer, app=api.built)

                assert reply.status in CALLERS[caller] & statuses[operation.name], operation.name
                assert_silent(reply, other, *things[other].values())
                assert_silent(reply, own, *things[own].values())
    assert (snapshot(api, other), snapshot(api, own)) == before
    assert api.queue.counters.accepted_messages == 0
    assert api.mailbox.letters == []


@dataclass(frozen=True)
class Relation:
    """How the caller stands to the tenant whose things it names."""

    is_sibling: bool = False
    is_parent: bool = False
    on_behalf_of: str = ""


def expected_of(operation: Any, relation: Relation) -> set[int]:
    """What it may answer when the things that are named are another's."""
    if relation.is_sibling and operation.name == "CreateSubuser":
        return {403}
    # Where it is not allowed at all, or for a subuser that is not the caller's, nothing else is looked at.
    if relation.on_behalf_of and (relation.on_behalf_of == "other" or not operation.is_on_behalf):
        return {403}
    if things_of(operation) or operation.name in NOT_YOURS:
        return NOT_YOURS.get(operation.name, {403, 404})
    return {200, 201, 204, 400}


@pytest.mark.parametrize(
    "relation",
    [
        pytest.param(Relation(), id="a stranger"),
        pytest.param(Relation(on_behalf_of="other"), id="a stranger, on behalf of it"),
        pytest.param(Relation(is_sibling=True), id="a sibling subuser"),
        pytest.param(Relation(is_parent=True), id="its parent, for itself"),
        pytest.param(Relation(is_parent=True, on_behalf_of="another"), id="its parent, on behalf of another subuser"),
    ],
)
async def test_another_tenants_things_are_not_there_for_any_operation(api: Any, relation: Relation) -> None:
    statuses = documented(api)
    parent = make_tenant(api, "parent") if relation.is_sibling or relation.is_parent else None
    other = make_tenant(api, "other", parent and parent.account_id)
    another = make_tenant(api, "another", parent and parent.account_id)
    key = parent.key if relation.is_parent and parent else another.key
    ids = {name: make(api, other) for name, make in THINGS.items()}
    before = snapshot(api, other)
    for operation in operations_of_keys(api):
        expected = expected_of(operation, relation) & statuses[operation.name]
        body = BODIES[operation.name](other) if operation.takes else None
        for url in urls_of(operation, other, ids):
            reply = await api.ask(
                operation.method, url, body, key=key, app=api.built,
                headers={"on-behalf-of": relation.on_behalf_of} if relation.on_behalf_of else {},
            )  # fmt: skip

            assert reply.status in expected, (operation.name, reply.status, reply.octets)
            if relation.is_parent and not relation.on_behalf_of and operation.name in SHOWN_TO_PARENTS:
                assert other.key.encode() not in said_in(reply)
            else:
                assert_silent(reply, other, *ids.values())
            assert snapshot(api, other) == before, operation.name
            assert not [each for each in api.mailbox.letters if other.canary in repr(each)], operation.name
    assert api.queue.counters.accepted_messages == 0
    assert (await api.ask("GET", "/v3/scopes", key=other.key)).status == 200


async def test_ones_own_things_are_there_for_every_operation(api: Any, other: Tenant, own: Tenant) -> None:
    """Else the tests above would be right about a service that refuses everything."""
    for operation in operations_of_keys(api):
        needed = [NEEDS[operation.name]] if operation.name in NEEDS else things_of(operation)
        ids = {name: THINGS[name](api, own) for name in needed}
        body = BODIES[operation.name](own) if operation.takes else None
        url, *_ = urls_of(operation, own, ids)

        reply = await api.ask(operation.method, url, body, key=own.key, app=api.built)

        # A batch that nobody made, and credits added where there is no limit.
        is_moot = operation.name in {"CreateScheduledSend", "UpdateSubuserRemainingCredits"}
        wanted = {400} if is_moot else {404} if operation.name == "DeleteAllowedIps" else set(operation.gives)
        assert reply.status in wanted, (operation.name, reply.octets)
        assert_silent(reply, other)


def snapshot(api: Any, tenant: Tenant) -> tuple[object, ...]:
    """What the control plane holds of a tenant."""
    control, account = api.control, tenant.account_id
    return (
        control.accounts.find(account),
        tuple(control.accounts.list_subusers(account)),
        control.accounts.find_allocation(account),
        control.ip_access.find(account).rules,
        tuple(control.keys.list_all(account)),
        tuple(control.people_stores.teammates.list_all(account)),
        tuple(control.people_stores.invitations.list_all(account)),
        tuple(control.batches.list_decisions(account)),
        tuple(control.domains.list_all(account)),
        tuple(control.branding.list_links(account)),
        tuple(control.branding.list_names(account)),
        control.branding.find_lent_link(account, control.accounts.find_by_name(tenant.subuser).id),
        tuple(control.senders.list_after(account, SenderId(0), 1000)),
    )
