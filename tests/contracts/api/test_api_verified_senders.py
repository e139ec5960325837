"""``/v3/verified_senders``: addresses proved one by one, as the door judges them afterwards."""

from datetime import timedelta

import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.standards.dns.records import TXT
from gatepost.tenancy.senders.single_sender import SenderState

PATH = "/v3/verified_senders"
MANAGE = [f"whitelabel.{verb}" for verb in ("create", "read", "update", "delete")]
WANTED = {"nickname": "Ann", "from_email": "ann@gmail.test", "reply_to": "ann@gmail.test", "city": "Bern"}


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def manager(api, account):
    return api.key(account, *MANAGE, "mail.send")


async def add(api, key, **other):
    return await api.ask("POST", PATH, WANTED | other, key=key)


async def verify(api, key, token=None):
    return await api.ask("GET", f"{PATH}/verify/{token or api.mailbox.token()}", key=key)


async def send(api, key, author="ann@gmail.test"):
    body = {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": author},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }
    return (await api.ask("POST", "/v3/mail/send", body, key=key)).status


def acts_of(api, account):
    return [
        each.event.act.value
        for each in api.control.audit.list_after(account, 0, 100)
        if "sender" in each.event.act.value
    ]


async def test_an_address_is_added_proved_and_used(api, account, manager):
    made = await add(api, manager)
    before = await send(api, manager)
    proved = await verify(api, manager)

    assert made.status == 201
    assert made.json == {
        "id": made.json["id"], "nickname": "Ann", "from_email": "ann@gmail.test", "from_name": "",
        "reply_to": "ann@gmail.test", "reply_to_name": "", "address": "", "address2": "", "state": "", "city": "Bern",
        "zip": "", "country": "", "verified": False, "locked": False,
    }  # fmt: skip
    assert [to for to, _, _ in api.mailbox.letters] == ["ann@gmail.test"]
    assert (before, proved.status, proved.octets) == (403, 204, b"")
    assert await send(api, manager) == 202
    [listed] = (await api.ask("GET", PATH, key=manager)).json["results"]
    assert listed == made.json | {"verified": True}


@pytest.mark.parametrize("author", ["Ann@gmail.test", "bob@gmail.test", "ann+x@gmail.test", "ann@x.gmail.test"])
async def test_nothing_but_the_exact_address_may_be_used(api, manager, author):
    await add(api, manager)
    await verify(api, manager)

    assert await send(api, manager, author) == 403


async def test_a_token_is_good_once(api, manager):
    await add(api, manager)

    statuses = [(await verify(api, manager)).status for _ in range(2)]

    assert statuses == [204, 404]


async def test_a_token_ends_after_two_days(api, manager):
    await add(api, manager)
    api.clock.instant += timedelta(hours=48)

    assert (await verify(api, manager)).status == 404
    assert await send(api, manager) == 403


@pytest.mark.parametrize("token", ["x", "gpv_", "gpr_" + "A" * 43, "gpv_" + "A" * 43])
async def test_a_token_that_was_never_made_is_unknown(api, manager, token):
    await add(api, manager)

    reply = await verify(api, manager, token)

    assert reply.status == 404
    assert reply.json["errors"] == [
        {
            "message": "the token is unknown, used already, or expired",
            "field": None,
            "help": None,
            "error_id": "not_found",
        }
    ]


async def test_whoever_follows_the_link_without_a_credential_burns_nothing(api, manager):
    await add(api, manager)

    followed = await verify(api, "")
    stranger = await verify(api, api.key(api.account("rival"), *MANAGE))

    assert (followed.status, stranger.status) == (401, 404)
    assert (await verify(api, manager)).status == 204


async def test_another_token_makes_the_one_before_worthless(api, manager):
    number = (await add(api, manager)).json["id"]
    first = api.mailbox.token()

    resent = await api.ask("POST", f"{PATH}/resend/{number}", key=manager)

    assert resent.status == 204
    assert (await verify(api, manager, first)).status == 404
    assert (await verify(api, manager)).status == 204
    assert (await api.ask("POST", f"{PATH}/resend/{number}", key=manager)).status == 400


async def test_strangers_are_not_flooded_with_letters(api, manager):
    number = (await add(api, manager)).json["id"]
    replies = [await api.ask("POST", f"{PATH}/resend/{number}", key=manager) for _ in range(5)]

    assert [reply.status for reply in replies] == [204] * 4 + [429]
    assert int(replies[-1].headers["retry-after"]) > 3600
    assert len(api.mailbox.letters) == 5
    rival = api.key(api.account("rival"), *MANAGE)
    assert (await add(api, rival, from_email="ANN@gmail.test")).status == 429


async def test_another_address_must_be_proved_anew(api, account, manager):
    number = (await add(api, manager)).json["id"]
    await verify(api, manager)

    changed = await api.ask("PATCH", f"{PATH}/{number}", {"from_email": "eve@gmail.test"}, key=manager)

    assert changed.json["verified"] is False
    assert api.rights_changed.asked == [("settle_address", account, "ann@gmail.test", "single sender removed")]
    assert [await send(api, manager, author) for author in ("ann@gmail.test", "eve@gmail.test")] == [403, 403]
    await verify(api, manager)
    assert await send(api, manager, "eve@gmail.test") == 202


async def test_what_a_sender_says_of_itself_needs_no_new_proof(api, manager):
    number = (await add(api, manager)).json["id"]
    await verify(api, manager)

    changed = await api.ask("PATCH", f"{PATH}/{number}", {"nickname": "Anna"}, key=manager)

    assert (changed.json["nickname"], changed.json["city"], changed.json["verified"]) == ("Anna", "Bern", True)
    assert (len(api.mailbox.letters), api.rights_changed.asked) == (1, [])


async def test_a_sender_that_is_removed_is_so_on_every_worker(api, account, manager):
    number = (await add(api, manager)).json["id"]
    await verify(api, manager)

    removed = await api.ask("DELETE", f"{PATH}/{number}", key=manager)

    assert removed.status == 204
    assert api.rights_changed.asked == [("settle_address", account, "ann@gmail.test", "single sender removed")]
    assert await send(api, manager) == 403
    assert (await api.ask("DELETE", f"{PATH}/{number}", key=manager)).status == 404
    assert acts_of(api, account) == ["sender_added", "sender_verified", "sender_withdrawn", "sender_removed"]


async def test_a_removal_that_was_not_certain_is_finished_when_it_is_asked_again(api, account, manager):
    number = (await add(api, manager)).json["id"]
    await verify(api, manager)
    api.rights_changed.trouble = "worker 1 does not answer"

    first = await api.ask("DELETE", f"{PATH}/{number}", key=manager)
    refused = await send(api, manager)
    api.rights_changed.trouble = ""
    second = await api.ask("DELETE", f"{PATH}/{number}", key=manager)

    assert (first.status, refused, second.status) == (503, 403, 204)
    assert api.rights_changed.asked == [("settle_address", account, "ann@gmail.test", "single sender removed")] * 2


async def test_a_sender_that_was_never_proved_is_removed_without_a_hold(api, manager):
    number = (await add(api, manager)).json["id"]

    assert (await api.ask("DELETE", f"{PATH}/{number}", key=manager)).status == 204
    assert api.rights_changed.asked == []


async def test_in_a_domain_of_the_account_an_address_is_verified_at_once_while_it_is(api, account, manager):
    api.claims.holders["acme.example"] = account

    made = await add(api, manager, from_email="ann@news.acme.example")
    api.claims.holders.clear()
    [later] = (await api.ask("GET", PATH, key=manager)).json["results"]

    assert (made.status, made.json["verified"], later["verified"]) == (201, True, False)
    assert api.mailbox.letters == []
    [stored] = api.control.senders.list_after(account, 0, 10)
    assert stored.state is SenderState.PENDING


async def test_an_address_in_another_tenants_domain_is_proved_and_still_refused(api, manager):
    await add(api, manager, from_email="ann@rival.example")
    await verify(api, manager)
    assert await send(api, manager, "ann@rival.example") == 202

    api.claims.holders["rival.example"] = api.account("rival")

    assert await send(api, manager, "ann@rival.example") == 403


WARNINGS = {
    "a policy of reject": ("ann@strict.test", {"_dmarc.strict.test": "v=DMARC1; p=reject"}, "refuse most mail"),
    "a policy of quarantine": ("ann@strict.test", {"_dmarc.strict.test": "v=DMARC1; p=quarantine"}, "junk"),
    "a policy of none": ("ann@lax.test", {"_dmarc.lax.test": "v=DMARC1; p=none"}, None),
    "no policy": ("ann@lax.test", {}, None),
    "a provider that the DNS says nothing of": ("ann@yahoo.com", {"_dmarc.yahoo.com": None}, "refuse most mail"),
    "a provider with no strict policy": ("ann@gmail.com", {"_dmarc.gmail.com": "v=DMARC1; p=none"}, "junk"),
}


@pytest.mark.parametrize(("email", "texts", "words"), WARNINGS.values(), ids=WARNINGS)
async def test_the_answer_warns_of_what_receivers_will_do(api, manager, email, texts, words):
    api.dns.records = {(name, "TXT"): text and (TXT(text.encode()),) for name, text in texts.items()}

    made = await add(api, manager, from_email=email)

    assert made.status == 201
    assert ("warning" in made.json) is (words is not None)
    assert words is None or words in made.json["warning"]


async def test_the_providers_are_listed(api, manager):
    results = (await api.ask("GET", f"{PATH}/domains", key=manager)).json["results"]

    assert "gmail.com" in results["soft_failures"]
    assert "yahoo.com" in results["hard_failures"]
    assert not set(results["soft_failures"]) & set(results["hard_failures"])


async def test_the_steps_tell_how_far_an_account_has_come(api, manager):
    steps = []
    for step in (None, add, verify):
        if step:
            await step(api, manager)
        steps.append((await api.ask("GET", f"{PATH}/steps_completed", key=manager)).json["results"])

    assert [each["sender_verified"] for each in steps] == [False, False, True]
    assert not any(each["domain_verified"] for each in steps)


async def test_a_list_is_read_page_by_page(api, manager):
    numbers = [(await add(api, manager, from_email=f"a{count}@gmail.test")).json["id"] for count in range(3)]

    async def ask(query):
        return [each["id"] for each in (await api.ask("GET", f"{PATH}?{query}", key=manager)).json["results"]]

    assert await ask("limit=2") == numbers[:2]
    assert await ask(f"limit=2&lastSeenID={numbers[1]}") == numbers[2:]
    assert await ask(f"id={numbers[1]}") == [numbers[1]]
    assert await ask("id=2147483647") == []
    assert (await api.ask("GET", f"{PATH}?limit=x", key=manager)).status == 400


WRONG = {
    "no nickname": ({"nickname": ""}, "nickname", "required"),
    "too long a nickname": ({"nickname": "x" * 101}, "nickname", "too_long"),
    "too long a state": ({"state": "abc"}, "state", "too_long"),
    "no address": ({"from_email": "ann"}, "from_email", "invalid"),
    "an address literal": ({"from_email": "ann@[192.0.2.1]"}, "from_email", "invalid"),
    "two addresses": ({"from_email": "a@b.test,c@d.test"}, "from_email", "invalid"),
    "a line end": ({"from_name": "Ann\r\nBcc: x@y.test"}, "from_name", "invalid"),
    "no reply address": ({"reply_to": "x"}, "reply_to", "invalid"),
}


@pytest.mark.parametrize(("other", "field", "error_id"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_told_by_field(api, manager, other, field, error_id):
    reply = await add(api, manager, **other)

    assert reply.status == 400
    assert [(each["field"], each["error_id"]) for each in reply.json["errors"]] == [(field, error_id)]
    assert api.mailbox.letters == []


async def test_the_same_address_twice_is_refused(api, manager):
    await add(api, manager)

    reply = await add(api, manager)

    assert reply.status == 400
    assert reply.errors == [("from_email", "already exists")]


async def test_two_accounts_can_prove_one_address(api, manager):
    rival = api.key(api.account("rival"), *MANAGE, "mail.send")
    for key in (manager, rival):
        await add(api, key)
        assert (await verify(api, key)).status == 204

    assert [await send(api, key) for key in (manager, rival)] == [202, 202]


async def test_a_letter_that_cannot_be_queued_is_told(api, manager):
    api.mailbox.trouble = Misconfigured("set `author` in [system_mail]")

    assert (await add(api, manager)).status == 503
