"""What keys over HTTP hold beyond the dialect: limits, budgets, rotation, honey keys; and leaked keys reported."""

from datetime import timedelta

import pytest
from starlette.routing import Route

from gatepost.entrypoints.api.leaked_keys import PATH as LEAKED
from gatepost.entrypoints.api.leaked_keys import LeakedKeys, hash_token
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import KeyId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.budget import Budget, Purse, PurseId
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.issue import issue_key
from gatepost.tenancy.access.scope import CATALOGUE, FULL_ACCESS
from gatepost.tenancy.access.throttle import AuthenticationThrottle
from gatepost.tenancy.audit.entry import Act

KEYS = "/v3/api_keys"
MANAGE = [f"api_keys.{verb}" for verb in ("create", "read", "update", "delete")]
TOKEN = "t" * 40
LIMITS = {
    "expires_at": "2026-04-01T00:00:00Z",
    "allowed_networks": ["192.0.2.0/24"],
    "allowed_authors": ["example.net", "news@example.com"],
    "allowed_recipient_domains": ["dest.test"],
    "budget": {"messages_per_hour": 10, "new_recipients_per_day": 5},
}


def key_id(key):
    return KeyId(key.split(".")[1])


@pytest.fixture
def account(api):
    account = api.account("acme")
    api.claims.holders["example.com"] = account
    return account


@pytest.fixture
def manager(api, account):
    return api.key(account, *MANAGE, "mail.send", name="manager")


def letter(*to):
    return {
        "personalizations": [{"to": [{"email": each} for each in to]}],
        "from": {"email": "ann@example.com"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }


@pytest.fixture
def purse(account):
    return lambda name="maker", **limits: Purse(id=PurseId(name), account_id=account, budget=Budget(**limits))


# ---------------------------------------------------------------- made, shown, tightened


async def test_a_key_is_made_and_shown_with_its_limits(api, manager):
    made = await api.ask("POST", KEYS, {"name": "x", "scopes": ["mail.send"], **LIMITS}, key=manager)
    shown = await api.ask("GET", f"{KEYS}/{made.json['api_key_id']}", key=manager)

    assert {name: made.json[name] for name in LIMITS} == LIMITS
    assert {name: shown.json[name] for name in LIMITS} == LIMITS
    assert (shown.json["kind"], shown.json["last_used_at"]) == ("restricted", None)


async def test_the_last_use_tells_address_and_client(api, account, manager):
    user_agent = {"User-Agent": "curl/8\x1b[31m" + "x" * 200}
    await api.ask("GET", "/v3/scopes", key=manager, headers=user_agent, peer="192.0.2.9")
    api.control.principals.flush_last_used()

    key = api.control.keys.find(account, key_id(manager))

    assert key.last_used_from == "192.0.2.9"
    assert key.last_used_by.startswith("curl/8?[31mxxx")
    assert len(key.last_used_by) == 120


async def test_scopes_are_chosen_by_group(api, account):
    owner = api.key(account, *CATALOGUE)

    made = await api.ask("POST", KEYS, {"name": "x", "groups": {"Mail Send": "full", "stats": "read"}}, key=owner)
    groups = (await api.ask("GET", "/v3/scopes/groups", key=owner)).json["groups"]

    assert {"mail.send", "geo.stats.read"} <= set(made.json["scopes"])
    assert {scope for group in groups for scope in group["full"]} == CATALOGUE


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["billing.read", "mail.send"]}, "scopes"),
        ({"groups": {"Mail": "full"}}, "groups"),
        ({"groups": {"Mail Send": "all"}}, "groups"),
        ({"scopes": ["mail.send"], "expires_at": "tomorrow"}, "expires_at"),
        ({"scopes": ["mail.send"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"scopes": ["mail.send"], "allowed_networks": ["10.0.0.1/8"]}, "allowed_networks.0"),
        ({"scopes": ["mail.send"], "allowed_authors": ["a@b@c"]}, "allowed_authors.0"),
        (
            {"scopes": ["mail.send"], "allowed_recipient_domains": ["ok.test", "no domain"]},
            "allowed_recipient_domains.1",
        ),
        ({"scopes": ["mail.send"], "budget": {"messages_per_day": -1}}, "budget.messages_per_day"),
    ],
)
async def test_a_limit_that_cannot_be_read_is_refused_by_its_field(api, manager, body, field):
    reply = await api.ask("POST", KEYS, {"name": "x", **body}, key=manager)

    assert (reply.status, [at for at, _ in reply.errors]) == (400, [field])


async def test_without_scopes_a_key_of_everything_is_full_access_and_not_billing(api, account):
    made = await api.ask("POST", KEYS, {"name": "x"}, key=api.key(account, *CATALOGUE))

    assert set(made.json["scopes"]) >= FULL_ACCESS
    assert made.json["kind"] == "full"
    assert "billing.read" not in made.json["scopes"]


async def test_limits_are_tightened_and_never_lifted(api, account, manager):
    made = (await api.ask("POST", KEYS, {"name": "x", "scopes": ["mail.send"], **LIMITS}, key=manager)).json
    path, wanted = f"{KEYS}/{made['api_key_id']}", {"name": "x", "scopes": ["mail.send"]}

    tightened = await api.ask("PUT", path, wanted | {"budget": {"messages_per_hour": 2}}, key=manager)
    kept = await api.ask("PUT", path, wanted, key=manager)
    lifted = await api.ask("PUT", path, wanted | {"allowed_recipient_domains": []}, key=manager)
    raised = await api.ask("PUT", path, wanted | {"budget": {"messages_per_hour": 3}}, key=manager)

    assert tightened.json["budget"] == {"messages_per_hour": 2, "new_recipients_per_day": 5}
    assert kept.json["budget"] == tightened.json["budget"]
    assert (lifted.status, lifted.errors[0][0]) == (403, "allowed_recipient_domains")
    assert (raised.status, raised.errors[0][0]) == (403, "budget")


# ---------------------------------------------------------------- budgets


async def test_all_keys_that_a_key_makes_spend_its_budget(api, account, purse):
    maker = api.key(account, *MANAGE, "mail.send", budget=purse(messages_per_hour=3))
    made = [
        (await api.ask("POST", KEYS, {"name": str(each), "scopes": ["mail.send"]}, key=maker)).json for each in range(4)
    ]

    replies = [await api.ask("POST", "/v3/mail/send", letter("bob@dest.test"), key=key["api_key"]) for key in made]

    assert [reply.status for reply in replies] == [202, 202, 202, 429]
    assert int(replies[3].headers["retry-after"]) <= 3600
    assert "3 messages an hour; again from" in replies[3].errors[0][1]
    assert made[0]["budget"] == {"messages_per_hour": 3}


async def test_a_key_with_a_budget_gives_nothing_beyond_it(api, account, purse):
    maker = api.key(account, *MANAGE, "mail.send", budget=purse(messages_per_hour=3))
    unlimited = api.key(account, "stats.read")
    sender = api.key(account, "mail.send")

    more = await api.ask(
        "POST", KEYS, {"name": "x", "scopes": ["mail.send"], "budget": {"messages_per_hour": 4}}, key=maker
    )
    added = await api.ask("PUT", f"{KEYS}/{key_id(unlimited)}", {"name": "x", "scopes": ["mail.send"]}, key=maker)
    rotated = await api.ask("POST", f"{KEYS}/{key_id(sender)}/rotate", {}, key=maker)

    assert [(each.status, each.errors[0][0]) for each in (more, added, rotated)] == [(403, "budget")] * 3


async def test_mail_to_another_domain_than_allowed_is_refused_by_its_field(api, account):
    sender = api.key(account, "mail.send", allowed_recipient_domains=("dest.test",))

    good = await api.ask("POST", "/v3/mail/send", letter("bob@dest.test"), key=sender)
    bad = await api.ask("POST", "/v3/mail/send", letter("bob@dest.test", "eve@else.test"), key=sender)

    assert good.status == 202
    ((field, text),) = bad.errors
    assert (bad.status, field) == (403, "personalizations.0")
    assert "eve@else.test; only to dest.test" in text


# ---------------------------------------------------------------- rotation


async def test_a_key_is_rotated_and_the_old_one_ends_after_the_overlap(api, account, manager, purse):
    old = api.key(account, "mail.send", budget=purse("own", messages_per_day=2))

    reply = await api.ask("POST", f"{KEYS}/{key_id(old)}/rotate", {"overlap_seconds": 60}, key=manager)
    new = reply.json["api_key"]
    sent = [await api.ask("POST", "/v3/mail/send", letter("bob@dest.test"), key=each) for each in (old, new, new)]
    api.clock.instant += timedelta(seconds=60)

    assert reply.status == 201
    assert reply.json["replaces"] == key_id(old)
    assert api.rights_changed.asked == [("settle",)]
    # One budget for both of them.
    assert [each.status for each in sent] == [202, 202, 429]
    assert (await api.ask("GET", "/v3/scopes", key=old)).status == 401
    assert (await api.ask("GET", "/v3/scopes", key=new)).json == {"scopes": ["mail.send"]}


async def test_nobody_rotates_a_key_that_holds_more_than_his(api, account, manager):
    stronger = api.key(account, "mail.send", "stats.read")

    reply = await api.ask("POST", f"{KEYS}/{key_id(stronger)}/rotate", {}, key=manager)

    assert (reply.status, reply.errors[0][0]) == (403, "scopes")
    assert len(api.control.keys.list_all(account)) == 2
    assert api.control.keys.find(account, key_id(stronger)).grant.expires_at is None


@pytest.mark.parametrize("overlap", [-1, 2_592_001])
async def test_an_overlap_has_its_bounds(api, manager, overlap):
    reply = await api.ask("POST", f"{KEYS}/{key_id(manager)}/rotate", {"overlap_seconds": overlap}, key=manager)

    assert (reply.status, reply.errors[0][0]) == (400, "overlap_seconds")


async def test_an_expired_key_is_not_rotated(api, account, manager):
    old = api.key(account, "mail.send", expires_at=api.clock.now() + timedelta(seconds=2))
    api.clock.instant += timedelta(seconds=5)

    assert (await api.ask("POST", f"{KEYS}/{key_id(old)}/rotate", {}, key=manager)).status == 404


# ---------------------------------------------------------------- honey keys


@pytest.fixture
def honey(api, account):
    def honey(*scopes):
        return issue_key(
            api.control.keys,
            account_id=account,
            name="backup",
            grant=Grant(scopes=frozenset(scopes)),
            hash_secret=api.control.keyring.hash_secret,
            entropy=api.control.entropy,
            now=api.clock.now(),
            is_honey=True,
        )[1].reveal()

    return honey


async def test_a_honey_key_looks_like_another_and_sends_nothing(api, account, honey, manager):
    trap, plain = honey("mail.send"), api.key(account, "mail.send", name="backup")

    for key in (trap, plain):
        assert (await api.ask("GET", "/v3/scopes", key=key)).json == {"scopes": ["mail.send"]}
    shown = [(await api.ask("GET", f"{KEYS}/{key_id(key)}", key=manager)).json for key in (trap, plain)]
    assert [shown[0].keys(), shown[0]["kind"]] == [shown[1].keys(), shown[1]["kind"]]
    assert "honey" not in str(shown[0])
    refused = await api.ask("POST", "/v3/mail/send", letter("bob@dest.test"), key=trap)
    wrong = [await api.ask("POST", "/v3/mail/send", {"from": {}}, key=key) for key in (trap, plain)]

    assert (refused.status, refused.errors) == (
        503,
        [(None, "the service cannot store this at the moment; try again")],
    )
    assert wrong[0].json == wrong[1].json
    assert {use.key_id for use in api.control.principals.take_honey_uses()} == {key_id(trap)}


async def test_a_honey_key_makes_and_changes_nothing(api, account, honey):
    trap = honey(*MANAGE, "mail.send")
    before = [(key.id, key.grant) for key in api.control.keys.list_all(account)]

    made = await api.ask("POST", KEYS, {"name": "x"}, key=trap)
    rotated = await api.ask("POST", f"{KEYS}/{key_id(trap)}/rotate", {}, key=trap)
    gone = await api.ask("DELETE", f"{KEYS}/{key_id(trap)}", key=trap)

    assert [made.status, rotated.status, gone.status] == [503, 503, 503]
    assert [(key.id, key.grant) for key in api.control.keys.list_all(account)] == before


async def test_a_honey_key_that_was_given_more_reads_nothing_with_it(api, account, honey):
    """By a manager of the account, who cannot know what it is."""
    trap = honey("mail.send")
    manager = api.key(account, *MANAGE, "mail.send")
    body = {"name": "backup", "scopes": ["mail.send", "api_keys.read"]}

    changed = await api.ask("PUT", f"{KEYS}/{key_id(trap)}", body, key=manager)
    read = await api.ask("GET", KEYS, key=trap)
    own = await api.ask("GET", "/v3/scopes", key=trap)

    assert (changed.status, read.status, own.status) == (200, 503, 200)


# ---------------------------------------------------------------- leaked keys


@pytest.fixture
def leaked(api):
    application = LeakedKeys(
        token_hash=hash_token(Secret(TOKEN)),
        keys_as=lambda actor: api.control.acting_as(actor).keys,
        rights_changed=api.rights_changed,
        clock=api.clock,
        hash_secret=api.control.keyring.hash_secret,
        throttle=AuthenticationThrottle(),
        proxies=api.proxies,
    )
    app = api.build(routes=[Route(LEAKED, application)])

    async def leaked(body, token=TOKEN, method="POST"):
        return await api.ask(method, LEAKED, body, key=token, app=app)

    return leaked


async def test_a_leaked_key_is_revoked_on_every_worker_and_reported_without_its_secret(api, account, leaked):
    key, other = api.key(account, "mail.send"), api.key(account, "mail.send")
    forged = key[:26] + other[26:]

    reply = await leaked({"keys": ["nothing", key, forged, other[:-1]]})

    nothing = {"is_revoked": False, "api_key_id": None, "account_id": None, "was_valid": False}
    found = {"is_revoked": True, "api_key_id": key_id(key), "account_id": account, "was_valid": True}
    assert (reply.status, reply.json) == (200, {"result": [nothing, found, nothing, nothing]})
    assert api.rights_changed.asked == [("hold", account, key_id(key))]
    assert [(await api.ask("GET", "/v3/scopes", key=each)).status for each in (key, other)] == [401, 200]
    assert key.split(".")[2].encode() not in reply.octets
    last = api.control.audit.list_after(account, 0, 100)[-1]
    assert (last.event.act, last.event.actor.id) == (Act.KEY_REVOKED, "leaked keys")


async def test_a_text_that_is_no_key_takes_the_same_way(api, leaked):
    assert (await leaked({"keys": ["nothing"]})).status == 200
    assert api.rights_changed.asked == [("settle",)]


@pytest.mark.parametrize(("token", "status"), [("", 401), ("u" * 40, 401), (TOKEN + "t", 401)])
async def test_without_the_token_nothing_is_revoked(api, account, leaked, token, status):
    key = api.key(account, "mail.send")

    assert (await leaked({"keys": [key]}, token=token)).status == status
    assert api.control.keys.find(account, key_id(key)).revoked_at is None


async def test_an_api_key_is_no_token(api, manager, leaked):
    assert (await leaked({"keys": ["x"]}, token=manager)).status == 401


@pytest.mark.parametrize("body", [{"keys": []}, {"keys": ["x"] * 101}, {"keys": "x"}, {"keys": ["x" * 70_000]}, b"{"])
async def test_a_report_that_cannot_be_read_is_refused(leaked, body):
    assert (await leaked(body)).status in {400, 413}


@pytest.mark.parametrize("text", ["short", "sha256:xyz", "sha256:" + "0" * 63])
def test_a_token_that_could_be_guessed_is_refused(text):
    with pytest.raises(Misconfigured, match="openssl rand"):
        hash_token(Secret(text))


def test_a_token_may_be_configured_as_its_hash():
    assert hash_token(Secret("sha256:" + hash_token(Secret(TOKEN)).hex())) == hash_token(Secret(TOKEN))
