"""Keys over HTTP: made, listed, renamed, changed and revoked, never beyond what the caller's own key holds."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network

import pytest

from gatepost.primitives.ids import KeyId

KEYS = "/v3/api_keys"
MANAGE = [f"api_keys.{verb}" for verb in ("create", "read", "update", "delete")]


def key_id(key):
    return key.split(".")[1]


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def manager(api, account):
    return api.key(account, *MANAGE, "mail.send", name="manager")


async def test_a_key_is_made_shown_once_and_works(api, manager):
    made = await api.ask("POST", KEYS, {"name": "My key", "scopes": ["mail.send"]}, key=manager)

    body = made.json
    assert made.status == 201
    assert (body["name"], body["scopes"], body["api_key_id"]) == ("My key", ["mail.send"], key_id(body["api_key"]))
    shown = await api.ask("GET", f"{KEYS}/{body['api_key_id']}", key=manager)
    told = {"api_key_id": body["api_key_id"], "name": "My key", "scopes": ["mail.send"]}
    assert {name: shown.json[name] for name in told} == told
    assert (await api.ask("GET", "/v3/scopes", key=body["api_key"])).json == {"scopes": ["mail.send"]}


async def test_without_scopes_a_key_gets_those_of_its_maker(api, manager):
    made = await api.ask("POST", KEYS, {"name": "full"}, key=manager)

    assert made.json["scopes"] == sorted([*MANAGE, "mail.send"])


async def test_a_key_inherits_every_limit_of_its_maker(api, account):
    ends_at = api.clock.now() + timedelta(days=1)
    limits = {
        "allowed_networks": (ip_network("192.0.2.0/24"),), "allowed_authors": ("example.com",), "expires_at": ends_at,
    }  # fmt: skip
    maker = api.key(account, *MANAGE, "mail.send", **limits)

    made = await api.ask("POST", KEYS, {"name": "x", "scopes": ["mail.send"]}, key=maker)

    grant = api.control.keys.find(account, KeyId(made.json["api_key_id"])).grant
    assert {name: getattr(grant, name) for name in limits} == limits


@pytest.mark.parametrize(
    ("body", "status", "field", "text"),
    [
        ({"scopes": ["mail.send"]}, 400, "name", "name is required"),
        ({"name": " "}, 400, "name", "name is required"),
        ({"name": "a\r\nb"}, 400, "name", "name is required"),
        ({"name": "a" * 101}, 400, "name", "name is required"),
        ({"name": 1}, 400, "name", "Invalid type. Expected: string, given: integer."),
        ({"name": "x", "scopes": []}, 400, "scopes", "at least one scope"),
        ({"name": "x", "scopes": ["mail.sned"]}, 400, "scopes", "one or more of given scopes are invalid"),
        ({"name": "x", "scopes": ["2fa_required"]}, 400, "scopes", "one or more of given scopes are invalid"),
        ({"name": "x", "scopes": "mail.send"}, 400, "scopes", "Invalid type. Expected: array, given: string."),
        ({"name": "x", "scopes": ["billing.read"]}, 403, "scopes", "your own key does not have these scopes: billing"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_what_is_wrong_with_a_wanted_key_is_told(api, account, manager, method, body, status, field, text):
    other = key_id(api.key(account, "mail.send"))
    path = KEYS if method == "POST" else f"{KEYS}/{other}"

    reply = await api.ask(method, path, body, key=manager)

    ((at, message),) = reply.errors
    assert (reply.status, at) == (status, field)
    assert text in message
    assert len(api.control.keys.list_all(account)) == 2
    assert api.control.keys.find(account, KeyId(other)).grant.scopes == {"mail.send"}


async def test_the_hundred_and_first_key_is_refused(api, account, manager):
    for number in range(98):
        api.key(account, "mail.send", name=str(number))
    api.control.keys.revoke(account, api.control.keys.list_all(account)[5].id, api.clock.now())
    app = api.build()

    replies = await asyncio.gather(*[api.ask("POST", KEYS, {"name": "x"}, key=manager, app=app) for _ in range(4)])

    assert sorted(reply.status for reply in replies) == [201, 201, 403, 403]


async def test_keys_are_listed_oldest_first_and_not_the_revoked_ones(api, account, manager):
    first, second = (api.key(account, "mail.send", name=name) for name in ("first", "second"))
    await api.ask("DELETE", f"{KEYS}/{key_id(first)}", key=manager)

    whole = await api.ask("GET", KEYS, key=manager)
    part = await api.ask("GET", f"{KEYS}?limit=1", key=manager)

    listed = [
        {"api_key_id": key_id(manager), "name": "manager"},
        {"api_key_id": key_id(second), "name": "second"},
    ]
    assert whole.json == {"result": listed}
    assert part.json == {"result": listed[:1]}


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "²", ""])
async def test_a_limit_that_is_no_number_is_refused(api, manager, limit):
    reply = await api.ask("GET", f"{KEYS}?limit={limit}", key=manager)

    assert reply.status == (400 if limit else 200)


async def test_a_key_is_renamed(api, account, manager):
    other = key_id(api.key(account, "mail.send", "stats.read"))

    reply = await api.ask("PATCH", f"{KEYS}/{other}", {"name": "new"}, key=manager)

    assert (reply.status, reply.json) == (200, {"api_key_id": other, "name": "new"})
    assert api.control.keys.find(account, KeyId(other)).grant.scopes == {"mail.send", "stats.read"}
    assert (await api.ask("PATCH", f"{KEYS}/{other}", {}, key=manager)).status == 400


@pytest.mark.parametrize(
    ("scopes", "asked"), [(["mail.send"], "settle"), (["api_keys.read"], "hold"), (["mail.send", *MANAGE], "settle")]
)
async def test_a_change_replaces_the_scopes_and_is_made_certain(api, account, manager, scopes, asked):
    other = key_id(api.key(account, "mail.send", "stats.read"))

    reply = await api.ask("PUT", f"{KEYS}/{other}", {"name": "new", "scopes": scopes}, key=manager)

    assert (reply.status, reply.json["scopes"]) == (200, sorted(scopes))
    assert api.control.keys.find(account, KeyId(other)).grant.scopes == set(scopes)
    assert [what[0] for what in api.rights_changed.asked] == [asked]


async def test_scopes_that_the_caller_lacks_may_stay_and_may_not_be_added(api, account, manager):
    other = key_id(api.key(account, "billing.read", "mail.send"))

    kept = await api.ask("PUT", f"{KEYS}/{other}", {"name": "x", "scopes": ["billing.read"]}, key=manager)
    added = await api.ask("PUT", f"{KEYS}/{other}", {"name": "x", "scopes": ["billing.update"]}, key=manager)

    assert (kept.status, added.status) == (200, 403)
    assert api.control.keys.find(account, KeyId(other)).grant.scopes == {"billing.read"}


async def test_a_limited_key_cannot_give_an_unlimited_one_what_it_holds_within_limits(api, account):
    limited = api.key(account, *MANAGE, "mail.send", allowed_authors=("news@example.com",))
    free = key_id(api.key(account, "stats.read"))
    bound = key_id(api.key(account, "stats.read", allowed_authors=("news@example.com",)))

    refused = await api.ask("PUT", f"{KEYS}/{free}", {"name": "x", "scopes": ["mail.send"]}, key=limited)
    allowed = await api.ask("PUT", f"{KEYS}/{bound}", {"name": "x", "scopes": ["mail.send"]}, key=limited)

    assert (refused.status, allowed.status) == (403, 200)


async def test_a_key_cannot_give_itself_more(api, account):
    key = api.key(account, *MANAGE)

    reply = await api.ask("PUT", f"{KEYS}/{key_id(key)}", {"name": "x", "scopes": [*MANAGE, "mail.send"]}, key=key)

    assert reply.status == 403


async def test_a_deleted_key_opens_nothing_and_is_unknown(api, account, manager):
    other = api.key(account, "mail.send")

    deleted = await api.ask("DELETE", f"{KEYS}/{key_id(other)}", key=manager)

    assert (deleted.status, deleted.octets) == (204, b"")
    assert api.rights_changed.asked == [("hold", account, key_id(other))]
    assert (await api.ask("GET", "/v3/scopes", key=other)).status == 401
    for method, body in [("GET", None), ("PATCH", {"name": "x"}), ("PUT", {"name": "x", "scopes": ["mail.send"]})]:
        reply = await api.ask(method, f"{KEYS}/{key_id(other)}", body, key=manager)
        assert (reply.status, reply.errors) == (404, [(None, "unable to find API key")])


async def test_a_deletion_that_is_not_certain_everywhere_is_told_and_made_certain_by_the_next(api, account, manager):
    other = api.key(account, "mail.send")
    api.rights_changed.trouble = "mail worker 1: hangs at /run/x"

    uncertain = await api.ask("DELETE", f"{KEYS}/{key_id(other)}", key=manager)
    api.rights_changed.trouble = ""
    again = await api.ask("DELETE", f"{KEYS}/{key_id(other)}", key=manager)

    assert (uncertain.status, uncertain.headers["retry-after"]) == (503, "5")
    assert b"/run/x" not in uncertain.octets
    assert again.status == 404
    assert [what[0] for what in api.rights_changed.asked] == ["hold", "hold"]
    assert (await api.ask("GET", "/v3/scopes", key=other)).status == 401


async def test_a_key_may_delete_itself(api, account):
    key = api.key(account, *MANAGE)

    assert (await api.ask("DELETE", f"{KEYS}/{key_id(key)}", key=key)).status == 204
    assert (await api.ask("GET", KEYS, key=key)).status == 401


async def test_a_change_begun_by_a_key_that_is_revoked_meanwhile_is_refused_or_waited_for(api, account, manager):
    """Whatever the order, once the revocation is settled no key comes into being by the revoked one."""
    app = api.build()

    async def revoke():
        await asyncio.sleep(0.002)
        await asyncio.to_thread(api.control.keys.revoke, account, KeyId(key_id(manager)), api.clock.now())
        api.control.principals.refresh()
        await api.acts.settle()
        return len(api.control.keys.list_all(account))

    making = [asyncio.create_task(api.ask("POST", KEYS, {"name": "x"}, key=manager, app=app)) for _ in range(30)]
    at_settlement = await revoke()
    replies = await asyncio.gather(*making)

    assert {reply.status for reply in replies} <= {201, 401}
    assert len(api.control.keys.list_all(account)) == at_settlement


@pytest.mark.parametrize("text", ["x", "a" * 22, "..", "a" * 5000, "%00", "'"])
async def test_an_id_that_no_key_has_is_unknown(api, manager, text):
    assert (await api.ask("GET", f"{KEYS}/{text}", key=manager)).status == 404
