"""``/v3/access_settings`` as clients of the dialect use it, and what they are told."""

from datetime import timedelta

import pytest

from gatepost.tenancy.access.ip_access.access_list import ListMode

WHITELIST = "/v3/access_settings/whitelist"
ACTIVITY = "/v3/access_settings/activity"
HERE, THERE = "192.0.2.1", "203.0.113.7"
SCOPES = [f"access_settings.whitelist.{verb}" for verb in ("create", "read", "update", "delete")] + [
    "access_settings.activity.read",
    "mail.send",
]


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def key(api, account):
    return api.key(account, *SCOPES)


async def add(api, key, *ips, peer=HERE, **more):
    return await api.ask("POST", WHITELIST, {"ips": [{"ip": ip} for ip in ips]} | more, key=key, peer=peer)


def listed(api, account):
    return [str(rule.network) for rule in api.control.ip_access.find(account).rules]


async def test_addresses_are_added_as_blocks_and_numbered(api, key):
    reply = await add(api, key, "192.0.2.1", "192.*.*.*", "192.168.1.3/32", "2001:db8::1", "::ffff:10.0.0.9")

    now = int(api.clock.now().timestamp())
    assert reply.status == 201
    assert [(rule["id"], rule["ip"]) for rule in reply.json["result"]] == [
        (1, "192.0.2.1/32"), (2, "192.0.0.0/8"), (3, "192.168.1.3/32"), (4, "2001:db8::1/128"), (5, "10.0.0.9/32")
    ]  # fmt: skip
    assert {(rule["created_at"], rule["updated_at"]) for rule in reply.json["result"]} == {(now, now)}
    assert api.rights_changed.asked == [("settle",)]


async def test_rules_are_listed_and_shown(api, key):
    empty = await api.ask("GET", WHITELIST, key=key)
    made = await add(api, key, HERE, "10.0.0.0/8")

    assert empty.json == {"result": [], "mode": "enforced"}
    assert (await api.ask("GET", WHITELIST, key=key)).json["result"] == made.json["result"]
    assert (await api.ask("GET", f"{WHITELIST}/2", key=key)).json["result"] == made.json["result"][1:]


async def test_what_is_listed_already_keeps_its_number(api, key):
    await add(api, key, HERE)

    again = await add(api, key, "192.0.2.1/32", "10.0.0.0/8")

    assert [rule["id"] for rule in again.json["result"]] == [1, 2]


@pytest.mark.parametrize("number", ["9", "0", "-1", "x", "1" * 40])
async def test_a_rule_that_is_not_there_is_not_found(api, key, number):
    for method in ("GET", "DELETE"):
        reply = await api.ask(method, f"{WHITELIST}/{number}", key=key)

        assert (reply.status, reply.errors) == (404, [("rule_id", "unable to find a rule of that id")])


async def test_rules_are_removed_by_id_and_all_at_once(api, account, key):
    await add(api, key, HERE, "10.0.0.0/8", "172.16.0.0/12")

    one = await api.ask("DELETE", f"{WHITELIST}/2", key=key)
    partly = await api.ask("DELETE", WHITELIST, {"ids": [3, 9]}, key=key)
    both = await api.ask("DELETE", WHITELIST, {"ids": [1, 3]}, key=key)

    assert [one.status, partly.status, both.status] == [204, 404, 204]
    assert both.octets == b""
    assert listed(api, account) == []


@pytest.mark.parametrize(
    ("method", "body", "status", "errors"),
    [
        ("POST", {}, 400, [("ips", "at least one address is required")]),
        ("POST", {"ips": []}, 400, [("ips", "at least one address is required")]),
        ("POST", {"ips": ["192.0.2.1"]}, 400, [("ips.0", "Invalid type. Expected: object, given: string.")]),
        ("DELETE", {}, 400, [("ids", "at least one id is required")]),
        ("DELETE", {"ids": ["1"]}, 400, [("ids.0", "Invalid type. Expected: integer, given: string.")]),
        ("PATCH", {"mode": "off"}, 400, [("mode", "mode must be one of: enforced, observed")]),
    ],
)
async def test_a_wrong_body_is_explained(api, key, method, body, status, errors):
    reply = await api.ask(method, WHITELIST, body, key=key)

    assert (reply.status, reply.errors) == (status, errors)


async def test_every_wrong_address_is_named_at_once_and_none_is_added(api, account, key):
    reply = await add(api, key, HERE, "10.0.0.7/8", "nonsense", "192.*.1.*")

    assert reply.status == 400
    assert [at for at, _ in reply.errors] == ["ips.1.ip", "ips.2.ip", "ips.3.ip"]
    assert "host bits" in reply.errors[0][1]
    assert listed(api, account) == []


async def test_a_list_is_bounded(api, account, key):
    reply = await add(api, key, *[f"10.0.{number >> 8}.{number & 255}" for number in range(1001)])

    assert (reply.status, reply.errors[0][0]) == (400, "ips")
    assert listed(api, account) == []


async def test_an_edit_that_would_shut_out_its_author_is_refused(api, account, key):
    reply = await add(api, key, "10.0.0.0/8")

    assert reply.status == 409
    assert HERE in reply.errors[0][1]
    assert listed(api, account) == []
    assert api.rights_changed.asked == []

    await add(api, key, HERE, "10.0.0.0/8")
    for method, path, body in (("DELETE", f"{WHITELIST}/1", None), ("DELETE", WHITELIST, {"ids": [1]})):
        assert (await api.ask(method, path, body, key=key)).status == 409
    assert len(listed(api, account)) == 2


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST", {"ips": [{"ip": "10.0.0.0/8"}]}),
        ("POST", {"ips": [{"ip": HERE}]}),
        ("DELETE", {"ids": [1]}),
        ("PATCH", {"mode": "enforced"}),
    ],
)
async def test_a_key_can_force_nothing(api, account, key, method, body):
    await add(api, key, HERE)

    reply = await api.ask(method, WHITELIST, body | {"force": True}, key=key)

    assert (reply.status, reply.errors[0][0]) == (403, "force")
    assert listed(api, account) == ["192.0.2.1/32"]


async def test_a_list_can_be_tried_before_it_is_switched_on(api, account, key):
    observed = await api.ask("PATCH", WHITELIST, {"mode": "observed"}, key=key)
    await add(api, key, HERE)
    elsewhere = await api.ask("GET", "/v3/scopes", key=key, peer=THERE)
    api.control.principals.flush_attempts()
    activity = await api.ask("GET", ACTIVITY, key=key)
    shut_out = await api.ask("PATCH", WHITELIST, {"mode": "enforced"}, key=key, peer=THERE)
    enforced = await api.ask("PATCH", WHITELIST, {"mode": "enforced"}, key=key)
    refused = await api.ask("GET", "/v3/scopes", key=key, peer=THERE)

    assert (observed.status, observed.json["mode"]) == (200, "observed")
    assert elsewhere.status == 200
    seen = {each["ip"]: (each["allowed"], each["verdict"], each["attempts"]) for each in activity.json["result"]}
    assert seen == {HERE: (True, "allowed", 2), THERE: (True, "would refuse", 1)}
    assert (shut_out.status, enforced.status, refused.status) == (409, 200, 403)
    assert api.control.ip_access.find(account).mode is ListMode.ENFORCED


async def test_whoever_is_not_listed_is_told_what_the_dialect_says(api, key):
    await add(api, key, HERE)

    reply = await api.ask("GET", WHITELIST, key=key, peer=THERE)
    send = await api.ask("POST", "/v3/mail/send", {}, key=key, peer=THERE)

    assert (reply.status, reply.errors) == (403, [(None, "access forbidden")])
    assert (send.status, send.errors) == (401, [(None, "Authenticated user is not authorized to send mail")])


async def test_activity_is_as_the_dialect_has_it_the_latest_first(api, key):
    for peer in (HERE, THERE, "::ffff:198.51.100.1"):
        api.clock.instant += timedelta(seconds=1)
        await api.ask("GET", "/v3/scopes", key=key, peer=peer)
    api.control.principals.flush_attempts()

    everything = await api.ask("GET", ACTIVITY, key=key)
    one = await api.ask("GET", f"{ACTIVITY}?limit=1", key=key)

    now = int(api.clock.now().timestamp())
    assert [each["ip"] for each in everything.json["result"]] == ["198.51.100.1", THERE, HERE]
    assert one.json["result"] == [
        {
            "allowed": True, "auth_method": "API", "first_at": now, "ip": "198.51.100.1", "last_at": now,
            "location": "", "verdict": "allowed", "attempts": 1,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "x", "1001", "-1"])
async def test_a_limit_that_is_none_is_explained(api, key, limit):
    reply = await api.ask("GET", f"{ACTIVITY}?limit={limit}", key=key)

    assert (reply.status, reply.errors[0][0]) == (400, "limit")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", WHITELIST, "access_settings.whitelist.read"),
        ("GET", f"{WHITELIST}/1", "access_settings.whitelist.read"),
        ("POST", WHITELIST, "access_settings.whitelist.create"),
        ("PATCH", WHITELIST, "access_settings.whitelist.update"),
        ("DELETE", WHITELIST, "access_settings.whitelist.delete"),
        ("DELETE", f"{WHITELIST}/1", "access_settings.whitelist.delete"),
        ("GET", ACTIVITY, "access_settings.activity.read"),
    ],
)
async def test_each_act_needs_its_scope(api, account, method, path, scope):
    reply = await api.ask(method, path, {}, key=api.key(account, *(set(SCOPES) - {scope})))

    assert (reply.status, reply.errors) == (403, [(None, "access forbidden")])


async def test_an_edit_that_is_not_certain_everywhere_is_503_and_stored(api, account, key):
    api.rights_changed.trouble = "mail worker 1 does not answer"

    reply = await add(api, key, HERE)

    assert reply.status == 503
    assert listed(api, account) == ["192.0.2.1/32"]


async def test_edits_are_recorded_as_acts_of_the_key(api, account, key):
    await add(api, key, HERE)

    [*_, entry] = api.control.audit.list_after(account, 0, 100)
    assert entry.event.act.value == "ip_access_changed"
    assert (entry.event.actor.id, entry.event.actor.origin) == (key.split(".")[1], HERE)
    assert entry.event.after == {"mode": "enforced", "networks": ["192.0.2.1/32"]}
