"""``/v3/subusers/{name}/monitor``: a parent has some of a subuser's mail copied, and the door obeys."""

import pytest

from gatepost.tenancy.audit.entry import Act

PATH = "/v3/subusers/news/monitor"
SCOPES = [f"subusers.monitor.{verb}" for verb in ("create", "read", "update", "delete")]
WANTED = {"email": "watch@acme.example", "frequency": 1}
MAIL = {
    "personalizations": [{"to": [{"email": "bob@dest.test"}]}], "from": {"email": "ann@news.example"},
    "subject": "Hi", "content": [{"type": "text/plain", "value": "Hello"}],
}  # fmt: skip


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def manager(api, account):
    return api.key(account, *SCOPES)


@pytest.fixture
def news(api, account):
    made = api.account("news", account)
    api.claims.holders["news.example"] = made
    return made


async def test_a_monitor_is_set_shown_replaced_and_taken_away(api, manager, news):
    replies = [
        await api.ask(method, PATH, body, key=manager)
        for method, body in (
            ("GET", None), ("POST", WANTED), ("GET", None), ("PUT", WANTED | {"frequency": 500}), ("GET", None),
            ("DELETE", None), ("GET", None),
        )
    ]  # fmt: skip

    assert [reply.status for reply in replies] == [404, 200, 200, 200, 200, 204, 404]
    assert [replies[number].json for number in (1, 2, 4)] == [WANTED, WANTED, WANTED | {"frequency": 500}]


async def test_setting_it_stands_in_the_chains_of_both(api, account, manager, news):
    await api.ask("POST", PATH, WANTED, key=manager)

    for chain in (news, account):
        events = [entry.event for entry in api.control.audit.list_after(chain, 0, 100)]
        [event] = [each for each in events if each.act is Act.SUBUSER_MONITOR_CHANGED]
        assert event.after == {"monitor": "1 of 1 to watch@acme.example"}


async def test_what_the_subuser_sends_is_copied_from_then_on_and_no_longer(api, manager, news):
    key = api.key(news, "mail.send")
    counts = []

    for method, body in (("GET", None), ("POST", WANTED), ("DELETE", None)):
        await api.ask(method, PATH, body, key=manager)
        assert (await api.ask("POST", "/v3/mail/send", MAIL, key=key)).status == 202
        counts.append(api.queue.counters.accepted_recipients)

    assert counts == [1, 3, 4]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["email", "frequency"]),
        (WANTED | {"email": "nobody"}, ["email"]),
        (WANTED | {"email": "a@localhost"}, ["email"]),
        (WANTED | {"email": "a@[192.0.2.1]"}, ["email"]),
        (WANTED | {"frequency": 0}, ["frequency"]),
        (WANTED | {"frequency": 10**9 + 1}, ["frequency"]),
    ],
    ids=str,
)
async def test_what_is_wrong_is_told(api, manager, news, body, fields):
    reply = await api.ask("POST", PATH, body, key=manager)

    assert (reply.status, [at for at, _ in reply.errors]) == (400, fields)
    assert (await api.ask("GET", PATH, key=manager)).status == 404
