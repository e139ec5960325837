"""What is done over the API is told by mail to whom it concerns, whatever becomes of the mail."""

import re
from datetime import timedelta

import pytest
from tests.contracts.api.person import PASSWORD, Person, join
from tests.support.authenticator import SoftwarePasskey

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.runtime.people_upkeep import keep_up_people
from gatepost.runtime.settings import Settings, SystemMail
from gatepost.storage.notices import SqlNoticeCursors
from gatepost.tenancy.access.leaked import revoke_leaked
from gatepost.tenancy.accounts.membership import recover
from gatepost.tenancy.accounts.notifier import TOLD_FOR, Notifier
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import SERVICE, Actor, ActorKind

OPERATOR = Actor(kind=ActorKind.OPERATOR, id="root", origin="tty1", credential="uid 0")
ANN, BOB = "ann@x.example", "bob@x.example"


@pytest.fixture
def account(api):
    return api.account("acme")


@pytest.fixture
def notifier(api):
    return Notifier(
        api.control.people_tools,
        audit=api.control.audit,
        cursors=SqlNoticeCursors(api.control.database),
        mailer=api.mailbox,
        host_name="relay.test",
        metrics=api.metrics,
    )


@pytest.fixture
async def ann(api, account, notifier):
    """The owner; what led here has been told."""
    ann = await join(api, account)
    await notifier.catch_up()
    api.mailbox.letters.clear()
    return ann


@pytest.fixture
async def bob(api, account, ann, notifier):
    """A teammate who may make keys, and change the list of addresses."""
    scopes = ["api_keys.create", "mail.send", "access_settings.whitelist.create", "access_settings.whitelist.read"]
    bob = await join(api, account, "bob", Role.SCOPED, *scopes)
    await notifier.catch_up()
    api.mailbox.letters.clear()
    return bob


async def settle(notifier):
    while notifier.is_behind():
        await notifier.catch_up()


def told(api):
    """Who was told, of notices only."""
    return [to for to, subject, _ in api.mailbox.letters if subject == "Security notice from relay.test"]


# ---------------------------------------------------------------- each act


async def change_password(bob):
    await bob.ask("PUT", "/v3/user/password", {"new_password": "six-amber-kites", "old_password": PASSWORD})


async def enrol_passkey(bob):
    begun = await bob.ask("POST", "/v3/user/factors/passkeys")
    made = {"name": "key", "credential": SoftwarePasskey().create(begun.json["public_key"])}
    bob.token = (await bob.ask("PUT", "/v3/user/factors/passkeys", made)).json["session"]["session_token"]


async def remove_factor(bob):
    await enrol_passkey(bob)
    bob.keep(await bob.ask("DELETE", "/v3/user/factors/totp"))


async def make_codes(bob):
    await bob.ask("POST", "/v3/user/recovery_codes")


async def sign_in_by_recovery_code(bob):
    await bob.open()
    await bob.show(recovery_code=bob.codes[0])


async def use_up_the_recovery_codes(bob):
    for code in bob.codes:
        assert (await bob.show(recovery_code=code)).status == 200


async def be_guessed_at(bob):
    for number in range(12):
        bob.peer = f"203.0.113.{number}"
        await bob.open("wrong")


async def have_the_factor_guessed_at(bob):
    bob.peer = "203.0.113.1"
    await bob.open()
    for _ in range(6):
        await bob.show(code="000000")


async def ask_for_another_address(bob):
    assert (await bob.ask("PUT", "/v3/user/email", {"email": "lee@x.example"})).status == 202


async def change_the_address(bob):
    await ask_for_another_address(bob)
    await bob.ask("POST", "/v3/user/email/confirm", {"token": bob.api.mailbox.token()})


async def be_recovered(bob):
    recover(bob.api.control.people_tools, bob.api.control.people_stores.teammates.resolve("bob"), OPERATOR)


async def make_a_key(bob):
    reply = await bob.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]})
    assert reply.status == 201, reply.octets
    return reply.json["api_key"]


async def have_a_key_leaked(bob):
    control = bob.api.control
    revoke_leaked(
        control.acting_as(OPERATOR).keys, [(await make_a_key(bob)).encode()],
        hash_secret=control.keyring.hash_secret, now=control.clock.now(),
    )  # fmt: skip


async def switch_the_list_on(bob):
    reply = await bob.ask("POST", "/v3/access_settings/whitelist", {"ips": [{"ip": "192.0.2.1"}]})
    assert reply.status == 201, reply.octets


@pytest.mark.parametrize(
    ("act", "told_of", "readers"),
    [
        (change_password, "Your password was changed", [BOB]),
        (enrol_passkey, "A second factor was added: a passkey", [BOB]),
        (remove_factor, "A second factor was removed: an authenticator application", [BOB]),
        (make_codes, "Ten new recovery codes were made", [BOB]),
        (sign_in_by_recovery_code, "was used to sign in. 9 are left", [BOB]),
        (use_up_the_recovery_codes, "as your second factor. 5 are left", [BOB]),
        (be_guessed_at, "guessed too often at your password", [BOB]),
        (have_the_factor_guessed_at, "guessed too often at your second factor", [BOB]),
        (ask_for_another_address, "Another e-mail address was asked for in your name", [BOB]),
        (change_the_address, "Your e-mail address was changed", [BOB]),
        (be_recovered, "took a person's password, second factors and recovery codes away", [ANN, BOB]),
        (make_a_key, "An API key was made", [ANN, BOB]),
        (have_a_key_leaked, "was revoked by whoever runs this service", [ANN, BOB]),
        (switch_the_list_on, "from which the account may be used was switched on", [ANN, BOB]),
    ],
    ids=lambda each: each.__name__ if callable(each) else None,
)
async def test_an_act_is_told_to_whom_it_concerns(api, bob, notifier, act, told_of, readers):
    await act(bob)
    await settle(notifier)

    assert sorted(told(api)) == readers
    assert any(told_of in text for _, _, text in api.mailbox.letters)
    notices = [text for _, subject, text in api.mailbox.letters if subject.startswith("Security notice")]
    assert not re.search(r"https?:|gp[sirve]_|SG[.]", "".join(notices))


async def test_what_was_done_before_an_address_was_changed_is_told_at_the_old_one(api, bob, notifier):
    await make_a_key(bob)
    await change_the_address(bob)
    await settle(notifier)

    [text] = [text for to, subject, text in api.mailbox.letters if to == BOB and subject.startswith("Security")]
    places = [text.index(words) for words in ("API key was made", "was asked for in your name", "address was changed")]
    assert places == sorted(places)
    assert sorted(told(api)) == [ANN, BOB], "and nothing of it at the new one"


async def test_only_the_owner_is_told_that_a_key_was_taken_away_as_leaked(api, bob, notifier):
    await have_a_key_leaked(bob)
    await settle(notifier)

    assert [to for to, _, text in api.mailbox.letters if "was revoked" in text] == [ANN]


async def test_the_last_recovery_code_is_said_to_be_the_last(api, bob, notifier):
    for code in bob.codes:
        assert (await bob.show(recovery_code=code)).status == 200
        api.clock.instant += timedelta(minutes=20)
        await settle(notifier)

    assert "It was the last one: make new ones." in api.mailbox.letters[-1][2]


async def test_a_notice_says_who_did_it_from_where_and_by_which_proof(api, bob, notifier):
    await make_a_key(bob)
    await settle(notifier)

    [text] = [text for to, _, text in api.mailbox.letters if to == ANN]
    assert "By bob, from 192.0.2.1, known by invitation, totp" in text
    assert "in which you are ann at the mail service relay.test" in text


async def test_a_key_that_makes_a_key_is_named_by_its_id(api, account, ann, notifier):
    maker = api.key(account, "api_keys.create", "mail.send")
    await settle(notifier)
    api.mailbox.letters.clear()

    await api.ask("POST", "/v3/api_keys", {"name": "k", "scopes": ["mail.send"]}, key=maker)
    await settle(notifier)

    [(to, _, text)] = api.mailbox.letters
    assert (to, f"By the API key {maker.split('.')[1]}, from 192.0.2.1\n" in text) == (ANN, True)
    assert maker not in text


async def test_of_a_subuser_without_people_its_parents_owner_is_told_once(api, account, ann, notifier):
    news = api.account("news", account)
    api.key(news, "mail.send")

    await settle(notifier)

    assert told(api) == [ANN]


async def test_what_happens_together_is_told_in_one_letter(api, bob, notifier):
    await make_codes(bob)
    await change_password(bob)
    await settle(notifier)

    [text] = [text for to, _, text in api.mailbox.letters if to == BOB]
    assert text.index("recovery codes were made") < text.index("password was changed")


# ---------------------------------------------------------------- limits and trouble


async def test_guesses_are_written_down_once_a_day_and_for_nobody_at_all_never(api, account, bob, notifier):
    for _ in range(2):
        await be_guessed_at(bob)
    stranger = Person(api, "nobody")
    await be_guessed_at(stranger)
    await settle(notifier)

    assert told(api) == [BOB]


async def test_guesses_from_one_network_at_many_names_are_no_limit_of_a_person(api, bob, notifier):
    bob.peer = "203.0.113.1"
    for number in range(10):
        await api.ask("POST", "/v3/sessions", {"username": f"n{number}", "password": "x"}, peer=bob.peer)

    assert (await bob.open("wrong")).status == 429
    await settle(notifier)
    assert told(api) == []


async def test_nobody_is_mailed_more_than_five_notices_of_a_kind_in_an_hour_and_ten_a_day(api, account, bob, notifier):
    sent = []
    for _ in range(4):
        for _ in range(4):
            await bob.show(code=bob.code())
            await make_codes(bob)
            api.clock.instant += api.a_step
            await settle(notifier)
        sent.append(len(told(api)))
        api.clock.instant += timedelta(minutes=28)
        await bob.sign_in()

    # One more was told when he joined.
    assert sent == [4, 4, 8, 9]


async def test_what_tells_of_one_act_is_not_used_up_by_another(api, bob, notifier):
    for _ in range(7):
        await make_codes(bob)
        await settle(notifier)
    api.mailbox.letters.clear()

    await change_password(bob)
    await settle(notifier)

    [(to, _, text)] = api.mailbox.letters
    assert (to, "Your password was changed" in text) == (BOB, True)


async def test_while_mail_cannot_be_queued_acts_go_on_and_are_told_later(api, bob, notifier):
    api.mailbox.trouble = Transient("disk full")
    await change_password(bob)
    for _ in range(7):
        with pytest.raises(Transient):
            await notifier.catch_up()

    api.mailbox.trouble = None
    await settle(notifier)

    assert told(api) == [BOB]


async def test_a_letter_that_is_refused_holds_up_no_other(api, bob, notifier):
    api.mailbox.trouble = Misconfigured("recipient not routable")
    await change_password(bob)
    await settle(notifier)
    api.mailbox.trouble = None

    assert not notifier.is_behind()
    await bob.open("six-amber-kites")
    await bob.show(recovery_code=bob.codes[0])
    await settle(notifier)
    assert told(api) == [BOB]


async def test_what_is_older_than_a_day_is_told_to_nobody(api, bob, notifier):
    await change_password(bob)
    api.clock.instant += TOLD_FOR

    await settle(notifier)

    assert told(api) == []


async def test_who_has_left_is_told_nothing_and_nothing_breaks(api, account, bob, notifier):
    await change_password(bob)
    person = api.control.people_stores.teammates.resolve("bob")
    api.people.membership.remove(person, SERVICE)

    await settle(notifier)

    assert told(api) == []


async def test_an_entry_that_cannot_be_read_stops_the_notices_of_no_account(api, account, bob, notifier):
    await change_password(bob)
    with api.control.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE audit_entries SET record = 'x' WHERE account_id = '{account}'")
    other = await join(api, api.account("other"), "cid")

    await settle(notifier)

    assert told(api) == ["cid@x.example"]
    assert other.username == "cid"


@pytest.mark.parametrize(
    ("mail", "runs"),
    [
        (SystemMail(author="a@example.com"), 1),
        (SystemMail(author="a@example.com", notices=False), 0),
        (SystemMail(), 0),
    ],
    ids=["on", "switched off", "nobody to write as"],
)
async def test_notices_are_the_operators_choice(api, bob, mail, runs):
    settings = Settings(host_name="relay.test", system_mail=mail)
    work = keep_up_people(settings, api.control, api.mailbox, api.metrics)
    await change_password(bob)

    for each in work:
        await each.work()

    assert (len(work), told(api)) == (runs, [BOB] * runs)


async def test_of_two_workers_one_tells(api, bob):
    settings = Settings(host_name="relay.test", system_mail=SystemMail(author="a@example.com"))
    [first], [second] = (keep_up_people(settings, api.control, api.mailbox, api.metrics) for _ in range(2))
    await change_password(bob)
    mailbox, nested = api.mailbox, []

    class Slow:
        async def send(self, to, subject, text):
            await second.work()
            nested.append(len(mailbox.letters))
            await mailbox.send(to, subject, text)

    [slow] = keep_up_people(settings, api.control, Slow(), api.metrics)
    await slow.work()
    await first.work()

    assert (nested, told(api)) == ([0], [BOB])


async def test_trouble_with_a_letter_is_logged_and_the_turn_given_back(api, bob, capsys):
    settings = Settings(host_name="relay.test", system_mail=SystemMail(author="a@example.com"))
    [first], [second] = (keep_up_people(settings, api.control, api.mailbox, api.metrics) for _ in range(2))
    await change_password(bob)
    api.mailbox.trouble = Transient("disk full")
    await first.work()
    api.mailbox.trouble = None

    await second.work()

    assert told(api) == [BOB]
    assert "notices_put_off" in capsys.readouterr().out
