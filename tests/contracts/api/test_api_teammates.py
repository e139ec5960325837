"""The people of an account over HTTP: invited, listed, changed, removed; and a person's own names."""

from datetime import timedelta

import pytest
from tests.contracts.api.person import PASSWORD, Person, join

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import Act

PEOPLE = "/v3/teammates"
MANAGE = [f"teammates.{verb}" for verb in ("create", "read", "update", "delete")]


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
async def ann(api, account):
    return await join(api, account)


async def invite(caller, email="new@x.example", scopes=("mail.send",), *, is_admin=False):
    return await caller.ask("POST", PEOPLE, {"email": email, "scopes": list(scopes), "is_admin": is_admin})


def acts(api, account):
    return [entry.event.act for entry in api.control.audit.list_after(account, 0, 1000)]


async def test_somebody_is_invited_by_mail_and_joins_with_just_those_scopes(api, account, ann):
    invited = await invite(ann, "Bob@x.example")
    pending = await ann.ask("GET", f"{PEOPLE}/pending")
    bob = Person(api, "bob")
    joined = await bob.accept(api.mailbox.token())
    await bob.enrol()

    [(to, _, text)] = api.mailbox.letters
    assert (invited.status, to) == (201, "bob@x.example")
    assert invited.json == {
        "token": pending.json["result"][0]["token"], "email": "bob@x.example", "scopes": ["mail.send"],
        "is_admin": False,
    }  # fmt: skip
    assert invited.json["token"] not in text, "what opens the account is not what names the invitation"
    assert pending.json["result"][0]["expiration_date"] == int(api.clock.now().timestamp()) + 7 * 86_400
    assert joined.json["due"] == "enrolment"
    assert (await bob.ask("GET", "/v3/scopes")).json == {"scopes": ["mail.send"]}
    assert (await ann.ask("GET", f"{PEOPLE}/pending")).json == {"result": []}
    assert acts(api, account).count(Act.TEAMMATE_JOINED) == 2


@pytest.mark.parametrize(
    ("wrong", "status", "field"),
    [
        ({"username": "ann"}, 400, "username"),
        ({"username": "a b"}, 400, "username"),
        ({"password": "short"}, 400, "password"),
        ({"password": "bobsbobsbobs1"}, 400, "password"),
        ({"token": "gpi_" + "A" * 43}, 401, "token"),
    ],
)
async def test_an_invitation_that_is_accepted_wrongly_stays_good(api, ann, wrong, status, field):
    await invite(ann, "bob@x.example")
    body = {"token": api.mailbox.token(), "username": "bobs", "password": PASSWORD}

    refused = await api.ask("POST", "/v3/invitations/accept", body | wrong)
    accepted = await api.ask("POST", "/v3/invitations/accept", body)

    assert (refused.status, refused.errors[0][0], accepted.status) == (status, field, 201)


async def test_an_invitation_ends_after_seven_days(api, ann):
    await invite(ann)
    api.clock.instant += timedelta(days=7)

    assert (await Person(api, "bob").accept(api.mailbox.token())).status == 401


async def test_an_invitation_mailed_again_makes_the_first_letter_worthless(api, ann):
    invited = await invite(ann)
    first = api.mailbox.token()

    again = await ann.ask("POST", f"{PEOPLE}/pending/{invited.json['token']}/resend")

    assert (again.status, again.json) == (200, invited.json)
    assert (await Person(api, "bob").accept(first)).status == 401
    assert (await Person(api, "bob").accept(api.mailbox.token())).status == 201


async def test_a_withdrawn_invitation_is_worth_nothing(api, ann):
    invited = await invite(ann)
    path = f"{PEOPLE}/pending/{invited.json['token']}"

    assert (await ann.ask("DELETE", path)).status == 204
    assert (await ann.ask("DELETE", path)).errors == [("pending_key", "invalid pending key")]
    assert (await Person(api, "bob").accept(api.mailbox.token())).status == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "x", "scopes": []}, "email"),
        ({"email": "a@b\r\nBcc: c@d.example", "scopes": []}, "email"),
        ({"email": "a@b.example", "scopes": ["mail.sned"]}, "scopes"),
        ({"email": "ann@x.example", "scopes": []}, "email"),
    ],
)
async def test_what_is_wrong_with_an_invitation_is_told(api, ann, body, field):
    reply = await ann.ask("POST", PEOPLE, body)

    assert (reply.status, reply.errors[0][0]) == (400, field)
    assert api.mailbox.letters == []


@pytest.mark.parametrize(
    ("trouble", "left"), [(Misconfigured("no author"), 0), (Transient("disk full"), 1)], ids=["never", "not now"]
)
async def test_an_invitation_that_cannot_be_mailed_is_told(api, ann, trouble, left):
    api.mailbox.trouble = trouble

    reply = await invite(ann)

    assert reply.status == 503
    assert len((await ann.ask("GET", f"{PEOPLE}/pending")).json["result"]) == left


async def test_an_address_of_another_account_is_invited_like_any_other(api, ann):
    other = await join(api, api.account("globex"), "gil")
    assert (await invite(other, "ann@x.example")).status == 201

    taken = await Person(api, "ann2").accept(api.mailbox.token())

    assert (taken.status, taken.errors[0][0]) == (400, "email")


# ---------------------------------------------------------------- no widening


@pytest.mark.parametrize("by", ["person", "key"])
async def test_nobody_invites_beyond_what_he_holds(api, account, ann, by):
    bob = await join(api, account, "bob", Role.SCOPED, *MANAGE)
    if by == "key":
        bob.token = api.key(account, *MANAGE)
    path = f"{PEOPLE}/ann"

    assert (await invite(bob, scopes=["mail.send"])).errors[0][0] == "scopes"
    assert (await invite(bob, scopes=[], is_admin=True)).status == 403
    assert (await bob.ask("DELETE", path)).status == 403
    assert (await bob.ask("PATCH", path, {"scopes": [], "is_admin": False})).status == 403
    assert (await invite(bob, scopes=["teammates.read"])).status == 201


async def test_a_person_makes_no_key_beyond_his_own_scopes(api, account, ann):
    bob = await join(api, account, "bob", Role.SCOPED, "api_keys.create", "mail.send")

    assert (await bob.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["stats.read"]})).status == 403
    made = await bob.ask("POST", "/v3/api_keys", {"name": "k"})
    assert made.json["scopes"] == ["api_keys.create", "mail.send"]


async def test_an_invitation_beyond_ones_own_rights_is_not_mailed_again(api, account, ann):
    invited = await invite(ann, scopes=[], is_admin=True)
    bob = await join(api, account, "bob", Role.SCOPED, *MANAGE)

    assert (await bob.ask("POST", f"{PEOPLE}/pending/{invited.json['token']}/resend")).status == 403


async def test_changed_rights_end_the_sessions_and_are_made_certain(api, account, ann):
    bob = await join(api, account, "bob", Role.ADMIN)

    changed = await ann.ask("PATCH", f"{PEOPLE}/bob", {"scopes": ["mail.send"], "is_admin": False})

    assert (changed.status, changed.json["scopes"], changed.json["user_type"]) == (200, ["mail.send"], "teammate")
    assert (await bob.ask("GET", "/v3/scopes")).status == 401
    assert ("settle",) in api.rights_changed.asked
    await bob.sign_in()
    assert (await bob.ask("GET", "/v3/scopes")).json == {"scopes": ["mail.send"]}


async def test_a_removed_person_is_gone_at_once_and_his_keys_stay(api, account, ann):
    bob = await join(api, account, "bob", Role.ADMIN)
    key = (await bob.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["stats.read"]})).json["api_key"]

    assert (await ann.ask("DELETE", f"{PEOPLE}/bob")).status == 204

    assert (await bob.ask("GET", "/v3/scopes")).status == 401
    assert (await bob.open()).status == 401
    assert (await api.ask("GET", "/v3/scopes", key=key)).status == 200
    assert (await ann.ask("DELETE", f"{PEOPLE}/bob")).errors == [("username", "username not found")]
    assert Act.TEAMMATE_REMOVED in acts(api, account)


async def test_an_owner_is_neither_changed_nor_removed(api, account, ann):
    bob = await join(api, account, "bob", Role.ADMIN)

    assert (await bob.ask("DELETE", f"{PEOPLE}/ann")).status == 403
    assert (await ann.ask("DELETE", f"{PEOPLE}/ann")).status == 403
    assert (await bob.ask("PATCH", f"{PEOPLE}/bob", {"scopes": [], "is_admin": True})).status == 403


# ---------------------------------------------------------------- shapes


async def test_people_are_listed_a_page_at_a_time(api, account, ann):
    await ann.ask("PATCH", "/v3/user/profile", {"first_name": "Ann", "city": "Bern"})
    api.clock.instant += timedelta(seconds=1)
    await join(api, account, "bob", Role.SCOPED, "mail.send")

    whole = (await ann.ask("GET", PEOPLE)).json["result"]
    part = (await ann.ask("GET", f"{PEOPLE}?limit=1&offset=1")).json["result"]

    assert [each["username"] for each in whole] == ["ann", "bob"]
    assert part == whole[1:]
    assert whole[0] == {
        "username": "ann", "email": "ann@x.example", "first_name": "Ann", "last_name": "", "user_type": "owner",
        "is_admin": True, "phone": "", "website": "", "address": "", "address2": "", "city": "Bern", "state": "",
        "zip": "", "country": "",
    }  # fmt: skip


@pytest.mark.parametrize("query", ["limit=501", "limit=-1", "limit=x", "offset=-1", "offset=²"])
async def test_a_page_that_cannot_be_is_refused(api, ann, query):
    assert (await ann.ask("GET", f"{PEOPLE}?{query}")).status == 400


async def test_one_person_is_shown_with_scopes(api, ann):
    shown = await ann.ask("GET", f"{PEOPLE}/ANN")

    assert set(shown.json["scopes"]) == CATALOGUE
    assert (await ann.ask("GET", f"{PEOPLE}/ann/subuser_access")).json == {
        "has_restricted_subuser_access": False, "subuser_access": [], "_metadata": {"next_params": {}},
    }  # fmt: skip
    assert (await ann.ask("GET", f"{PEOPLE}/nobody")).status == 404


async def test_a_key_is_shown_the_owner(api, account, ann):
    key = api.key(account, "user.profile.read", "user.email.read", "user.username.read", "user.account.read")

    assert (await api.ask("GET", "/v3/user/email", key=key)).json == {"email": "ann@x.example"}
    assert (await api.ask("GET", "/v3/user/username", key=key)).json["username"] == "ann"
    assert set((await api.ask("GET", "/v3/user/profile", key=key)).json) == {
        "address", "address2", "city", "company", "country", "first_name", "last_name", "phone", "state", "website",
        "zip",
    }  # fmt: skip
    assert (await api.ask("GET", "/v3/user/account", key=key)).json == {"type": "paid", "reputation": 100.0}
    assert (await api.ask("PUT", "/v3/user/email", {"email": "b@x.example"}, key=key)).status == 403


async def test_a_profile_is_changed_in_parts(api, ann):
    await ann.ask("PATCH", "/v3/user/profile", {"company": "Acme", "city": "Bern"})

    changed = await ann.ask("PATCH", "/v3/user/profile", {"city": "", "last_name": "Lee"})

    assert {name: value for name, value in changed.json.items() if value} == {"company": "Acme", "last_name": "Lee"}
    assert (await ann.ask("PATCH", "/v3/user/profile", {"city": "a\nb"})).errors[0][0] == "city"


async def test_a_user_name_is_changed_under_a_new_token_and_other_sessions_end(api, account, ann):
    other = Person(api)
    other.secret = ann.secret
    await other.sign_in()
    await join(api, account, "bob", Role.ADMIN)
    before = ann.token

    refused = await ann.ask("PUT", "/v3/user/username", {"username": "bob"})
    malformed = await ann.ask("PUT", "/v3/user/username", {"username": "a@b"})
    changed = await ann.ask("PUT", "/v3/user/username", {"username": "ANN.lee"})

    assert [(each.status, each.errors[0][0]) for each in (refused, malformed)] == [(400, "username")] * 2
    assert (changed.status, changed.json["username"]) == (200, "ann.lee")
    ann.token = changed.json["session"]["session_token"]
    assert (await ann.ask("GET", "/v3/user/username")).json["username"] == "ann.lee"
    assert (await ann.ask("GET", "/v3/scopes", token=before)).status == 401
    assert (await other.ask("GET", "/v3/scopes")).status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"new_password": "seven-purple-anvils", "old_password": PASSWORD}, 200),
        ({"new_password": "seven-purple-anvils", "old_password": "wrong"}, 401),
        ({"new_password": "seven-purple-anvils"}, 401),
        ({"new_password": "ann@x.example", "old_password": PASSWORD}, 400),
    ],
)
async def test_a_password_is_changed_by_who_knows_the_old_one(api, ann, body, status):
    reply = await ann.ask("PUT", "/v3/user/password", body)

    assert reply.status == status
    assert (await ann.open()).status == (401 if status == 200 else 201)
