"""A person's e-mail address: the new one counts once a token mailed to it has come back, in the session that asked."""

from datetime import timedelta

import pytest
from tests.contracts.api.person import PASSWORD, Person, join
from tests.support.authenticator import SoftwarePasskey

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.tenancy.accounts.membership import recover
from gatepost.tenancy.accounts.person_ports import AddressRefused
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import SERVICE, Act

EMAIL, CONFIRM = "/v3/user/email", "/v3/user/email/confirm"
NEW = "lee@x.example"


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
async def ann(api, account):
    return await join(api, account)


async def request(person, email=NEW):
    """Ask for another address; return the token that was mailed to it."""
    reply = await person.ask("PUT", EMAIL, {"email": email})
    assert reply.status == 202, reply.octets
    return person.api.mailbox.token()


async def confirm(person, token):
    reply = await person.ask("POST", CONFIRM, {"token": token})
    if reply.status == 200:
        person.token = reply.json["session"]["session_token"]
    return reply


async def second_session(ann):
    other = Person(ann.api)
    other.secret = ann.secret
    await other.sign_in()
    return other


async def test_the_old_address_counts_until_the_new_one_is_proved(api, ann):
    reply = await ann.ask("PUT", EMAIL, {"email": NEW.upper()})
    before = (await ann.ask("GET", EMAIL)).json["email"]
    changed = await confirm(ann, api.mailbox.token())

    assert (reply.status, reply.json) == (
        202, {"email": "ann@x.example", "pending_email": NEW, "expires_at": int(api.clock.now().timestamp()) + 3600},
    )  # fmt: skip
    assert [to for to, _, _ in api.mailbox.letters] == [NEW]
    assert before == "ann@x.example"
    assert (changed.status, changed.json["email"]) == (200, NEW)
    assert (await ann.ask("GET", EMAIL)).json["email"] == NEW
    assert (await api.ask("POST", "/v3/sessions", {"username": "ann@x.example", "password": PASSWORD})).status == 401
    assert (await api.ask("POST", "/v3/sessions", {"username": NEW, "password": PASSWORD})).status == 201


async def test_a_changed_address_ends_other_sessions_and_the_token_before(api, ann):
    other = await second_session(ann)
    token, before = await request(ann), ann.token

    await confirm(ann, token)

    assert (await ann.ask("GET", "/v3/scopes", token=before)).status == 401
    assert (await other.ask("GET", "/v3/scopes")).status == 401


async def test_a_token_is_good_once(ann):
    token = await request(ann)

    assert [(await confirm(ann, token)).status for _ in range(2)] == [200, 401]


async def test_a_token_is_good_for_an_hour(api, ann):
    token = await request(ann)
    for _ in range(3):
        api.clock.instant += timedelta(minutes=20)
        await ann.ask("GET", "/v3/scopes")
    await ann.show(code=ann.code())

    assert (await confirm(ann, token)).errors == [
        ("token", "the token is unknown, used already, or expired: have another one sent")
    ]


async def test_only_the_last_token_is_good(ann):
    first = await request(ann)
    second = await request(ann)

    assert [(await confirm(ann, token)).status for token in (first, second)] == [401, 200]


async def test_a_token_is_worth_nothing_in_the_hands_of_another_person(api, account, ann):
    bob = await join(api, account, "bob", Role.ADMIN)
    token = await request(ann)

    assert (await confirm(bob, token)).status == 401
    assert (await confirm(ann, token)).status == 200


async def test_a_token_is_worth_nothing_in_another_session_of_the_same_person(ann):
    other = await second_session(ann)
    token = await request(ann)

    assert (await confirm(other, token)).status == 401
    assert (await confirm(ann, token)).status == 200


async def end_session(ann):
    await ann.ask("DELETE", "/v3/sessions")


async def change_password(ann):
    changed = await ann.ask("PUT", "/v3/user/password", {"new_password": "six-amber-kites", "old_password": PASSWORD})
    ann.keep(changed)
    ann.password = "six-amber-kites"


async def enrol_passkey(ann):
    begun = await ann.ask("POST", "/v3/user/factors/passkeys")
    made = {"name": "key", "credential": SoftwarePasskey().create(begun.json["public_key"])}
    ann.token = (await ann.ask("PUT", "/v3/user/factors/passkeys", made)).json["session"]["session_token"]


async def be_recovered(ann):
    recover(ann.api.control.people_tools, ann.api.control.people_stores.teammates.resolve("ann"), SERVICE)


async def rename(ann):
    changed = await ann.ask("PUT", "/v3/user/username", {"username": "lee"})
    ann.token = changed.json["session"]["session_token"]


@pytest.mark.parametrize("act", [end_session, change_password, enrol_passkey, be_recovered, rename])
async def test_what_changes_the_person_or_ends_the_session_makes_the_token_worthless(api, ann, act):
    token = await request(ann)

    await act(ann)

    assert (await confirm(ann, token)).status == 401
    assert api.control.people_stores.teammates.resolve("ann@x.example") is not None


async def test_both_steps_ask_for_a_fresh_factor(api, ann):
    token = await request(ann)
    api.clock.instant += timedelta(minutes=10)

    stale = [await ann.ask("PUT", EMAIL, {"email": NEW}), await confirm(ann, token)]
    await ann.show(code=ann.code())

    assert [each.status for each in stale] == [403, 403]
    assert (await confirm(ann, token)).status == 200


async def test_whether_somebody_has_the_address_is_told_only_to_who_reads_it(api, ann):
    await join(api, api.account("other"), "bob")

    token = await request(ann, "bob@x.example")
    taken = await confirm(ann, token)

    assert (taken.status, taken.errors) == (400, [("email", "email is already in use")])
    assert (await ann.ask("GET", EMAIL)).json["email"] == "ann@x.example"


@pytest.mark.parametrize("email", ["", "a@b@c", "ann@[192.0.2.1]", "a" * 250 + "@x.example"])
async def test_what_is_no_address_is_refused_and_nothing_is_mailed(api, ann, email):
    reply = await ann.ask("PUT", EMAIL, {"email": email})

    assert (reply.status, reply.errors[0][0], api.mailbox.letters) == (400, "email", [])


@pytest.mark.parametrize("trouble", [Misconfigured("set `author` in [system_mail]"), Transient("disk full")])
async def test_without_a_letter_nothing_changes(api, ann, trouble):
    api.mailbox.trouble = trouble

    reply = await ann.ask("PUT", EMAIL, {"email": NEW})

    assert reply.status == 503
    assert (await ann.ask("GET", EMAIL)).json["email"] == "ann@x.example"


async def test_an_address_that_takes_no_mail_is_said_to_take_none(api, ann):
    api.mailbox.trouble = AddressRefused("recipient not routable")

    reply = await ann.ask("PUT", EMAIL, {"email": NEW})

    assert (reply.status, reply.errors[0][0]) == (400, "email")


async def test_five_letters_a_day_go_to_one_address(api, ann):
    for _ in range(5):
        await request(ann)

    refused = await ann.ask("PUT", EMAIL, {"email": NEW})

    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 80_000
    assert len(api.mailbox.letters) == 5


async def test_both_steps_are_in_the_audit_log_and_the_token_is_not(api, account, ann):
    token = await request(ann)
    await confirm(ann, token)

    entries = [each.event for each in api.control.audit.list_after(account, 0, 1000)]
    asked, changed = [each for each in entries if each.act in {Act.EMAIL_CHANGE_REQUESTED, Act.EMAIL_CHANGED}]
    assert (asked.act, asked.after["email"]) == (Act.EMAIL_CHANGE_REQUESTED, NEW)
    assert (changed.before["email"], changed.after["email"]) == ("ann@x.example", NEW)
    assert "gpe_" not in str(entries)


async def test_at_rest_there_is_a_hash_of_the_token(api, ann, tmp_path):
    token = await request(ann)

    held = b"".join(path.read_bytes() for path in tmp_path.glob("control.db*"))
    assert NEW.encode() in held
    assert token.encode() not in held
    assert token.removeprefix("gpe_").encode() not in held
