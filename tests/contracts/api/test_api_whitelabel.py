"""Domains, links and reverse names over HTTP, in the shapes of the dialect."""

from dataclasses import replace

import pytest

from gatepost.mailflow.queue.recipient import HELD_UNTIL_RETURN
from gatepost.standards.dns.records import MX, TXT, Address, Name
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainState
from gatepost.tenancy.senders.review import ReviewState

DOMAINS, LINKS, IPS = (f"/v3/whitelabel/{resource}" for resource in ("domains", "links", "ips"))
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


async def make(api, key, **more):
    made = await api.ask("POST", DOMAINS, {"domain": "example.com", **more}, key=key)
    assert made.status == 201, made.octets
    return made.json


def publish(api, shown):
    for record in shown["dns"].values():
        kind = record["type"].upper()
        value = {"CNAME": Name, "TXT": lambda text: TXT(text.encode()), "MX": lambda host: MX(10, host)}[kind]
        api.dns.records[record["host"], kind] = (value(record["data"]),)


async def test_a_domain_is_claimed_with_three_aliases(api, key):
    made = await make(api, key, subdomain="em7", default=True)

    dns = made["dns"]
    assert {name: (record["type"], record["host"]) for name, record in dns.items()} == {
        "mail_cname": ("cname", "em7.example.com"),
        "dkim1": ("cname", "s1._domainkey.example.com"),
        "dkim2": ("cname", "s2._domainkey.example.com"),
    }
    place = dns["mail_cname"]["data"]
    assert dns["dkim1"]["data"] == f"s1.domainkey.{place}"
    assert place.endswith(".gp.relay.test")
    assert (made["automatic_security"], made["default"], made["valid"], made["legacy"]) == (True, True, False, False)
    assert (made["username"], made["subdomain"], made["ips"]) == ("acme", "em7", [])
    assert isinstance(made["user_id"], int)
    shown = await api.ask("GET", f"{DOMAINS}/{made['id']}", key=key)
    assert shown.json == {**made, "subusers": []}
    assert (await api.ask("GET", f"{DOMAINS}/default", key=key)).json["id"] == made["id"]


async def test_manual_security_has_a_mail_server_an_spf_record_and_one_key(api, key):
    made = await make(api, key, automatic_security=False, custom_spf=True, ips=["192.0.2.7"])

    dns = made["dns"]
    assert sorted(dns) == ["dkim", "mail_server", "subdomain_spf"]
    assert dns["mail_server"]["data"] == "relay.test"
    assert dns["subdomain_spf"]["data"].startswith("v=spf1 ip4:192.0.2.7")
    assert dns["dkim"]["host"] == "m1._domainkey.example.com"


async def test_what_was_published_is_validated_and_may_be_used(api, key):
    made = await make(api, key)
    before = await api.ask("POST", f"{DOMAINS}/{made['id']}/validate", key=key)
    publish(api, made)

    after = await api.ask("POST", f"{DOMAINS}/{made['id']}/validate", key=key)

    assert before.json["valid"] is False
    reason = before.json["validation_results"]["dkim1"]["reason"]
    assert reason.startswith('Expected CNAME for "s1._domainkey.example.com" to match "s1.domainkey.')
    assert "There is no such CNAME record" in reason
    nothing_wrong = {"valid": True, "reason": None}
    assert after.json == {
        "id": made["id"],
        "valid": True,
        "validation_results": dict.fromkeys(["mail_cname", "dkim1", "dkim2"], nothing_wrong),
    }
    assert api.control.domains.find_verified("example.com").id == made["id"]
    shown = (await api.ask("GET", f"{DOMAINS}/{made['id']}", key=key)).json
    assert (shown["valid"], shown["dns"]["dkim1"]["valid"]) == (True, True)
    assert shown["last_validation_attempt_at"] == int(api.clock.now().timestamp())


async def test_a_domain_that_another_account_has_is_not_proved_again(api, key, rival):
    mine, theirs = await make(api, key, subdomain="em1"), await make(api, rival, subdomain="em1")
    publish(api, mine)
    assert (await api.ask("POST", f"{DOMAINS}/{mine['id']}/validate", key=key)).json["valid"]
    stale = await api.ask("POST", f"{DOMAINS}/{theirs['id']}/validate", key=rival)
    publish(api, theirs)

    refused = await api.ask("POST", f"{DOMAINS}/{theirs['id']}/validate", key=rival)

    assert stale.json["valid"] is False
    assert refused.status == 400
    assert "another account has verified this domain" in refused.errors[0][1]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/validate"), ("GET", "/posture"), ("POST", "/ips"),
        ("DELETE", "/ips/192.0.2.7"), ("POST", "/subuser"),
    ],
)  # fmt: skip
async def test_a_domain_of_anothers_does_not_exist(api, key, rival, subuser, method, path):
    made = await make(api, key, ips=["192.0.2.7"])
    body = {"PATCH": {"default": True}, "POST": {"ip": "192.0.2.9", "username": "news"}}.get(method)

    answer = await api.ask(method, f"{DOMAINS}/{made['id']}{path}", body if path != "/validate" else None, key=rival)

    assert answer.status == 404
    claim = api.control.domains.list_all(api.control.accounts.find_by_name("acme").id)[0]
    assert (claim.addresses, claim.is_default) == (("192.0.2.7",), False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "domain"),
        ({"domain": "com"}, "domain"),
        ({"domain": "co.uk"}, "domain"),
        ({"domain": "exa mple.com"}, "domain"),
        ({"domain": "example.com", "subdomain": "a.b"}, "subdomain"),
        ({"domain": "example.com", "custom_dkim_selector": "toolong"}, "custom_dkim_selector"),
        ({"domain": "example.com", "custom_spf": True}, "ips"),
        ({"domain": "example.com", "ips": ["x"]}, "ips"),
        ({"domain": "example.com", "username": "nobody"}, "username"),
        ({"domain": "example.com", "region": "eu"}, "region"),
    ],
    ids=str,
)
async def test_a_wish_that_cannot_be_names_its_field(api, key, body, field):
    refused = await api.ask("POST", DOMAINS, body, key=key)

    assert (refused.status, refused.errors[0][0]) == (400, field)


async def test_one_domain_is_authenticated_several_times(api, key):
    await make(api, key)
    again = await api.ask("POST", DOMAINS, {"domain": "example.com"}, key=key)
    other = await make(api, key, custom_dkim_selector="abc")

    assert again.status == 400
    assert sorted(record["host"] for name, record in other["dns"].items() if "dkim" in name) == [
        "abc._domainkey.example.com",
        "abc2._domainkey.example.com",
    ]


async def test_a_domain_is_changed(api, key):
    made = await make(api, key)
    path = f"{DOMAINS}/{made['id']}"

    assert (await api.ask("PATCH", path, {"custom_spf": True}, key=key)).status == 400
    added = await api.ask("POST", f"{path}/ips", {"ip": "192.0.2.7"}, key=key)
    changed = await api.ask("PATCH", path, {"default": True, "custom_spf": True}, key=key)
    taken = await api.ask("DELETE", f"{path}/ips/192.0.2.7", key=key)

    assert added.json["ips"] == ["192.0.2.7"]
    assert (changed.json["default"], changed.json["custom_spf"]) == (True, True)
    assert (taken.json["ips"], taken.json["custom_spf"]) == ([], False)
    assert (await api.ask("POST", f"{path}/ips", {"ip": "x"}, key=key)).status == 400


async def test_a_domain_given_up_is_withdrawn_settled_and_forgotten(api, key, account):
    made = await make(api, key)
    publish(api, made)
    await api.ask("POST", f"{DOMAINS}/{made['id']}/validate", key=key)

    api.rights_changed.trouble = "one worker does not answer"
    unsure = await api.ask("DELETE", f"{DOMAINS}/{made['id']}", key=key)
    assert (unsure.status, api.control.domains.find_verified("example.com")) == (503, None)
    api.rights_changed.trouble = ""
    deleted = await api.ask("DELETE", f"{DOMAINS}/{made['id']}", key=key)

    assert deleted.status == 204
    assert api.rights_changed.asked == [("settle_domain", account, "example.com", "domain removed")] * 2
    assert api.control.domains.list_all(account) == []


async def test_domains_are_listed_by_page_and_filter(api, key, subuser):
    for name in ("a.example", "b.example"):
        await make(api, key, domain=name)
    await make(api, key, domain="c.example", username="news")

    async def names(query):
        return [each["domain"] for each in (await api.ask("GET", f"{DOMAINS}{query}", key=key)).json]

    assert await names("") == ["a.example", "b.example", "c.example"]
    assert await names("?limit=1&offset=1") == ["b.example"]
    assert await names("?exclude_subusers=true") == ["a.example", "b.example"]
    assert await names("?username=news") == ["c.example"]
    assert await names("?domain=b.example") == ["b.example"]
    assert (await api.ask("GET", f"{DOMAINS}?limit=x", key=key)).status == 400


async def test_a_domain_is_lent_to_a_subuser_and_taken_back(api, key, subuser):
    made = await make(api, key)

    lent = await api.ask("POST", f"{DOMAINS}/{made['id']}/subuser", {"username": "news"}, key=key)
    listed = await api.ask("GET", f"{DOMAINS}/subuser/all?username=news", key=key)
    first = await api.ask("GET", f"{DOMAINS}/subuser?username=news", key=key)
    taken = await api.ask("DELETE", f"{DOMAINS}/{made['id']}/subuser?username=news", key=key)

    assert (lent.status, [each["username"] for each in lent.json["subusers"]]) == (201, ["news"])
    assert [each["id"] for each in listed.json] == [first.json["id"]] == [made["id"]]
    assert taken.status == 204
    assert api.rights_changed.asked == [("settle_domain", subuser, "example.com", "domain taken back")]
    assert (await api.ask("GET", f"{DOMAINS}/subuser?username=news", key=key)).status == 404
    unknown = await api.ask("POST", f"{DOMAINS}/{made['id']}/subuser:add", {"username": "nobody"}, key=key)
    assert unknown.status == 400


async def test_anothers_domain_cannot_be_taken_back_from_ones_own_subuser(api, key, subuser, rival):
    theirs = await make(api, rival)

    taken = await api.ask("DELETE", f"{DOMAINS}/{theirs['id']}/subuser?username=news", key=key)
    never = await api.ask("DELETE", f"{DOMAINS}/999999/subuser?username=news", key=key)

    assert taken.status == never.status == 404
    assert taken.octets == never.octets
    assert api.rights_changed.asked == []


async def test_the_posture_of_the_accounts_own_domain_is_explained(api, key):
    made = await make(api, key)

    posture = await api.ask("GET", f"{DOMAINS}/{made['id']}/posture", key=key)

    assert posture.json["domain"] == "example.com"
    assert {"severity", "subject", "text", "mend"} == set(posture.json["advice"][0])


async def test_links_are_planned_and_validated(api, key, rival):
    made = await api.ask("POST", LINKS, {"domain": "example.com", "subdomain": "click", "default": True}, key=key)
    link = made.json
    assert (made.status, link["dns"]["domain_cname"]["host"]) == (201, "click.example.com")
    assert link["dns"]["owner_cname"]["host"] == f"{link['user_id']}.example.com"
    path = f"{LINKS}/{link['id']}"
    assert not (await api.ask("POST", f"{path}/validate", key=key)).json["valid"]
    publish(api, link)

    valid = await api.ask("POST", f"{path}/validate", key=key)

    assert valid.json["valid"]
    assert (await api.ask("GET", path, key=key)).json["valid"]
    assert (await api.ask("GET", f"{LINKS}/default", key=key)).json["id"] == link["id"]
    assert not (await api.ask("PATCH", path, {"default": False}, key=key)).json["default"]
    assert len((await api.ask("GET", LINKS, key=key)).json) == 1
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, path, key=rival)).status == 404
    repeated = await api.ask("POST", LINKS, {"domain": "example.com", "subdomain": "click"}, key=key)
    assert repeated.status == 400
    assert (await api.ask("DELETE", path, key=key)).status == 204


async def test_a_link_is_not_where_bounces_go(api, key):
    await make(api, key, subdomain="em7")

    refused = await api.ask("POST", LINKS, {"domain": "example.com", "subdomain": "em7"}, key=key)

    assert (refused.status, refused.errors[0][0]) == (400, "subdomain")


async def test_a_sending_address_gets_a_name_that_leads_there_and_back(api, key, rival):
    wish = {"ip": "198.51.100.7", "domain": "example.com", "subdomain": "mta"}
    made = await api.ask("POST", IPS, wish, key=key)
    assert (made.status, made.json["rdns"]) == (201, "o1.mta.example.com")
    path = f"{IPS}/{made.json['id']}"

    async def reason():
        answer = await api.ask("POST", f"{path}/validate", key=key)
        return answer.json["validation_results"]["a_record"]["reason"]

    assert "Failed to resolve A Record at o1.mta.example.com" in await reason()
    api.dns.records["o1.mta.example.com", "A"] = (Address("198.51.100.7"),)
    assert "the PTR record of 198.51.100.7 leads nowhere" in (await reason()).replace("The PTR", "the PTR")
    api.dns.records["7.100.51.198.in-addr.arpa", "PTR"] = (Name("o1.mta.example.com"),)
    assert await reason() is None
    assert (await api.ask("GET", path, key=key)).json["valid"]
    assert [each["id"] for each in (await api.ask("GET", f"{IPS}?ip=198.51", key=key)).json] == [made.json["id"]]
    assert (await api.ask("GET", path, key=rival)).status == 404
    assert (await api.ask("POST", IPS, wish, key=key)).status == 400
    assert (await api.ask("POST", IPS, {**wish, "ip": "203.0.113.9"}, key=key)).status == 400
    assert (await api.ask("DELETE", path, key=key)).status == 204


async def test_a_key_without_the_scope_does_nothing(api, account):
    reader = api.key(account, "whitelabel.read")

    assert (await api.ask("GET", DOMAINS, key=reader)).status == 200
    assert (await api.ask("POST", DOMAINS, {"domain": "example.com"}, key=reader)).status == 403


async def test_a_domain_that_looks_like_anothers_is_held_until_the_operator_approves(api, key, account, rival):
    api.control.domains.add(
        AuthenticatedDomain(
            name="examp1e.org", account_id=api.account("famous"), state=DomainState.PENDING, dkim_keys=(),
            created_at=api.clock.now(),
        )
    )  # fmt: skip
    [famous] = api.control.domains.list_all(api.control.accounts.find_by_name("famous").id)
    api.control.domains.mark_verified(famous.account_id, famous.id, api.clock.now())
    shown = await make(api, key)
    publish(api, shown)

    held = await api.ask("POST", f"{DOMAINS}/{shown['id']}/validate", key=key)
    api.control.reviews.decide(account, shown["domain"], ReviewState.APPROVED, api.clock.now())
    approved = await api.ask("POST", f"{DOMAINS}/{shown['id']}/validate", key=key)

    assert (held.status, approved.status, approved.json["valid"]) == (403, 200, True)
    assert b"examp1e.org" not in held.octets


async def test_a_domain_that_is_proved_again_lets_go_on_what_waited_for_it(api, key, account):
    made = await make(api, key)
    publish(api, made)
    path = f"{DOMAINS}/{made['id']}/validate"
    await api.ask("POST", path, key=key)
    at = api.clock.now()
    api.control.domains.withdraw(account, made["id"])
    api.control.domains.change(account, made["id"], lambda claim: replace(claim, failing_since=at))
    api.rights_changed.trouble = "one worker does not answer"

    unsure = await api.ask("POST", path, key=key)
    api.rights_changed.trouble = ""
    again = await api.ask("POST", path, key=key)
    once_more = await api.ask("POST", path, key=key)

    assert (unsure.status, again.status, once_more.status) == (503, 200, 200)
    assert api.rights_changed.asked == [("settle_domain", account, "example.com", HELD_UNTIL_RETURN)] * 2
    claim = api.control.domains.find_verified("example.com")
    assert (claim.failing_since, claim.account_id) == (None, account)


async def test_a_failing_domain_that_is_not_proved_is_noted_once_its_mail_is_settled(api, key, account):
    made = await make(api, key)
    at = api.clock.now()
    api.control.domains.change(account, made["id"], lambda claim: replace(claim, failing_since=at))
    path = f"{DOMAINS}/{made['id']}/validate"
    api.rights_changed.trouble = "one worker does not answer"

    unsure = await api.ask("POST", path, key=key)
    before = api.control.domains.find(account, "example.com").checked_at
    api.rights_changed.trouble = ""
    again = await api.ask("POST", path, key=key)

    claim = api.control.domains.find(account, "example.com")
    assert (unsure.status, before, again.json["valid"]) == (503, None, False)
    assert (claim.checked_at, claim.failing_since) == (at, at)


async def test_taking_back_that_was_not_certain_is_made_so_when_it_is_asked_again(api, key, subuser):
    made = await make(api, key)
    await api.ask("POST", f"{DOMAINS}/{made['id']}/subuser", {"username": "news"}, key=key)
    path = f"{DOMAINS}/subuser?username=news"
    api.rights_changed.trouble = "one worker does not answer"

    unsure = await api.ask("DELETE", path, key=key)
    api.rights_changed.trouble = ""
    again = await api.ask("DELETE", path, key=key)

    assert (unsure.status, again.status) == (503, 204)
    assert api.rights_changed.asked == [("settle_domain", subuser, "example.com", "domain taken back")] * 2
