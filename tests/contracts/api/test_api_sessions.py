"""Signing in over HTTP: no way to a session goes round the second factor, and every proof is good once."""

from datetime import timedelta

import pytest
from tests.contracts.api.person import PASSWORD, Person, join
from tests.support.authenticator import SoftwarePasskey

from gatepost.entrypoints.api.operation import NOBODY
from gatepost.primitives.ids import TeammateId
from gatepost.tenancy.access.person import CallerKind
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.console_session import Step
from gatepost.tenancy.accounts.membership import recover
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import SERVICE, Act


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
async def ann(api, account):
    return await join(api, account)


def teammate(api, username="ann"):
    return api.control.people_stores.teammates.resolve(username)


def acts(api, account):
    return [entry.event.act for entry in api.control.audit.list_after(account, 0, 1000)]


# ---------------------------------------------------------------- the way in


async def test_a_person_joins_enrols_and_is_signed_in(api, account):
    _, token = api.people.inviting.invite(account, "ann@x.example", Role.ADMIN, frozenset(), SERVICE)
    ann = Person(api)

    joined = await ann.accept(token.reveal())
    enrolled = await ann.enrol()

    assert (joined.status, joined.json["due"]) == (201, "enrolment")
    assert enrolled.json["session"]["due"] is None
    assert len(set(ann.codes)) == 10
    assert (await ann.ask("GET", "/v3/user/username")).json["username"] == "ann"
    assert (await ann.ask("GET", "/v3/user/email")).json == {"email": "ann@x.example"}


async def test_password_and_code_sign_in(api, ann):
    opened = await ann.open()
    first = ann.token
    api.clock.instant += timedelta(seconds=30)
    shown = await ann.show(code=ann.code())

    assert (opened.status, opened.json["due"]) == (201, "factor")
    assert (shown.status, shown.json["due"]) == (200, None)
    assert shown.json["session_id"] == opened.json["session_id"]
    assert (await ann.ask("GET", "/v3/scopes", token=first)).status == 401, "the token from before the proof is dead"
    assert (await ann.ask("GET", "/v3/scopes")).status == 200


async def test_the_address_signs_in_as_the_user_name_does(api, ann):
    ann.username = "Ann@X.example"

    assert (await ann.open()).status == 201


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("ann", "tin-lantern-oboe-48", id="wrong password"),
        pytest.param("nobody", PASSWORD, id="unknown name"),
        pytest.param("nobody@x.example", PASSWORD, id="unknown address"),
        pytest.param("ann", "", id="empty"),
    ],
)
async def test_who_is_not_let_in_is_not_told_why_and_costs_one_argon2(api, ann, username, password):
    api.hasher.verified = 0

    reply = await api.ask("POST", "/v3/sessions", {"username": username, "password": password})

    assert (reply.status, reply.errors) == (401, [(None, "the user name or the password is wrong")])
    assert api.hasher.verified == 1


async def test_a_person_who_has_no_password_costs_one_argon2_too(api, ann):
    recover(api.control.people_tools, teammate(api), SERVICE)
    api.hasher.verified = 0

    reply = await ann.open()

    assert (reply.status, api.hasher.verified) == (401, 1)


# ---------------------------------------------------------------- nothing goes round the factor


async def ways(api, account):
    """Every way to begin a session: what it takes, and the step that is due in it."""
    ann = await join(api, account, "ann")
    yield "password", await ann.open(), Step.FACTOR
    await api.ask("POST", "/v3/password_resets", {"username": "ann"})
    await settle_resets(api)
    redeemed = await api.ask("POST", "/v3/password_resets/redeem", {"token": api.mailbox.token()})
    yield "reset by mail", redeemed, Step.FACTOR
    recovered = await join(api, account, "bob", Role.ADMIN)
    token = recover(api.control.people_tools, teammate(api, "bob"), SERVICE)
    yield (
        "operator's token",
        await api.ask("POST", "/v3/password_resets/redeem", {"token": token.reveal()}),
        Step.PASSWORD,
    )
    assert (await recovered.ask("GET", "/v3/scopes")).status == 401, "what was open before is closed"
    _, invitation = api.people.inviting.invite(account, "cid@x.example", Role.ADMIN, frozenset(), SERVICE)
    cid = Person(api, "cid")
    yield "invitation", await cid.accept(invitation.reveal()), Step.ENROLMENT
    yield "password before a factor is enrolled", await cid.open(), Step.ENROLMENT


async def settle_resets(api):
    while api.token_entries.under_way:
        await next(iter(api.token_entries.under_way))


async def test_every_way_to_a_session_ends_where_something_is_due_and_opens_nothing_else(api, account):
    begin = {operation.name for operation in api.operations() if operation.callers == NOBODY}
    seen = set()
    async for way, reply, step in ways(api, account):
        seen.add(way)
        assert (way, reply.status, reply.json["due"]) == (way, 201, step.value)
        for operation in api.operations():
            if CallerKind.PERSON not in operation.callers or step in operation.steps:
                continue
            path = operation.path.replace("{", "").replace("}", "")
            answer = await api.ask(operation.method, path, {}, key=reply.json["session_token"], app=api.built)
            assert (way, operation.name, answer.status) == (way, operation.name, 403)
            assert (
                step.value in answer.errors[0][1] or "due" in answer.errors[0][1] or "enrolled" in answer.errors[0][1]
            )

    assert begin == {"OpenSession", "RequestPasswordReset", "RedeemPasswordReset", "AcceptInvitation"}
    assert len(seen) == 5


@pytest.mark.parametrize("step", list(Step))
def test_what_an_unfinished_session_may_do_is_only_its_next_step(api, step):
    allowed = {operation.name for operation in api.operations() if step in operation.steps}

    assert allowed == {
        Step.FACTOR: {"EndSession", "ShowFactor", "BeginPasskey"},
        Step.PASSWORD: {"EndSession", "UpdatePassword"},
        Step.ENROLMENT: {
            "EndSession", "ListFactors", "BeginTotp", "ConfirmTotp", "BeginPasskeyEnrolment", "EnrolPasskey",
        },
    }[step]  # fmt: skip


def test_a_session_never_sends_mail_and_a_key_never_signs_in(api):
    callers = {operation.name: operation.callers for operation in api.operations()}

    assert callers["SendMail"] == {CallerKind.KEY}
    assert all(CallerKind.KEY not in callers[name] for name in ("UpdatePassword", "BeginTotp", "UpdateEmail"))


async def test_mail_send_refuses_a_session(api, ann):
    assert (await ann.ask("POST", "/v3/mail/send", {})).errors == [
        (None, "access forbidden: this takes an API key, not a session")
    ]


async def test_a_reset_asks_for_the_factor_and_then_for_a_new_password(api, ann):
    await api.ask("POST", "/v3/password_resets", {"username": "ann@x.example"})
    await settle_resets(api)
    api.clock.instant += timedelta(seconds=30)
    other = Person(api)
    other.secret = ann.secret

    other.keep(await api.ask("POST", "/v3/password_resets/redeem", {"token": api.mailbox.token()}))
    proved = await other.show(code=other.code())
    short = await other.ask("PUT", "/v3/user/password", {"new_password": "short"})
    changed = other.keep(await other.ask("PUT", "/v3/user/password", {"new_password": "seven-purple-anvils"}))

    assert proved.json["due"] == "password"
    assert (short.status, short.errors[0][0]) == (400, "new_password")
    assert changed.json["due"] is None
    assert (await ann.ask("GET", "/v3/scopes")).status == 401, "other sessions end with the old password"
    assert (await ann.open()).status == 401
    assert (await ann.open("seven-purple-anvils")).status == 201


async def test_a_reset_is_answered_alike_whether_or_not_there_is_such_a_person(api, ann):
    known = await api.ask("POST", "/v3/password_resets", {"username": "ann"})
    unknown = await api.ask("POST", "/v3/password_resets", {"username": "nobody"})
    await settle_resets(api)

    assert (known.status, known.octets) == (unknown.status, unknown.octets) == (202, b"")
    assert [to for to, _, _ in api.mailbox.letters] == ["ann@x.example"]


async def test_no_reset_is_mailed_to_whoever_has_no_factor(api, account):
    _, token = api.people.inviting.invite(account, "ann@x.example", Role.ADMIN, frozenset(), SERVICE)
    await Person(api).accept(token.reveal())

    await api.ask("POST", "/v3/password_resets", {"username": "ann"})
    await settle_resets(api)

    assert api.mailbox.letters == []


@pytest.mark.parametrize("after", [timedelta(hours=1), timedelta(0)], ids=["expired", "used"])
async def test_a_reset_token_is_good_once_and_for_an_hour(api, ann, after):
    await api.ask("POST", "/v3/password_resets", {"username": "ann"})
    await settle_resets(api)
    token = {"token": api.mailbox.token()}
    if not after:
        assert (await api.ask("POST", "/v3/password_resets/redeem", token)).status == 201
    api.clock.instant += after

    assert (await api.ask("POST", "/v3/password_resets/redeem", token)).status == 401


async def test_a_recovered_person_begins_anew_and_nothing_old_works(api, account, ann):
    token = recover(api.control.people_tools, teammate(api), SERVICE)
    old = Person(api)
    assert (await old.open()).status == 401
    ann.keep(await api.ask("POST", "/v3/password_resets/redeem", {"token": token.reveal()}))
    ann.password = "seven-purple-anvils"

    changed = ann.keep(await ann.ask("PUT", "/v3/user/password", {"new_password": ann.password}))
    assert changed.json["due"] == "enrolment"
    old_codes = list(ann.codes)
    await ann.enrol()

    assert set(ann.codes).isdisjoint(old_codes)
    assert (await ann.ask("GET", "/v3/scopes")).status == 200
    assert Act.TEAMMATE_RECOVERED in acts(api, account)


async def test_recovering_again_makes_the_first_token_and_what_it_began_worthless(api, ann):
    person = teammate(api)
    first = recover(api.control.people_tools, person, SERVICE)
    ann.keep(await api.ask("POST", "/v3/password_resets/redeem", {"token": first.reveal()}))
    ann.keep(await ann.ask("PUT", "/v3/user/password", {"new_password": "seven-purple-anvils"}))
    second = recover(api.control.people_tools, person, SERVICE)
    assert (await ann.ask("POST", "/v3/user/factors/totp")).status == 401, "recovering ends the session of before"
    third = recover(api.control.people_tools, person, SERVICE)
    assert (await api.ask("POST", "/v3/password_resets/redeem", {"token": second.reveal()})).status == 401

    reply = await api.ask("POST", "/v3/password_resets/redeem", {"token": third.reveal()})
    assert reply.json["due"] == "password"


async def test_of_two_sessions_without_a_factor_only_the_first_enrols(api, account):
    _, token = api.people.inviting.invite(account, "ann@x.example", Role.ADMIN, frozenset(), SERVICE)
    ann, thief = Person(api), Person(api)
    await ann.accept(token.reveal())
    await thief.open()
    begun = await thief.ask("POST", "/v3/user/factors/totp")
    thief.secret = begun.json["secret"]
    await ann.enrol()

    late = await thief.ask("PUT", "/v3/user/factors/totp", {"code": thief.code()})

    assert late.status == 401


# ---------------------------------------------------------------- factors


async def test_a_code_is_good_once_and_so_is_every_earlier_one(api, ann):
    await ann.open()
    api.clock.instant += timedelta(seconds=30)
    code, earlier = ann.code(), ann.code(-1)
    assert (await ann.show(code=code)).status == 200

    for used in (code, earlier):
        await ann.open()
        assert (await ann.show(code=used)).status == 401


@pytest.mark.parametrize(("steps", "status"), [(0, 200), (1, 200), (-1, 401), (2, 401), (-2, 401)])
async def test_a_code_of_the_next_step_is_taken_and_none_further_away(api, ann, steps, status):
    # The code of one step before was used to enrol.
    await ann.open()
    api.clock.instant += timedelta(seconds=30)

    assert (await ann.show(code=ann.code(steps))).status == status


async def test_a_code_of_another_time_is_said_to_be_one(api, ann):
    await ann.open()

    assert (await ann.show(code=ann.code(7))).errors[0][0] == "code"


async def test_a_recovery_code_signs_in_once_however_it_is_written(api, ann):
    await ann.open()
    code = ann.codes[0].upper().replace("-", " ")
    assert (await ann.show(recovery_code=code)).status == 200
    left = (await ann.ask("GET", "/v3/user/factors")).json["recovery_codes_left"]

    await ann.open()
    again = await ann.show(recovery_code=code)

    assert (left, again.status) == (9, 401)


async def test_new_recovery_codes_make_the_old_ones_worthless(api, ann):
    made = await ann.ask("POST", "/v3/user/recovery_codes")
    await ann.open()

    assert (await ann.show(recovery_code=ann.codes[0])).status == 401
    assert (await ann.show(recovery_code=made.json["recovery_codes"][0])).status == 200


@pytest.mark.parametrize("proof", [{}, {"code": "1", "recovery_code": "2"}])
async def test_exactly_one_proof_is_shown_at_a_time(api, ann, proof):
    await ann.open()

    assert (await ann.show(**proof)).status == 400


async def enrol_passkey(person, passkey):
    begun = await person.ask("POST", "/v3/user/factors/passkeys")
    credential = passkey.create(begun.json["public_key"])
    reply = await person.ask("PUT", "/v3/user/factors/passkeys", {"name": "key", "credential": credential})
    if reply.status == 200:
        person.token = reply.json["session"]["session_token"]
    return reply


async def test_a_passkey_is_enrolled_and_used(api, ann):
    passkey = SoftwarePasskey()
    assert (await enrol_passkey(ann, passkey)).status == 200
    await ann.open()
    options = (await ann.ask("POST", "/v3/sessions/passkey")).json["public_key"]
    assertion = passkey.get(options)
    shown = await ann.show(passkey=assertion)
    again = await ann.show(passkey=assertion)

    assert (shown.status, again.status) == (200, 401)
    [listed] = (await ann.ask("GET", "/v3/user/factors")).json["passkeys"]
    assert (listed["name"], listed["last_used_at"]) == ("key", int(api.clock.now().timestamp()))


@pytest.mark.parametrize(
    "passkey",
    [
        pytest.param(SoftwarePasskey("https://evil.test"), id="another origin"),
        pytest.param(SoftwarePasskey(verifies_user=False), id="user not verified"),
    ],
)
async def test_a_passkey_of_another_place_or_an_unverified_user_is_not_enrolled(api, ann, passkey):
    assert (await enrol_passkey(ann, passkey)).status == 401


async def test_a_passkey_whose_counter_went_back_is_refused(api, ann):
    passkey = SoftwarePasskey()
    passkey.count = 5
    await enrol_passkey(ann, passkey)
    await ann.open()
    options = (await ann.ask("POST", "/v3/sessions/passkey")).json["public_key"]
    passkey.count = 3

    assert (await ann.show(passkey=passkey.get(options))).status == 401


@pytest.mark.parametrize("credential", [{}, {"id": 1}, {"id": "BwcHBwcHBwcHBwcHBwcHBw"}, {"id": "x", "response": {}}])
async def test_a_broken_credential_is_refused_and_nothing_breaks(api, ann, credential):
    await enrol_passkey(ann, SoftwarePasskey())
    await ann.open()
    await ann.ask("POST", "/v3/sessions/passkey")

    assert (await ann.show(passkey=credential)).status == 401


async def test_the_last_factor_stays(api, ann):
    passkey = SoftwarePasskey()
    alone = await ann.ask("DELETE", "/v3/user/factors/totp")
    await enrol_passkey(ann, passkey)
    removed = ann.keep(await ann.ask("DELETE", "/v3/user/factors/totp"))
    [listed] = (await ann.ask("GET", "/v3/user/factors")).json["passkeys"]
    last = await ann.ask("DELETE", f"/v3/user/factors/passkeys/{listed['id']}")

    assert (alone.status, removed.status, last.status) == (400, 200, 400)


# ---------------------------------------------------------------- sessions


async def test_a_session_ends_after_half_an_hour_without_use(api, ann):
    api.clock.instant += timedelta(minutes=29)
    assert (await ann.ask("GET", "/v3/scopes")).status == 200
    api.clock.instant += timedelta(minutes=29)
    assert (await ann.ask("GET", "/v3/scopes")).status == 200
    api.clock.instant += timedelta(minutes=30)

    assert (await ann.ask("GET", "/v3/scopes")).status == 401


async def test_a_session_ends_after_twelve_hours_however_much_it_is_used(api, ann):
    for _ in range(35):
        api.clock.instant += timedelta(minutes=20)
        assert (await ann.ask("GET", "/v3/scopes")).status == 200
    api.clock.instant += timedelta(minutes=20)

    assert (await ann.ask("GET", "/v3/scopes")).status == 401


async def test_an_unfinished_session_ends_after_a_quarter_of_an_hour(api, ann):
    await ann.open()
    api.clock.instant += timedelta(minutes=15)

    assert (await ann.show(code=ann.code())).status == 401


async def test_sessions_are_listed_and_one_is_ended_from_another(api, ann):
    other = Person(api)
    other.secret, other.peer = ann.secret, "198.51.100.7"
    await other.sign_in()
    listed = (await ann.ask("GET", "/v3/sessions")).json["result"]
    [theirs] = [each for each in listed if not each["is_current"]]

    ended = await ann.ask("DELETE", f"/v3/sessions/{theirs['session_id']}")

    assert (theirs["ip"], theirs["factor"], ended.status) == ("198.51.100.7", "totp", 204)
    assert (await other.ask("GET", "/v3/scopes")).status == 401
    assert ("settle",) in api.rights_changed.asked


async def test_nobody_ends_another_persons_session(api, account, ann):
    bob = await join(api, account, "bob", Role.ADMIN)
    [session] = (await ann.ask("GET", "/v3/sessions")).json["result"]

    assert (await bob.ask("DELETE", f"/v3/sessions/{session['session_id']}")).status == 404
    assert (await ann.ask("GET", "/v3/scopes")).status == 200


async def test_signing_out_ends_the_session(api, ann):
    assert (await ann.ask("DELETE", "/v3/sessions")).status == 204
    assert (await ann.ask("GET", "/v3/scopes")).status == 401


async def test_what_matters_most_asks_for_the_factor_again_after_ten_minutes(api, ann):
    body = {"name": "k", "scopes": ["mail.send"]}
    assert (await ann.ask("POST", "/v3/api_keys", body)).status == 201
    api.clock.instant += timedelta(minutes=10)
    stale = await ann.ask("POST", "/v3/api_keys", body)
    await ann.show(code=ann.code())

    assert (stale.status, "again" in stale.errors[0][1]) == (403, True)
    assert (await ann.ask("POST", "/v3/api_keys", body)).status == 201


def test_what_asks_for_a_fresh_proof_is_what_must(api):
    asking = {operation.name for operation in api.operations() if operation.needs_proof}

    assert asking == {
        "CreateApiKey", "UpdateApiKeyName", "UpdateApiKey", "DeleteApiKey", "BeginTotp", "ConfirmTotp", "RemoveTotp",
        "RotateApiKey", "BeginPasskeyEnrolment", "EnrolPasskey", "RemovePasskey", "MakeRecoveryCodes", "UpdateEmail",
        "UpdateUsername", "ConfirmEmail", "CreateSubuser",
        "UpdatePassword", "InviteTeammate", "DeletePendingTeammate", "ResendTeammateInvite", "UpdateTeammate",
        "DeleteTeammate", "AddIpToAllowList", "UpdateAllowListMode", "DeleteAllowedIps", "DeleteAllowedIp",
    }  # fmt: skip


async def test_the_accounts_own_list_of_addresses_holds_for_sessions(api, ann):
    ann.peer = "203.0.113.9"
    api.peers.refused.add(ann.peer)

    assert (await ann.ask("GET", "/v3/scopes")).status == 403
    assert (await ann.open()).status == 403


async def test_a_token_shown_from_where_nobody_may_sign_in_is_not_used_up(api, account, ann):
    await api.ask("POST", "/v3/password_resets", {"username": "ann"})
    await settle_resets(api)
    reset = {"token": api.mailbox.token()}
    _, invitation = api.people.inviting.invite(account, "bob@x.example", Role.ADMIN, frozenset(), SERVICE)
    bob = Person(api, "bob")
    bob.peer = "203.0.113.9"
    api.peers.refused.add(bob.peer)

    refused = [await bob.accept(invitation.reveal()), await bob.ask("POST", "/v3/password_resets/redeem", reset)]
    api.peers.refused.clear()

    assert [each.status for each in refused] == [403, 403]
    assert (await bob.accept(invitation.reveal())).status == 201
    assert (await bob.ask("POST", "/v3/password_resets/redeem", reset)).status == 201


async def test_a_suspended_account_is_looked_at_and_a_closed_one_not(api, account, ann):
    accounts = api.control.accounts
    accounts.change_state(account, to=AccountState.SUSPENDED, only_from=[AccountState.ACTIVE])
    assert (await ann.ask("GET", "/v3/user/profile")).status == 200
    assert (await ann.ask("GET", "/v3/api_keys")).status == 200
    assert (await ann.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]})).status == 403
    accounts.change_state(account, to=AccountState.CLOSED, only_from=[AccountState.SUSPENDED])
    assert (await ann.ask("GET", "/v3/user/profile")).status == 401
    assert (await ann.open()).status == 403


async def test_the_people_of_an_account_under_review_may_help(api, account, ann):
    api.control.accounts.change_state(account, to=AccountState.UNDER_REVIEW, only_from=[AccountState.ACTIVE])

    assert (await ann.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]})).status == 201
    assert (await ann.open()).status == 201


@pytest.mark.parametrize(
    ("state", "looks", "changes", "signs_in"),
    [
        (AccountState.UNDER_REVIEW, 200, 201, 201),
        (AccountState.SUSPENDED, 200, 403, 201),
        (AccountState.CLOSED, 401, 401, 403),
    ],
)
async def test_the_state_of_the_parent_counts_for_the_people_of_a_subuser(
    api, account, state, looks, changes, signs_in
):
    bob = await join(api, api.account("news", account), "bob")
    api.control.accounts.change_state(account, to=state, only_from=list(AccountState))

    looked = await bob.ask("GET", "/v3/api_keys")
    changed = await bob.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]})

    assert (looked.status, changed.status, (await bob.open()).status) == (looks, changes, signs_in)


async def test_secrets_rest_sealed_or_hashed(api, ann, tmp_path):
    rest = b"".join(path.read_bytes() for path in tmp_path.glob("control.db*"))

    for secret in (ann.token, ann.secret, *ann.codes, *[code.replace("-", "") for code in ann.codes], "$argon2id"):
        assert secret.encode() not in rest
    assert teammate(api).id.encode() in rest


async def test_every_act_is_in_the_audit_log_with_who_and_by_which_factor(api, account, ann):
    await ann.sign_in()
    await ann.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]})
    await ann.show(code="000000")
    await ann.ask("DELETE", "/v3/sessions")

    entries = [entry.event for entry in api.control.audit.list_after(account, 0, 1000)]
    [key] = [event for event in entries if event.act is Act.KEY_ISSUED]
    assert (key.actor.kind.value, key.actor.id) == ("person", teammate(api).id)
    assert (key.actor.origin, key.actor.credential) == ("192.0.2.1", "password, totp")
    assert {event.act for event in entries} == {
        Act.ACCOUNT_CREATED, Act.TEAMMATE_INVITED, Act.TEAMMATE_JOINED, Act.SESSION_OPENED, Act.FACTOR_ENROLLED,
        Act.RECOVERY_CODES_MADE, Act.SIGNED_IN, Act.KEY_ISSUED, Act.FACTOR_REFUSED, Act.SESSION_ENDED,
    }  # fmt: skip
    assert api.control.audit.verify(None, []).faults == ()


async def test_a_person_of_no_account_is_nobody(api, ann):
    api.control.people_stores.teammates.remove(teammate(api).account_id, TeammateId(teammate(api).id))

    assert (await ann.ask("GET", "/v3/scopes")).status == 401
