"""``/v3/subusers/{name}/credits``: limits that hold, on HTTP as at the one door."""

from datetime import timedelta

import pytest

PATH = "/v3/subusers/news/credits"
MANAGE = [
    *[f"subusers.credits.{verb}" for verb in ("read", "update")], "subusers.credits.remaining.update",
]  # fmt: skip
UNLIMITED = {"type": "unlimited", "reset_frequency": None, "remain": None, "total": None, "used": None}


def message(*recipients):
    return {
        "personalizations": [{"to": [{"email": each} for each in recipients]}],
        "from": {"email": "ann@news.example"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def news(api, account):
    made = api.account("news", account)
    api.claims.holders["news.example"] = made
    return made


@pytest.fixture
def manager(api, account, news):
    return api.key(account, *MANAGE)


async def test_credits_are_unlimited_until_they_are_limited(api, manager):
    assert (await api.ask("GET", PATH, key=manager)).json == UNLIMITED


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (
            {"type": "recurring", "reset_frequency": "daily", "total": 3},
            {"type": "recurring", "reset_frequency": "daily", "remain": 3, "total": 3, "used": 0},
        ),
        (
            {"type": "nonrecurring", "total": 3},
            {"type": "nonrecurring", "reset_frequency": None, "remain": 3, "total": 3, "used": 0},
        ),
        ({"type": "unlimited", "total": 3}, UNLIMITED),
    ],
)
async def test_credits_are_set_and_every_worker_is_told(api, manager, wanted, given):
    reply = await api.ask("PUT", PATH, wanted, key=manager)

    assert (reply.status, reply.json) == (200, given)
    assert api.rights_changed.asked == [("settle",)]
    assert (await api.ask("GET", PATH, key=manager)).json == given


async def test_over_its_credits_nothing_is_sent(api, manager, news):
    own = api.key(news, "mail.send")
    await api.ask("PUT", PATH, {"type": "recurring", "reset_frequency": "daily", "total": 3}, key=manager)

    two = await api.ask("POST", "/v3/mail/send", message("a@dest.test", "b@dest.test"), key=own)
    too_many = await api.ask("POST", "/v3/mail/send", message("a@dest.test", "b@dest.test"), key=own)
    last = await api.ask("POST", "/v3/mail/send", message("a@dest.test"), key=own)
    none = await api.ask("POST", "/v3/mail/send", message("a@dest.test"), key=own)

    assert [each.status for each in (two, too_many, last, none)] == [202, 401, 202, 401]
    assert none.errors == [(None, "Maximum credits exceeded")]
    assert api.queue.counters.accepted_messages == 2
    assert (await api.ask("GET", PATH, key=manager)).json["used"] == 3

    api.clock.instant += timedelta(days=1)

    assert (await api.ask("POST", "/v3/mail/send", message("a@dest.test"), key=own)).status == 202


async def test_a_sandboxed_or_refused_message_costs_nothing(api, manager, news):
    own = api.key(news, "mail.send")
    await api.ask("PUT", PATH, {"type": "nonrecurring", "total": 1}, key=manager)

    sandbox = message("a@dest.test") | {"mail_settings": {"sandbox_mode": {"enable": True}}}
    sandboxed = await api.ask("POST", "/v3/mail/send", sandbox, key=own)
    foreign = message("a@dest.test") | {"from": {"email": "x@else.example"}}
    refused = await api.ask("POST", "/v3/mail/send", foreign, key=own)

    assert (sandboxed.status, refused.status) == (200, 403)
    assert (await api.ask("GET", PATH, key=manager)).json["used"] == 0


async def test_credits_are_added_and_taken_away_for_this_period(api, manager):
    await api.ask("PUT", PATH, {"type": "recurring", "reset_frequency": "daily", "total": 3}, key=manager)

    more = await api.ask("PATCH", f"{PATH}/remaining", {"allocation_update": 2}, key=manager)
    less = await api.ask("PATCH", f"{PATH}/remaining", {"allocation_update": -4}, key=manager)
    api.clock.instant += timedelta(days=1)

    assert (more.json["remain"], less.json["remain"]) == (5, 1)
    assert (await api.ask("GET", PATH, key=manager)).json["remain"] == 3


@pytest.mark.parametrize(
    ("method", "body", "field", "text"),
    [
        ("PUT", {"type": "weekly"}, "type", "Type should be set to 'recurring', 'nonrecurring', or 'unlimited'"),
        ("PUT", {}, "type", "Type should be set"),
        ("PUT", {"type": "recurring", "total": 5}, "reset_frequency", "Reset frequency should be set"),
        (
            "PUT",
            {"type": "recurring", "reset_frequency": "hourly", "total": 5},
            "reset_frequency",
            "Reset frequency should be set",
        ),
        ("PUT", {"type": "nonrecurring"}, "total", "a number from 1"),
        ("PUT", {"type": "nonrecurring", "total": 0}, "total", "a number from 1"),
        ("PATCH", {}, "allocation_update", "is required"),
        ("PATCH", {"allocation_update": 10**13}, "allocation_update", "a number from"),
        ("PATCH", {"allocation_update": 5}, "allocation_update", "unlimited"),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_changed(api, manager, method, body, field, text):
    path = PATH if method == "PUT" else f"{PATH}/remaining"

    reply = await api.ask(method, path, body, key=manager)

    [(at, said)] = reply.errors
    assert (reply.status, at) == (400, field)
    assert text in said
    assert (await api.ask("GET", PATH, key=manager)).json == UNLIMITED


async def test_no_more_is_taken_away_than_is_left(api, manager):
    await api.ask("PUT", PATH, {"type": "nonrecurring", "total": 3}, key=manager)

    reply = await api.ask("PATCH", f"{PATH}/remaining", {"allocation_update": -4}, key=manager)

    assert (reply.status, reply.errors[0][0]) == (400, "allocation_update")


@pytest.mark.parametrize(
    ("method", "end", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"type": "unlimited"}),
        ("PATCH", "/remaining", {"allocation_update": 1}),
    ],
)
@pytest.mark.parametrize("name", ["nobody", "globex", "shop", "acme"])
async def test_who_is_not_the_callers_subuser_is_not_found(api, manager, method, end, body, name):
    api.account("shop", api.account("globex"))

    reply = await api.ask(method, f"/v3/subusers/{name}/credits{end}", body, key=manager)

    assert (reply.status, reply.errors) == (400, [(None, "No user found")])
