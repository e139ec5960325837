"""People on both engines: their stores, and that what is good once is good once, whatever two processes do."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.support.authenticator import totp_code
from tests.support.replay import VISITOR, compose

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import TeammateId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.attempt_limit import AttemptKind, Counted, Window
from gatepost.tenancy.accounts.console_session import Step
from gatepost.tenancy.accounts.membership import recover
from gatepost.tenancy.accounts.person_ports import EmailChange, NameTaken, ResetKind, ResetToken
from gatepost.tenancy.accounts.session_keeper import Held, Visitor
from gatepost.tenancy.accounts.teammate import Role, Teammate
from gatepost.tenancy.accounts.token import TokenKind
from gatepost.tenancy.accounts.two_factor import CodeProof
from gatepost.tenancy.audit.entry import SERVICE

ROOT = Path(__file__).parents[3]
# Of each of two processes; a release tries 500 times.
TRIES = int(os.environ.get("REPLAYS", "16"))


@pytest.fixture
def stores(control_plane):
    return control_plane.people_stores


@pytest.fixture
def people(control_plane):
    return compose(control_plane)


def make(control_plane, account, username="ann", **more):
    person = Teammate(
        id=TeammateId(f"per_{username}"), account_id=account.id, email=f"{username}@x.example", username=username,
        **{"role": Role.ADMIN, "created_at": control_plane.clock.now()} | more,
    )  # fmt: skip
    control_plane.people_stores.teammates.add(person)
    return person


def hold(control_plane, opened):
    token_hash = control_plane.keyring.hash_secret(f"gatepost token\n{opened.token.reveal()}".encode())
    return Held(session=opened.session, person=opened.person, token_hash=token_hash)


@pytest.fixture
def ann(control_plane, account):
    return make(control_plane, account)


def enrol(control_plane, people, person):
    """Give a person an authenticator; return its secret and the recovery codes."""
    held = hold(control_plane, people.keeper.open(person, "password", VISITOR))
    secret = people.enrolment.begin_totp(held).secret.reveal()
    enrolled = people.enrolment.confirm_totp(held, totp_code(secret, control_plane.clock.now()), VISITOR)
    control_plane.clock.advance(seconds=30)
    return secret, [code.reveal() for code in enrolled.codes]


# ---------------------------------------------------------------- stores


def test_a_person_is_found_by_name_address_and_id(stores, account, ann):
    teammates = stores.teammates

    assert teammates.find(account.id, ann.id) == ann
    assert teammates.find_by_username(account.id, "ANN") == ann
    assert teammates.resolve("ann") == teammates.resolve("Ann@X.example") == ann
    assert teammates.find("acc_other", ann.id) is teammates.find_by_username("acc_other", "ann") is None


@pytest.mark.parametrize("taken", ["email", "username"])
def test_an_address_and_a_user_name_stand_for_one_person(control_plane, account, stores, ann, taken):
    bob = make(control_plane, account, "bob")
    wanted = replace(bob, **{taken: getattr(ann, taken)})

    with pytest.raises(NameTaken, match=taken):
        stores.teammates.replace(wanted)
    with pytest.raises(NameTaken, match=taken):
        stores.teammates.add(
            replace(
                ann,
                id=TeammateId("per_new"),
                **({"email": "c@x.example"} if taken == "username" else {"username": "cid"}),
            )
        )
    assert stores.teammates.find(account.id, bob.id) == bob


def test_what_belongs_to_a_person_goes_with_him(control_plane, stores, people, account, ann):
    enrol(control_plane, people, ann)
    opened = people.keeper.open(ann, "password", VISITOR)
    recover(control_plane.people_tools, make(control_plane, account, "bob"), SERVICE)

    assert stores.teammates.remove(account.id, ann.id)

    assert stores.sessions.find(hold(control_plane, opened).token_hash) is None
    assert not stores.factors.describe(ann).has_any
    assert [each.username for each in stores.teammates.list_all(account.id)] == ["bob"]


def test_another_accounts_person_is_not_touched(stores, ann):
    stranger = replace(ann, account_id="acc_other")

    assert not stores.teammates.remove("acc_other", ann.id)
    assert not stores.teammates.replace(stranger)
    stores.teammates.set_password(stranger, b"x")
    assert stores.teammates.find_password(ann) is None
    assert stores.sessions.end_all(stranger) == 0


def test_a_window_of_attempts_slides_and_a_right_guess_is_forgiven(stores, clock):
    counted = [Counted(subject="a", windows=(Window(3, timedelta(minutes=5)),))]

    def reserve(number):
        return stores.attempts.reserve(bytes([number]), AttemptKind.PASSWORD, counted, clock.now())

    assert [reserve(number) for number in range(3)] == [None] * 3
    clock.advance(minutes=2)
    assert reserve(4) == timedelta(minutes=3)
    stores.attempts.forgive(bytes([1]))
    assert reserve(5) is None
    assert stores.attempts.reserve(b"x", AttemptKind.FACTOR, counted, clock.now()) is None, "kinds are counted apart"
    clock.advance(minutes=3)
    assert reserve(6) is None


def test_a_clock_set_back_gives_no_guesses(stores, clock):
    counted = [Counted(subject="a", windows=(Window(1, timedelta(minutes=5)),))]
    assert stores.attempts.reserve(b"1", AttemptKind.PASSWORD, counted, clock.now()) is None
    clock.advance(minutes=-60)

    assert stores.attempts.reserve(b"2", AttemptKind.PASSWORD, counted, clock.now()) == timedelta(minutes=5)


def test_a_network_is_known_to_one_person_and_for_a_time(stores, control_plane, account, clock, ann):
    bob = make(control_plane, account, "bob")
    at = clock.now()
    stores.sessions.remember_network(ann, "192.0.2.1", at)
    stores.sessions.remember_network(ann, "192.0.2.1", at + timedelta(days=1))

    assert stores.sessions.knows_network(ann, "192.0.2.1", at)
    assert not stores.sessions.knows_network(ann, "192.0.2.1", at + timedelta(days=2))
    assert not stores.sessions.knows_network(bob, "192.0.2.1", at)


def test_an_address_to_be_proved_is_one_persons_and_one_sessions_and_ends_with_it(control_plane, stores, people, ann):
    first, second = (people.keeper.open(ann, "password", VISITOR).session for _ in range(2))
    ends_at = control_plane.clock.now() + timedelta(hours=1)
    change = EmailChange(
        account_id=ann.account_id, teammate_id=ann.id, session_id=first.id, email="lee@x.example", expires_at=ends_at
    )
    stores.email_changes.put(replace(change, email="old@x.example"), b"old")
    stores.email_changes.put(change, b"new")

    assert stores.email_changes.take(ann, first.id, b"old") is None
    assert stores.email_changes.take(ann, second.id, b"new") is None
    assert stores.email_changes.take(replace(ann, account_id="acc_other"), first.id, b"new") is None
    assert stores.email_changes.take(ann, first.id, b"new") == change
    assert stores.email_changes.take(ann, first.id, b"new") is None
    stores.email_changes.put(change, b"new")
    stores.sessions.end(ann, first.id)
    assert stores.email_changes.take(ann, first.id, b"new") is None


# ---------------------------------------------------------------- once


class Replayer:
    """Another process with the same control plane."""

    def __init__(self, place, given):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.replay"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        )  # fmt: skip
        where = {"url": place.url, "keyring": str(place.keyring_file), "now": place.clock.now().isoformat()}
        self.tell(json.dumps(given | where | {"tries": TRIES}))

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self):
        return self.process.stdout.readline().strip()


def replay(place, what, **given):
    """How many tries of two processes at the same moment succeeded."""
    both = [Replayer(place, {"what": what, "name": name, **given}) for name in ("one", "two")]
    try:
        assert [each.read() for each in both] == ["ready", "ready"]
        for each in both:
            each.tell("go")
        return sum(int(each.read()) for each in both)
    finally:
        for each in both:
            each.process.stdin.close()
            each.process.wait(30)
            each.process.stdout.close()


@pytest.fixture
def given(control_plane, people, account, ann):
    """What may be used once, of each kind."""
    secret, codes = enrol(control_plane, people, ann)
    _, invitation = people.inviting.invite(account.id, "new@x.example", Role.ADMIN, frozenset(), SERVICE)
    _, reset = people.sign_in.request_reset("ann", VISITOR)
    session = people.keeper.open(ann, "password", VISITOR)
    _, email = people.email_changes.request(hold(control_plane, session), "lee@x.example", VISITOR)
    return {
        "email": {"token": email.reveal(), "session": session.token.reveal()},
        "totp": {"code": totp_code(secret, control_plane.clock.now())},
        "recovery": {"code": codes[0]},
        "invitation": {"token": invitation.reveal()},
        "reset": {"token": reset.reveal()},
    }


@pytest.mark.parametrize("what", ["totp", "recovery", "invitation", "reset", "email"])
def test_of_many_uses_in_two_processes_exactly_one_succeeds(place, given, what):
    assert replay(place, what, **given[what]) == 1


def test_a_renewed_session_has_one_token_however_many_ask_for_it(control_plane, other_process, people, ann):
    secret, _ = enrol(control_plane, people, ann)
    held = hold(control_plane, people.keeper.open(ann, "password", VISITOR))
    code = CodeProof(totp_code(secret, control_plane.clock.now()))
    assert not isinstance(people.proof.prove(held, code, VISITOR), Deny)
    control_plane.clock.advance(seconds=30)
    later = CodeProof(totp_code(secret, control_plane.clock.now()))

    stale = compose(other_process).proof.prove(held, later, VISITOR)

    assert isinstance(stale, Deny)
    assert stale.reason.value == "session not valid"
    assert not isinstance(
        people.proof.prove(hold(control_plane, people.keeper.open(ann, "password", VISITOR)), later, VISITOR), Deny
    ), "a proof in a dead session uses nothing up"


@pytest.mark.parametrize(
    ("kind", "has_factor", "opens"),
    [
        (ResetKind.RESET, True, True),
        (ResetKind.RESET, False, False),
        (ResetKind.SET_UP, True, False),
        (ResetKind.SET_UP, False, True),
    ],
)
def test_a_mailed_token_needs_a_factor_and_an_operators_none(
    control_plane, people, stores, clock, ann, kind, has_factor, opens
):
    if has_factor:
        enrol(control_plane, people, ann)
    token, token_hash = people.keeper.draw(TokenKind.RESET)
    ends_at = clock.now() + timedelta(hours=1)
    reset = ResetToken(account_id=ann.account_id, teammate_id=ann.id, kind=kind, expires_at=ends_at)
    stores.resets.put(reset, token_hash, clock.now())

    opened = people.sign_in.with_reset_token(token, VISITOR)

    assert isinstance(opened, Deny) is not opens
    assert not opens or opened.step is (Step.FACTOR if has_factor else Step.PASSWORD)


# ---------------------------------------------------------------- limits


def guess(people, name, network, count):
    """Wrong passwords from a network; what each was answered."""
    visitor = Visitor(peer=ip_address(network))

    async def guess():
        return [(await people.sign_in.with_password(name, Secret("wrong"), visitor)).reason.value for _ in range(count)]

    return asyncio.run(guess())


def test_ten_passwords_are_looked_at_in_five_minutes_from_one_network(people, ann, clock):
    answers = guess(people, "nobody", "203.0.113.1", 11)
    clock.advance(minutes=5)

    assert answers == ["wrong password"] * 10 + ["too many attempts"]
    assert guess(people, "nobody", "203.0.113.1", 1) == ["wrong password"]


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_ten_passwords_are_looked_at_for_one_name_from_all_strangers_together(people, ann, name):
    answers = [guess(people, name, f"203.0.113.{number}", 1)[0] for number in range(11)]

    assert answers == ["wrong password"] * 10 + ["too many attempts"]


def test_limits_hold_across_processes(people, other_process, ann):
    guess(people, "nobody", "203.0.113.1", 5)

    assert guess(compose(other_process), "nobody", "203.0.113.1", 6) == ["wrong password"] * 5 + ["too many attempts"]


def test_guesses_from_elsewhere_never_keep_the_owner_out_from_where_he_usually_is(control_plane, people, ann):
    enrol(control_plane, people, ann)  # from VISITOR's network
    for number in range(12):
        guess(people, "ann", f"203.0.113.{number}", 1)

    assert guess(people, "ann", str(VISITOR.peer), 1) == ["wrong password"]
    assert guess(people, "ann", "198.51.100.1", 1) == ["too many attempts"]


@pytest.mark.parametrize(
    ("pauses", "looked_at"),
    [
        pytest.param([timedelta(0)] * 6, 5, id="5 in 5 minutes"),
        pytest.param([timedelta(minutes=2)] * 25, 20, id="20 in an hour"),
        pytest.param([timedelta(minutes=20)] * 60, 50, id="50 in a day"),
    ],
)
def test_second_factors_are_limited_for_each_person(control_plane, people, ann, clock, pauses, looked_at):
    enrol(control_plane, people, ann)
    visitor = Visitor(peer=ip_address("203.0.113.1"))
    answers = []
    for pause in pauses:
        clock.advance(seconds=pause.total_seconds())
        held = hold(control_plane, people.keeper.open(ann, "password", visitor))
        answers.append(people.proof.prove(held, CodeProof("000000"), visitor).reason.value)

    assert answers.count("wrong factor") + answers.count("clock out of step") == looked_at
    assert answers[-1] == "too many attempts"


def test_five_resets_a_day_are_mailed_to_one_person(control_plane, people, ann):
    enrol(control_plane, people, ann)
    visitors = [Visitor(peer=ip_address(f"203.0.113.{number}")) for number in range(6)]

    made = [people.sign_in.request_reset("ann", visitor) for visitor in visitors]

    assert [isinstance(each, Deny) for each in made] == [False] * 5 + [True]


def test_a_reset_asked_for_by_somebody_else_leaves_the_owners_token_good(control_plane, people, ann):
    enrol(control_plane, people, ann)
    _, mine = people.sign_in.request_reset("ann", VISITOR)
    people.sign_in.request_reset("ann", Visitor(peer=ip_address("203.0.113.1")))

    assert not isinstance(people.sign_in.with_reset_token(mine, VISITOR), Deny)
