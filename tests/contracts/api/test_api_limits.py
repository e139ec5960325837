"""Limits and forwarded addresses, as a client of the API meets them."""

from ipaddress import ip_network

import pytest

from gatepost.entrypoints.api.forwarded import ForwardedHeader, Proxies
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.edit import Author
from gatepost.tenancy.access.ip_allowlist import NetworkSet
from gatepost.tenancy.accounts.sending_limits import SendingLimits

PROXY, CLIENT, ELSEWHERE = "10.0.0.1", "203.0.113.7", "192.0.2.9"


@pytest.fixture
def account(api):
    api.claims.holders["example.test"] = account = api.account("acme")
    return account


@pytest.fixture
def key(api, account):
    return api.key(account, "mail.send", "api_keys.read")


def mail(*recipients):
    return {
        "personalizations": [{"to": [{"email": each}]} for each in recipients],
        "from": {"email": "ann@example.test"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }


# ---------------------------------------------------------------- requests


async def test_all_keys_of_an_account_share_its_rate(api, account, key):
    api.requests_of_account = 2
    app, sister = api.build(), api.key(account, "mail.send")
    stranger = api.key(api.account("globex"), "mail.send")

    replies = [await api.ask("GET", "/v3/scopes", key=each, app=app) for each in (key, sister, key, sister, stranger)]

    assert [reply.status for reply in replies] == [200, 200, 429, 429, 200]
    assert replies[1].headers["x-ratelimit-limit"] == "2"
    assert replies[2].headers["retry-after"] == "1"


async def test_an_address_beyond_its_rate_is_not_even_asked_who_it_is(api, key):
    api.requests_of_address = 2
    app = api.build()

    replies = [await api.ask("GET", "/v3/scopes", key=each, app=app) for each in ("", "SG.x.y", key)]
    elsewhere = await api.ask("GET", "/v3/scopes", key=key, app=app, peer=ELSEWHERE)

    assert [reply.status for reply in replies] == [401, 401, 429]
    assert (replies[2].headers["retry-after"], replies[2].errors) == ("1", [(None, "too many requests")])
    assert elsewhere.status == 200


# ---------------------------------------------------------------- mail


async def test_an_account_beyond_its_limit_is_told_when_to_come_again(api, key):
    api.default_limits = SendingLimits(messages_per_minute=2)
    app = api.build()

    replies = [await api.ask("POST", "/v3/mail/send", mail("bob@dest.test"), key=key, app=app) for _ in range(3)]

    assert [reply.status for reply in replies] == [202, 202, 429]
    assert replies[2].headers["retry-after"] == "30"
    assert replies[2].errors == [
        (None, "too many requests: 2 messages a minute of one account; try again in 30 seconds")
    ]
    assert api.queue.counters.accepted_messages == 2


async def test_a_request_is_counted_whole_or_not_at_all(api, key):
    api.default_limits = SendingLimits(recipients_per_hour=3)
    app = api.build()

    many = await api.ask("POST", "/v3/mail/send", mail("a@d.test", "b@d.test"), key=key, app=app)
    over = await api.ask("POST", "/v3/mail/send", mail("c@d.test", "d@d.test"), key=key, app=app)
    one = await api.ask("POST", "/v3/mail/send", mail("e@d.test"), key=key, app=app)

    assert [many.status, over.status, one.status] == [202, 429, 202]
    assert api.queue.counters.accepted_messages == 3


async def test_what_is_refused_or_only_tried_costs_nothing(api, key):
    api.default_limits = SendingLimits(messages_per_minute=1)
    app = api.build()
    foreign = mail("bob@dest.test") | {"from": {"email": "ann@elsewhere.test"}}
    sandboxed = mail("bob@dest.test") | {"mail_settings": {"sandbox_mode": {"enable": True}}}

    replies = [
        await api.ask("POST", "/v3/mail/send", body, key=key, app=app)
        for body in (foreign, sandboxed, sandboxed, mail("bob@dest.test"))
    ]

    assert [reply.status for reply in replies] == [403, 200, 200, 202]


async def test_what_the_operator_sets_for_an_account_holds_from_the_next_request(api, account, key):
    app = api.build()
    assert (await api.ask("POST", "/v3/mail/send", mail("bob@dest.test"), key=key, app=app)).status == 202

    api.control.sending_limits.put(account, SendingLimits(messages_per_hour=1))
    statuses = [(await api.ask("POST", "/v3/mail/send", mail("b@d.test"), key=key, app=app)).status for _ in range(2)]

    assert statuses == [202, 429]


# ---------------------------------------------------------------- forwarded addresses


@pytest.fixture
def behind_proxy(api, account):
    """The account lets in its client and, by mischance, the proxy itself."""
    api.proxies = Proxies(NetworkSet([ip_network("10.0.0.0/8")]), ForwardedHeader.X_FORWARDED_FOR)
    listed = [ip_network(CLIENT), ip_network(PROXY)]
    edit.add_rules(api.control.ip_access, account, listed, Author(address=None), now=api.clock.now())
    return api


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (PROXY, {"X-Forwarded-For": CLIENT}, 200),
        (CLIENT, {}, 200),
        (CLIENT, {"X-Forwarded-For": ELSEWHERE}, 200),
        (PROXY, {"X-Forwarded-For": ELSEWHERE}, 403),
        # The client wrote the address that is listed; the proxy wrote the one that is his.
        (PROXY, {"X-Forwarded-For": f"{CLIENT}, {ELSEWHERE}"}, 403),
        (PROXY, {"X-Forwarded-For": f"{PROXY}, {ELSEWHERE}"}, 403),
        (PROXY, {"X-Forwarded-For": f"{ELSEWHERE}, {CLIENT}"}, 200),
        # Not through the proxy: the header is the client's own.
        (ELSEWHERE, {"X-Forwarded-For": CLIENT}, 403),
        (ELSEWHERE, {"Forwarded": f"for={CLIENT}"}, 403),
        (ELSEWHERE, {"X-Real-IP": CLIENT, "X-Client-IP": CLIENT, "True-Client-IP": CLIENT}, 403),
        # The header that the proxy does not write is handed on by it.
        (PROXY, {"X-Forwarded-For": ELSEWHERE, "Forwarded": f"for={CLIENT}"}, 403),
        # The proxy says nothing, or nothing that can be read: nobody has its address, listed or not.
        (PROXY, {}, 400),
        (PROXY, {"Forwarded": f"for={CLIENT}"}, 400),
        (PROXY, {"X-Forwarded-For": "unknown"}, 400),
        (PROXY, {"X-Forwarded-For": f"{CLIENT}, not an address"}, 400),
    ],
)
async def test_no_header_makes_a_client_somebody_else(behind_proxy, key, peer, headers, status):
    reply = await behind_proxy.ask("GET", "/v3/scopes", key=key, headers=headers, peer=peer)

    assert reply.status == status


async def test_attempts_through_a_proxy_are_those_of_the_client(behind_proxy, account, key):
    for address in (CLIENT, ELSEWHERE):
        await behind_proxy.ask("GET", "/v3/scopes", key=key, headers={"X-Forwarded-For": address}, peer=PROXY)
    behind_proxy.control.principals.flush_attempts()

    seen = {each.address: each.verdict.value for each in behind_proxy.control.attempts.list_recent(account, 10)}
    assert seen == {CLIENT: "allowed", ELSEWHERE: "refused"}


async def test_clients_of_one_proxy_do_not_share_the_rate_of_an_address(behind_proxy, key):
    behind_proxy.requests_of_address = 1
    app = behind_proxy.build()

    async def ask(address):
        headers = {"X-Forwarded-For": address}
        return (await behind_proxy.ask("GET", "/v3/scopes", key=key, headers=headers, peer=PROXY, app=app)).status

    assert [await ask(CLIENT), await ask(CLIENT), await ask(ELSEWHERE)] == [200, 429, 403]
