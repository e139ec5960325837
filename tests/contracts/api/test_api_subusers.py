"""``/v3/subusers``: a parent manages the accounts under it, and nobody else's."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from tests.contracts.api.person import PASSWORD, Person, join

from gatepost.entrypoints.api.operation import Call
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.ip_access.access_list import ListMode
from gatepost.tenancy.access.ip_access.edit import Author, add_rules
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import SERVICE, Act

PATH = "/v3/subusers"
MANAGE = [f"subusers.{verb}" for verb in ("create", "read", "update", "delete")]
BARRED = "access forbidden: the parent account keeps the people of this subuser out; its owner can let you in again"
WANTED = {"username": "News", "email": "ann@acme.example", "ips": []}
WITH_OWNER = WANTED | {"password": PASSWORD}


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def manager(api, account):
    return api.key(account, *MANAGE, "mail.send")


@pytest.fixture
def news(api, account):
    return api.account("news", account)


def find(api, account_id):
    return api.control.accounts.find(account_id)


async def test_a_subuser_is_made_and_listed(api, account, manager):
    made = await api.ask("POST", PATH, WANTED | {"ips": ["198.51.100.7"], "include_region": True}, key=manager)
    listed = await api.ask("GET", PATH, key=manager)

    [subuser] = api.control.accounts.list_subusers(account)
    assert made.status == 200
    number = made.json["user_id"]
    assert made.json == {
        "username": "news", "user_id": number, "email": "ann@acme.example",
        "credit_allocation": {"type": "unlimited"}, "region": "global",
    }  # fmt: skip
    assert listed.json == [{"id": number, "username": "news", "email": "ann@acme.example", "disabled": False}]
    assert (subuser.parent_id, subuser.addresses) == (account, ("198.51.100.7",))


async def test_a_subuser_begins_with_the_address_list_of_its_parent(api, account, manager):
    networks = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    add_rules(api.control.ip_access, account, networks, Author(address=None), now=api.clock.now())

    made = await api.ask("POST", PATH, WANTED, key=manager)

    [subuser] = api.control.accounts.list_subusers(account)
    inherited = api.control.ip_access.find(subuser.id)
    assert made.status == 200
    assert (inherited.mode, [rule.network for rule in inherited.rules]) == (ListMode.ENFORCED, networks)


async def test_a_password_makes_the_first_owner_who_has_to_enrol_before_anything(api, account):
    made = await api.ask("POST", PATH, WITH_OWNER, key=api.key(account, *CATALOGUE))

    [subuser] = api.control.accounts.list_subusers(account)
    [owner] = api.control.people_stores.teammates.list_all(subuser.id)
    ann = Person(api, username="news")
    opened = await ann.open()
    early = await ann.ask("GET", "/v3/scopes")
    await ann.enrol()
    late = await ann.ask("GET", "/v3/scopes")
    assert (made.status, opened.status, opened.json["due"]) == (200, 201, "enrolment")
    assert (owner.username, owner.email, owner.role) == ("news", "ann@acme.example", Role.OWNER)
    assert early.status in {401, 403}
    assert set(late.json["scopes"]) == CATALOGUE


async def test_the_first_owners_password_rests_sealed_and_the_making_is_in_both_chains(api, account, tmp_path):
    await api.ask("POST", PATH, WITH_OWNER, key=api.key(account, *CATALOGUE))

    [subuser] = api.control.accounts.list_subusers(account)
    for chain in (subuser.id, account):
        [joined] = [
            entry.event
            for entry in api.control.audit.list_after(chain, 0, 100)
            if entry.event.act is Act.TEAMMATE_JOINED
        ]
        assert joined.after["role"] == "owner"
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("control.db*"))
    assert PASSWORD.encode() not in kept
    assert b"$argon2id$" not in kept


async def test_without_a_password_nobody_is_in_the_subuser(api, account, manager):
    await api.ask("POST", PATH, WANTED | {"password": ""}, key=manager)

    [subuser] = api.control.accounts.list_subusers(account)
    assert api.control.people_stores.teammates.list_all(subuser.id) == []


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        pytest.param({"password": "short"}, "password", "at least 12 characters", id="short"),
        pytest.param({"password": "ann@acme.example1"}, "password", "a name of yours", id="own address"),
        pytest.param({"username": "two words"}, "username", "is not a name for an account", id="no account name"),
        pytest.param({"username": "a@b"}, "username", "or leave the password out", id="no person's name"),
        pytest.param({"username": "taken"}, "username", "somebody is called so", id="a person's name"),
        pytest.param({"email": "Taken@x.example"}, "email", "somebody has this e-mail address", id="address"),
    ],
)
async def test_where_there_can_be_no_owner_there_is_no_account_either(api, account, change, field, text):
    await join(api, api.account("others"), "taken")

    reply = await api.ask("POST", PATH, WITH_OWNER | change, key=api.key(account, *CATALOGUE))

    [(at, message)] = reply.errors
    assert (reply.status, at) == (400, field)
    assert text in message
    assert api.control.accounts.list_subusers(account) == []


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"scopes": ["subusers.create"]}, id="fewer scopes"),
        pytest.param({"allowed_recipient_domains": ("dest.test",)}, id="recipient domains"),
        pytest.param({"allowed_networks": (ip_network("192.0.2.0/24"),)}, id="networks"),
    ],
)
async def test_who_may_not_do_everything_makes_no_owner_who_may(api, account, limits):
    key = api.key(account, *limits.pop("scopes", CATALOGUE), **limits)

    refused = await api.ask("POST", PATH, WITH_OWNER, key=key)
    without = await api.ask("POST", PATH, WANTED, key=key)

    [(at, message)] = refused.errors
    assert (refused.status, at, without.status) == (403, "password", 200)
    assert "leave the password out" in message


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"username": ""}, "username", "required"),
        ({"username": "two words"}, "username", "is not a name for an account"),
        ({"username": "acme"}, "username", "username exists"),
        ({"username": "Stats"}, "username", "stands for something else"),
        ({"email": "nobody"}, "email", "a valid email address"),
        ({"ips": ["192.0.2.1"]}, "ips", "'192.0.2.1' is no address that this service sends from"),
        ({"ips": ["mail"]}, "ips", "'mail' is no address that this service sends from"),
        ({"region": "eu"}, "region", "one region"),
        ({"email": 1}, "email", "Invalid type"),
    ],
)
async def test_what_is_wrong_with_a_wanted_subuser_is_told(api, account, manager, change, field, text):
    reply = await api.ask("POST", PATH, WANTED | change, key=manager)

    [(at, message)] = reply.errors
    assert (reply.status, at) == (400, field)
    assert text in message
    assert api.control.accounts.list_subusers(account) == []


async def test_several_errors_are_told_at_once(api, manager):
    reply = await api.ask("POST", PATH, {}, key=manager)

    assert [field for field, _ in reply.errors] == ["username", "email"]


async def test_a_subuser_makes_no_subusers(api, news):
    reply = await api.ask("POST", PATH, WANTED | {"username": "below"}, key=api.key(news, *MANAGE))

    assert reply.status == 403
    assert api.control.accounts.find_by_name("below") is None


async def test_lists_are_filtered_and_paged(api, account, manager):
    for name in ("a", "b", "c", "d"):
        api.account(name, account)
    lifecycle.move(api.control.accounts, api.control.accounts.find_by_name("d"), AccountState.CLOSED)

    async def names(query):
        return [each["username"] for each in (await api.ask("GET", f"{PATH}?{query}", key=manager)).json]

    assert await names("") == ["a", "b", "c"]
    assert await names("limit=1&offset=1") == ["b"]
    assert await names("username=C") == ["c"]
    assert await names("username=acme") == []
    assert await names("region=eu") == []
    assert (await api.ask("GET", f"{PATH}?limit=x", key=manager)).errors[0][0] == "limit"


async def test_a_disabled_subuser_sends_no_more_and_what_it_has_queued_is_held(api, account, manager, news):
    own = api.key(news, "mail.send")

    reply = await api.ask("PATCH", f"{PATH}/news", {"disabled": True}, key=manager)

    assert reply.status == 204
    assert api.rights_changed.asked == [("hold", news)]
    assert (await api.ask("GET", "/v3/scopes", key=own)).status == 403
    assert (await api.ask("GET", PATH, key=manager)).json[0]["disabled"] is True

    again = await api.ask("PATCH", f"{PATH}/news", {"disabled": False}, key=manager)

    assert again.status == 204
    assert (await api.ask("GET", "/v3/scopes", key=own)).status == 200


async def test_a_disabling_that_is_not_certain_everywhere_is_not_answered_as_done(api, manager, news):
    api.rights_changed.trouble = "worker 1 does not answer"

    reply = await api.ask("PATCH", f"{PATH}/news", {"disabled": True}, key=manager)

    assert reply.status == 503
    assert find(api, news).effective_state is AccountState.SUSPENDED


@pytest.mark.parametrize("state", [AccountState.UNDER_REVIEW, AccountState.SUSPENDED])
async def test_a_parent_cannot_undo_what_the_operator_did(api, manager, news, state):
    lifecycle.move(api.control.accounts, find(api, news), state)

    reply = await api.ask("PATCH", f"{PATH}/news", {"disabled": False}, key=manager)

    assert (reply.status, find(api, news).effective_state) == (403, state)
    assert (await api.ask("GET", PATH, key=manager)).json[0]["disabled"] is True


@pytest.mark.parametrize("path", [f"{PATH}/news", f"{PATH}/news/website_access"])
async def test_a_change_of_nothing_is_refused(api, manager, news, path):
    assert (await api.ask("PATCH", path, {}, key=manager)).errors == [(None, "no fields provided")]


async def test_a_deleted_subuser_is_gone_for_good(api, account, manager, news):
    own = api.key(news, "mail.send")

    reply = await api.ask("DELETE", f"{PATH}/news", key=manager)

    assert reply.status == 204
    assert api.rights_changed.asked == [("hold", news)]
    assert find(api, news).state is AccountState.CLOSED
    assert (await api.ask("GET", "/v3/scopes", key=own)).status == 403
    assert (await api.ask("GET", PATH, key=manager)).json == []
    assert (await api.ask("PATCH", f"{PATH}/news", {"disabled": False}, key=manager)).status == 400
    # Asked again it is unknown, but held once more: the first time may not have been certain.
    assert (await api.ask("DELETE", f"{PATH}/news", key=manager)).status == 400
    assert api.rights_changed.asked == [("hold", news)] * 2
    assert (await api.ask("POST", PATH, WANTED, key=manager)).errors == [("username", "username exists")]


async def test_the_website_is_closed_to_its_people_and_its_keys_go_on(api, manager, news):
    own = api.key(news, "mail.send")

    reply = await api.ask("PATCH", f"{PATH}/news/website_access", {"disabled": True}, key=manager)

    assert reply.status == 204
    assert find(api, news).website_disabled_at == api.clock.now()
    assert (await api.ask("GET", "/v3/scopes", key=own)).status == 200

    assert api.rights_changed.asked == [("settle",)], "what its people had begun has ended"

    await api.ask("PATCH", f"{PATH}/news/website_access", {"disabled": False}, key=manager)

    assert find(api, news).website_disabled_at is None


async def test_who_is_barred_from_the_website_neither_signs_in_nor_goes_on(api, manager, account, news):
    bob, ann = await join(api, news, "bob"), await join(api, account, "ann")
    _, invited = api.people.inviting.invite(news, "cid@x.example", Role.ADMIN, frozenset(), SERVICE)
    await api.ask("PATCH", f"{PATH}/news/website_access", {"disabled": True}, key=manager)

    going_on = [await bob.ask("GET", "/v3/scopes"), await bob.ask("DELETE", "/v3/sessions")]
    beginning = [await bob.open(), await Person(api, "cid").accept(invited.reveal())]

    assert [(each.status, each.errors[0][1]) for each in going_on + beginning] == [(403, BARRED)] * 4
    assert (await ann.ask("GET", "/v3/scopes")).status == 200, "the parent's own people are not meant"
    await api.ask("PATCH", f"{PATH}/news/website_access", {"disabled": False}, key=manager)
    assert (await bob.ask("GET", "/v3/scopes")).status == 200
    assert (await Person(api, "cid").accept(invited.reveal())).status == 201, "the invitation was not used up"


async def test_a_teammate_acts_in_a_subuser_with_no_right_that_he_has_not_at_home(api, account, news):
    reader = await join(api, account, "bob", Role.SCOPED, "api_keys.read", "teammates.read")
    in_news = {"on-behalf-of": "news"}

    async def ask(method, path, body=None):
        return await api.ask(method, path, body, key=reader.token, headers=in_news, app=api.built)

    assert (await ask("GET", "/v3/api_keys")).status == 200
    assert (await ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]})).status == 403
    shown = await reader.ask("GET", "/v3/teammates/bob/subuser_access")
    assert shown.json["has_restricted_subuser_access"] is False


async def test_addresses_of_ours_are_assigned(api, manager, news):
    given = await api.ask("PUT", f"{PATH}/news/ips", ["198.51.100.8", "198.51.100.7", "198.51.100.7"], key=manager)
    foreign = await api.ask("PUT", f"{PATH}/news/ips", ["203.0.113.1"], key=manager)
    shapeless = await api.ask("PUT", f"{PATH}/news/ips", {"ips": []}, key=manager)

    assert (given.status, given.json) == (200, {"ips": ["198.51.100.7", "198.51.100.8"]})
    assert (foreign.status, foreign.errors[0][0]) == (400, "ips")
    assert shapeless.status == 400
    assert find(api, news).addresses == ("198.51.100.7", "198.51.100.8")


async def test_each_act_is_in_the_chains_of_both_as_that_of_the_parents_key(api, account, manager):
    await api.ask("POST", PATH, WANTED, key=manager)
    await api.ask("PATCH", f"{PATH}/news", {"disabled": True}, key=manager)
    await api.ask("DELETE", f"{PATH}/news", key=manager)

    news = api.control.accounts.find_by_name("news").id
    acts = [Act.ACCOUNT_CREATED, Act.SUBUSER_DISABLED, Act.ACCOUNT_CLOSED]
    for chain in (news, account):
        entries = [each.event for each in api.control.audit.list_after(chain, 0, 20)]
        about = [event for event in entries if event.subject == f"account/{news}"]
        assert [event.act for event in about] == acts
        assert {(event.actor.id, event.actor.account) for event in about} == {(manager.split(".")[1], account)}


async def test_a_key_that_was_revoked_meanwhile_does_nothing(api, account, manager, news):
    operation = next(each for each in api.operations() if each.name == "DeleteSubuser")
    revoked = []

    class Revoking:
        def __getattr__(self, name):
            return getattr(api.control.principals, name)

        def recheck(self, principal, peer, *, scope):
            api.control.keys.revoke(account, principal.key_id, api.clock.now())
            revoked.append(scope)
            return api.control.principals.recheck(principal, peer, scope=scope)

    subusers = replace(operation.run.__self__, callers=Revoking())
    principal = api.control.principals.authenticate(
        "apikey", Secret(manager.encode()), ip_address("192.0.2.1"), scope=None
    )
    call = Call(caller=principal, peer=ip_address("192.0.2.1"), parameters={"subuser_name": "news"})

    answer = await subusers.delete(call)

    assert revoked == ["subusers.delete"]
    assert answer.status == 401
    assert find(api, news).state is AccountState.ACTIVE
