"""Links and reverse names on the record; links lent to subusers; records mailed to whoever looks after the DNS."""

from typing import Any

import pytest

from gatepost.standards.dns.records import Name
from gatepost.tenancy.audit.entry import Act

DOMAINS, LINKS, IPS, LETTER = (f"/v3/whitelabel/{resource}" for resource in ("domains", "links", "ips", "dns/email"))
MANAGE = [f"whitelabel.{verb}" for verb in ("create", "read", "update", "delete")]


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def key(api, account):
    return api.key(account, *MANAGE, name="manager")


@pytest.fixture
def rival(api):
    return api.key(api.account("rival"), *MANAGE, name="rival")


@pytest.fixture
def subuser(api, account):
    return api.account("news", parent_id=account)


async def make_link(api, key, **more):
    made = await api.ask("POST", LINKS, {"domain": "example.com", "subdomain": "url", **more}, key=key)
    assert made.status == 201, made.octets
    return made.json


def acts(api: Any, account: Any) -> list[tuple[Act, str]]:
    """What is in the account's chain about its names, in order."""
    entries = api.control.audit.list_after(account, 0, 1000)
    return [
        (each.event.act, each.event.subject)
        for each in entries
        if each.event.act.value.startswith(("link", "reverse", "dns_records"))
    ]


async def test_what_is_done_to_a_link_is_on_the_record(api, account, key):
    link = await make_link(api, key)
    for record in link["dns"].values():
        api.dns.records[record["host"], "CNAME"] = (Name(record["data"]),)
    for _ in range(2):
        assert (await api.ask("POST", f"{LINKS}/{link['id']}/validate", key=key)).json["valid"]
    await api.ask("PATCH", f"{LINKS}/{link['id']}", {"default": True}, key=key)
    await api.ask("DELETE", f"{LINKS}/{link['id']}", key=key)

    # The second look at the DNS found nothing new.
    done = [Act.LINK_ADDED, Act.LINK_CHANGED, Act.LINK_CHANGED, Act.LINK_REMOVED]
    assert acts(api, account) == [(act, "link/url.example.com") for act in done]


async def test_what_is_done_to_a_reverse_name_is_on_the_record(api, account, key):
    wanted = {"ip": "198.51.100.7", "domain": "example.com", "subdomain": "mail"}
    made = (await api.ask("POST", IPS, wanted, key=key)).json
    await api.ask("POST", f"{IPS}/{made['id']}/validate", key=key)
    await api.ask("DELETE", f"{IPS}/{made['id']}", key=key)

    assert acts(api, account) == [
        (Act.REVERSE_NAME_ADDED, "address/198.51.100.7"), (Act.REVERSE_NAME_REMOVED, "address/198.51.100.7")
    ]  # fmt: skip


async def test_each_record_of_a_link_is_valid_for_itself(api, key):
    link = await make_link(api, key)
    right = link["dns"]["domain_cname"]
    api.dns.records[right["host"], "CNAME"] = (Name(right["data"]),)

    validated = await api.ask("POST", f"{LINKS}/{link['id']}/validate", key=key)
    shown = await api.ask("GET", f"{LINKS}/{link['id']}", key=key)

    assert (validated.json["valid"], shown.json["valid"]) == (False, False)
    assert {name: each["valid"] for name, each in shown.json["dns"].items()} == {
        "domain_cname": True, "owner_cname": False,
    }  # fmt: skip


async def test_each_record_of_a_domain_is_valid_for_itself(api, key):
    made = (await api.ask("POST", DOMAINS, {"domain": "example.com"}, key=key)).json
    right = made["dns"]["dkim2"]
    api.dns.records[right["host"], "CNAME"] = (Name(right["data"]),)

    await api.ask("POST", f"{DOMAINS}/{made['id']}/validate", key=key)
    shown = await api.ask("GET", f"{DOMAINS}/{made['id']}", key=key)

    assert {name: each["valid"] for name, each in shown.json["dns"].items()} == {
        "mail_cname": False, "dkim1": False, "dkim2": True,
    }  # fmt: skip
    assert not shown.json["valid"]


async def test_the_default_link_is_shown_for_its_domain_alone(api, key):
    link = await make_link(api, key, default=True)

    asked = {name: await api.ask("GET", f"{LINKS}/default?domain={name}", key=key) for name in ("example.com", "b.com")}

    assert asked["example.com"].json["id"] == link["id"]
    assert asked["b.com"].status == 404


async def test_links_are_listed_in_pages(api, key):
    numbers = [(await make_link(api, key, subdomain=name))["id"] for name in ("a", "b", "c")]

    page = await api.ask("GET", f"{LINKS}?limit=1&offset=1", key=key)

    assert [each["id"] for each in page.json] == numbers[1:2]
    assert (await api.ask("GET", f"{LINKS}?limit=x", key=key)).status == 400


async def test_a_subuser_is_lent_one_link_and_gives_it_back(api, account, key, subuser):
    first, second = await make_link(api, key), await make_link(api, key, subdomain="go")
    for link in (first, second):
        lent = await api.ask("POST", f"{LINKS}/{link['id']}/subuser", {"username": "news"}, key=key)
        assert (lent.status, lent.json["id"], lent.json["username"]) == (200, link["id"], "acme")
    shown = await api.ask("GET", f"{LINKS}/subuser?username=news", key=key)
    assert (shown.status, shown.json["id"]) == (200, second["id"])

    assert (await api.ask("DELETE", f"{LINKS}/subuser?username=news", key=key)).status == 204
    assert (await api.ask("GET", f"{LINKS}/subuser?username=news", key=key)).status == 404
    assert (await api.ask("DELETE", f"{LINKS}/subuser?username=news", key=key)).status == 204

    assert acts(api, subuser) == [
        (Act.LINK_ASSIGNED, "link/url.example.com"),
        (Act.LINK_ASSIGNED, "link/go.example.com"),
        (Act.LINK_UNASSIGNED, "link/go.example.com"),
    ]
    assert (Act.LINK_ASSIGNED, "link/go.example.com") in acts(api, account)


async def test_a_link_that_is_forgotten_is_lent_no_more(api, key, subuser):
    link = await make_link(api, key)
    await api.ask("POST", f"{LINKS}/{link['id']}/subuser", {"username": "news"}, key=key)

    assert (await api.ask("DELETE", f"{LINKS}/{link['id']}", key=key)).status == 204
    assert (await api.ask("GET", f"{LINKS}/subuser?username=news", key=key)).status == 404


async def test_nobody_lends_anothers_link_or_to_anothers_subuser(api, key, rival, subuser):
    link = await make_link(api, key)
    theirs = await make_link(api, rival)
    lend = {"username": "news"}

    assert (await api.ask("POST", f"{LINKS}/{link['id']}/subuser", lend, key=rival)).status == 404
    assert (await api.ask("POST", f"{LINKS}/{theirs['id']}/subuser", lend, key=rival)).status == 400
    assert (await api.ask("GET", f"{LINKS}/subuser?username=news", key=rival)).status == 400
    assert (await api.ask("DELETE", f"{LINKS}/subuser?username=news", key=rival)).status == 400


async def test_the_records_of_a_domain_are_mailed_in_words_of_our_own(api, account, key):
    made = (await api.ask("POST", DOMAINS, {"domain": "example.com"}, key=key)).json
    wanted = {"domain_id": made["id"], "link_id": 0, "email": "dns@elsewhere.test", "message": "Buy this: spam.test"}

    assert (await api.ask("POST", LETTER, wanted, key=key)).status == 204

    ((address, subject, text),) = api.mailbox.letters
    assert address == "dns@elsewhere.test"
    assert subject == "DNS records to publish for the mail service relay.test"
    for record in made["dns"].values():
        assert f"{record['host']}. 3600 IN CNAME {record['data']}." in text
    assert "spam.test" not in text
    assert "acme" not in text
    assert acts(api, account) == [(Act.DNS_RECORDS_MAILED, "domain/example.com")]


async def test_the_records_of_a_link_are_mailed_too(api, key):
    link = await make_link(api, key)

    assert (
        await api.ask("POST", LETTER, {"link_id": link["id"], "email": "dns@elsewhere.test"}, key=key)
    ).status == 204

    ((_, _, text),) = api.mailbox.letters
    assert all(record["host"] in text for record in link["dns"].values())


REFUSED = {
    "nothing": ({"email": "dns@elsewhere.test"}, 400),
    "no address": ({"link_id": 1, "email": "elsewhere.test"}, 400),
    "two addresses": ({"link_id": 1, "email": "a@b.test, c@d.test"}, 400),
    "a header": ({"link_id": 1, "email": "a@b.test\r\nBcc: c@d.test"}, 400),
    "a character of no address": ({"link_id": 1, "email": "a@b.test\0"}, 400),
    "a long address": ({"link_id": 1, "email": f"{'a' * 60}@{'b.' * 100}test"}, 400),
    "an unknown link": ({"link_id": 404, "email": "dns@elsewhere.test"}, 404),
    "an unknown domain": ({"domain_id": 404, "email": "dns@elsewhere.test"}, 404),
    "a link below zero": ({"link_id": -1, "email": "dns@elsewhere.test"}, 404),
    "a number of no database": ({"domain_id": 1 << 70, "email": "dns@elsewhere.test"}, 404),
}


@pytest.mark.parametrize(("wanted", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_mailed_is_refused_and_nothing_sent(api, key, wanted, status):
    assert (await api.ask("POST", LETTER, wanted, key=key)).status == status
    assert api.mailbox.letters == []


async def test_the_records_of_others_are_not_mailed(api, key, rival):
    link = await make_link(api, key)
    made = (await api.ask("POST", DOMAINS, {"domain": "example.com"}, key=rival)).json

    for wanted in ({"link_id": link["id"]}, {"link_id": link["id"], "domain_id": made["id"]}):
        assert (await api.ask("POST", LETTER, {**wanted, "email": "dns@elsewhere.test"}, key=rival)).status == 404
    assert api.mailbox.letters == []


async def test_an_address_gets_only_so_many_letters_of_whatever_kind(api, key, rival):
    links = {who: await make_link(api, who) for who in (key, rival)}

    async def mail(who):
        wanted = {"link_id": links[who]["id"], "email": "Victim@elsewhere.test"}
        return await api.ask("POST", LETTER, wanted, key=who)

    sender = {"nickname": "x", "from_email": "victim@elsewhere.test", "reply_to": "x@elsewhere.test"}
    assert (await api.ask("POST", "/v3/verified_senders", sender, key=key)).status == 201
    answers = [await mail(who) for who in (key, rival, key, rival, key)]

    assert [each.status for each in answers] == [204, 204, 204, 204, 429]
    assert int(answers[-1].headers["retry-after"]) > 3600
    assert len(api.mailbox.letters) == 5
