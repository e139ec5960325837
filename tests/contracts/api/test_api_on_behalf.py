"""``on-behalf-of``: a parent's key acts in its subuser by its own rights, and the records say so."""

import pytest

from gatepost.primitives.ids import KeyId
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.audit.entry import Act

KEYS = "/v3/api_keys"
MANAGE = [f"api_keys.{verb}" for verb in ("create", "read", "update", "delete")]
NEWS = {"On-Behalf-Of": "news"}


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def news(api, account):
    return api.account("news", account)


@pytest.fixture
def manager(api, account):
    return api.key(account, *MANAGE, "mail.send", name="manager")


async def test_a_parents_key_manages_the_keys_of_its_subuser(api, account, news, manager):
    made = await api.ask("POST", KEYS, {"name": "theirs", "scopes": ["mail.send"]}, key=manager, headers=NEWS)
    one = f"{KEYS}/{made.json['api_key_id']}"
    listed = await api.ask("GET", KEYS, key=manager, headers=NEWS)
    shown = await api.ask("GET", one, key=manager, headers=NEWS)
    renamed = await api.ask("PATCH", one, {"name": "new"}, key=manager, headers=NEWS)
    revoked = await api.ask("DELETE", one, key=manager, headers=NEWS)

    assert [each.status for each in (made, listed, shown, renamed, revoked)] == [201, 200, 200, 200, 204]
    assert [each["name"] for each in listed.json["result"]] == ["theirs"]
    assert [key.account_id for key in api.control.keys.list_all(news)] == [news]
    assert api.rights_changed.asked == [("hold", news, made.json["api_key_id"])]


async def test_without_the_header_a_subusers_keys_are_not_there(api, news, manager):
    theirs = api.key(news, "mail.send").split(".")[1]

    assert (await api.ask("GET", f"{KEYS}/{theirs}", key=manager)).status == 404
    assert theirs not in (await api.ask("GET", KEYS, key=manager)).octets.decode()


async def test_in_a_subuser_a_key_gives_no_more_than_it_holds(api, news, account):
    maker = api.key(account, *MANAGE)

    reply = await api.ask("POST", KEYS, {"name": "x", "scopes": ["mail.send"]}, key=maker, headers=NEWS)

    assert reply.status == 403
    assert api.control.keys.list_all(news) == []


async def test_in_a_subuser_the_keys_own_scopes_count(api, news, account):
    reply = await api.ask("GET", KEYS, key=api.key(account, "mail.send"), headers=NEWS)

    assert reply.status == 403


@pytest.mark.parametrize("header", ["shop", "globex", "acme", "nobody", "gone"])
async def test_who_is_no_subuser_of_the_caller_gets_one_answer_whether_it_exists_or_not(api, account, manager, header):
    api.account("shop", api.account("globex"))
    gone = api.account("gone", account)
    lifecycle.move(api.control.accounts, api.control.accounts.find(gone), AccountState.CLOSED)

    reply = await api.ask("GET", KEYS, key=manager, headers={"on-behalf-of": header})
    unknown = await api.ask("GET", KEYS, key=manager, headers={"on-behalf-of": "never-heard-of"})

    assert (reply.status, reply.octets) == (403, unknown.octets)


@pytest.mark.parametrize("header", ["acme", "shop", "news"])
async def test_a_subuser_acts_for_nobody(api, account, news, header):
    api.account("shop", account)

    reply = await api.ask("GET", KEYS, key=api.key(news, *MANAGE), headers={"on-behalf-of": header})

    assert reply.status == 403
    assert reply.errors[0][0] == "on-behalf-of"


async def test_mail_is_never_sent_on_behalf(api, news, manager):
    api.claims.holders["news.example"] = news
    body = {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": "ann@news.example"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }

    reply = await api.ask("POST", "/v3/mail/send", body, key=manager, headers=NEWS)

    assert (reply.status, reply.errors[0][0]) == (403, "on-behalf-of")
    assert api.queue.counters.accepted_messages == 0


async def test_the_records_of_both_say_who_acted_and_from_which_account(api, account, news, manager):
    made = await api.ask("POST", KEYS, {"name": "x", "scopes": ["mail.send"]}, key=manager, headers=NEWS)

    made_id = KeyId(made.json["api_key_id"])
    [theirs], ours = [
        [each.event for each in api.control.audit.list_after(chain, 0, 20) if each.event.subject.endswith(made_id)]
        for chain in (news, account)
    ]
    assert theirs.act is Act.KEY_ISSUED
    assert theirs.subject == f"key/{made_id}"
    assert (theirs.actor.id, theirs.actor.account) == (manager.split(".")[1], account)
    assert [event.subject for event in ours] == [f"account/{news}/key/{made_id}"]
    assert api.control.audit.verify(None, ()).faults == ()


async def test_a_key_acting_in_its_own_account_is_written_down_as_before(api, account, manager):
    made = await api.ask("POST", KEYS, {"name": "x", "scopes": ["mail.send"]}, key=manager)

    [event] = [
        each.event
        for each in api.control.audit.list_after(account, 0, 20)
        if each.event.subject == f"key/{made.json['api_key_id']}"
    ]
    assert event.actor.account == ""


async def test_a_suspended_parent_acts_nowhere(api, account, news, manager):
    lifecycle.move(api.control.accounts, api.control.accounts.find(account), AccountState.SUSPENDED)

    assert (await api.ask("GET", KEYS, key=manager, headers=NEWS)).status == 403


async def test_a_parent_manages_a_subuser_that_is_stopped(api, news, manager):
    theirs = api.key(news, "mail.send").split(".")[1]
    lifecycle.move(api.control.accounts, api.control.accounts.find(news), AccountState.SUSPENDED)

    assert (await api.ask("DELETE", f"{KEYS}/{theirs}", key=manager, headers=NEWS)).status == 204
