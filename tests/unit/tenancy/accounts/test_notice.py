"""Which acts people are told of, whom, and in what words: one table."""

import re
from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.accounts.notice import TOLD_OF, Reader, find_notice
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind, AuditEvent

ANN = Actor(kind=ActorKind.PERSON, id="per_ann", origin="192.0.2.1", credential="password, totp")
RECOVERED = Actor(kind=ActorKind.PERSON, id="per_ann", origin="192.0.2.1", credential="password, recovery code")
OPERATOR = Actor(kind=ActorKind.OPERATOR, id="root", origin="tty1", credential="uid 0")
KEY = Actor(kind=ActorKind.KEY, id="k" * 22, origin="192.0.2.1", credential="api key")
ON, OFF, SEEN = (
    {"mode": "enforced", "networks": ["192.0.2.0/24"]},
    {"mode": "enforced", "networks": []},
    {"mode": "observed", "networks": ["192.0.2.0/24"]},
)
PERSON, ACTOR, OWNER = Reader


def event(act, actor=ANN, *, subject="teammate/per_ann", before=None, after=None):
    return AuditEvent(
        account_id=AccountId("acc_1"), at=datetime(2026, 3, 1, tzinfo=UTC), act=act, actor=actor, subject=subject,
        before=before, after=after,
    )  # fmt: skip


ROWS = [
    (event(Act.PASSWORD_CHANGED), {PERSON}, "password was changed"),
    (event(Act.FACTOR_ENROLLED, after={"factor": "totp"}), {PERSON}, "was added: an authenticator application"),
    (event(Act.FACTOR_ENROLLED, after={"factor": "passkey Zm9v"}), {PERSON}, "was added: a passkey"),
    (event(Act.FACTOR_REMOVED, before={"factor": "totp"}), {PERSON}, "was removed: an authenticator application"),
    (event(Act.FACTOR_REMOVED, before={"factor": "passkey Zm9v"}), {PERSON}, "was removed: a passkey"),
    (event(Act.RECOVERY_CODES_MADE), {PERSON}, "new recovery codes"),
    (event(Act.SIGNED_IN, RECOVERED, after={"recovery_codes_left": "9"}), {PERSON}, "to sign in. 9 are left"),
    (event(Act.SIGNED_IN, RECOVERED, after={"recovery_codes_left": "0"}), {PERSON}, "was the last one: make new"),
    (event(Act.FACTOR_PROVED, RECOVERED, after={"recovery_codes_left": "8"}), {PERSON}, "your second factor. 8 are"),
    (event(Act.GUESSES_LIMITED, after={"guessed_at": "password"}), {PERSON}, "too often at your password"),
    (event(Act.EMAIL_CHANGE_REQUESTED), {PERSON}, "Another e-mail address was asked for"),
    (event(Act.EMAIL_CHANGED), {PERSON}, "e-mail address was changed"),
    (event(Act.TEAMMATE_RECOVERED, OPERATOR), {PERSON, OWNER}, "token for a new start"),
    (event(Act.KEY_ISSUED, subject="key/abc"), {ACTOR, OWNER}, "API key was made: abc"),
    (event(Act.KEY_REVOKED, OPERATOR, subject="key/abc"), {OWNER}, "API key abc was revoked"),
    (event(Act.IP_ACCESS_CHANGED, before=OFF, after=ON), {ACTOR, OWNER}, "switched on"),
    (event(Act.IP_ACCESS_CHANGED, before=SEEN, after=ON), {ACTOR, OWNER}, "switched on"),
    (event(Act.IP_ACCESS_FORCED, before=ON, after=OFF), {ACTOR, OWNER}, "switched off"),
    (event(Act.IP_ACCESS_FORCED, before=OFF, after=SEEN), {ACTOR, OWNER}, "was changed"),
]


@pytest.mark.parametrize(("told", "readers", "what"), ROWS, ids=[f"{row[0].act.value}: {row[2]}" for row in ROWS])
def test_an_act_is_told_to_whom_it_concerns_with_what_to_do(told, readers, what):
    notice = find_notice(told)

    assert notice is not None
    assert (notice.readers, what in notice.what, len(notice.advice) > 40) == (readers, True, True)


def test_every_row_of_the_table_is_shown():
    assert {row[0].act for row in ROWS} == TOLD_OF


@pytest.mark.parametrize("act", sorted(set(Act) - TOLD_OF, key=str))
def test_nobody_is_told_of_anything_else(act):
    assert find_notice(event(act, RECOVERED)) is None


@pytest.mark.parametrize(
    "quiet",
    [
        pytest.param(event(Act.SIGNED_IN), id="signed in by an authenticator"),
        pytest.param(event(Act.FACTOR_PROVED), id="proved by an authenticator"),
        pytest.param(event(Act.KEY_REVOKED, subject="key/abc"), id="revoked by its owner"),
        pytest.param(event(Act.KEY_REVOKED, KEY, subject="key/abc"), id="revoked by a key"),
    ],
)
def test_what_is_done_every_day_is_told_to_nobody(quiet):
    assert find_notice(quiet) is None


def test_what_a_parent_does_is_told_once_out_of_the_chain_of_its_subuser():
    by_parent = Actor(kind=ActorKind.PERSON, id="per_ann", account="acc_parent")
    told = event(Act.KEY_ISSUED, by_parent, subject="key/abc")
    copy = AuditEvent(
        account_id=AccountId("acc_parent"), at=told.at, act=told.act, actor=by_parent, subject="account/acc_1/key/abc"
    )

    assert find_notice(told) is not None
    assert find_notice(copy) is None


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0].act.value}: {row[2]}" for row in ROWS])
def test_no_notice_holds_a_link_or_what_somebody_typed(row):
    notice = find_notice(row[0])

    assert not re.search(r"https?:|www[.]|@|/v3/|Zm9v", notice.what + notice.advice)
