from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from gatepost.primitives.ids import AccountId, SessionId, TeammateId
from gatepost.tenancy.accounts.console_session import Session, Step, next_step

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION = Session(
    id=SessionId("ses_1"), account_id=AccountId("acc_1"), teammate_id=TeammateId("per_1"), opened_at=NOW,
    opened_by="password", expires_at=NOW + timedelta(hours=12), last_seen_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize(
    ("factor", "has_factor", "is_password_due", "step"),
    [
        ("", True, False, Step.FACTOR),
        ("", True, True, Step.FACTOR),
        ("", False, True, Step.PASSWORD),
        ("", False, False, Step.ENROLMENT),
        ("totp", True, True, Step.PASSWORD),
        ("totp", True, False, None),
    ],
)
def test_what_is_due_follows_from_what_was_shown(factor, has_factor, is_password_due, step):
    session = replace(SESSION, factor=factor, is_password_due=is_password_due)

    assert next_step(session, has_factor=has_factor) is step


def test_nobody_is_signed_in_without_having_shown_a_factor():
    for has_factor, is_password_due in product([False, True], repeat=2):
        assert next_step(replace(SESSION, is_password_due=is_password_due), has_factor=has_factor) is not None


@pytest.mark.parametrize(
    ("session", "after", "is_over"),
    [
        (replace(SESSION, factor="totp"), timedelta(minutes=29), False),
        (replace(SESSION, factor="totp"), timedelta(minutes=30), True),
        (
            replace(SESSION, factor="totp", last_seen_at=NOW + timedelta(hours=11, minutes=50)),
            timedelta(hours=12),
            True,
        ),
        (SESSION, timedelta(minutes=14), False),
        (SESSION, timedelta(minutes=15), True),
    ],
    ids=["in use", "idle", "too old", "not finished yet", "never finished"],
)
def test_a_session_ends_by_itself(session, after, is_over):
    assert session.is_over(NOW + after) is is_over


def test_a_proof_is_fresh_for_ten_minutes():
    session = replace(SESSION, proved_at=NOW)

    assert session.is_fresh(NOW + timedelta(minutes=9, seconds=59))
    assert not session.is_fresh(NOW + timedelta(minutes=10))
    assert not SESSION.is_fresh(NOW)


def test_the_audit_log_is_told_by_what_a_person_was_known():
    assert (SESSION.credential, replace(SESSION, factor="totp").credential) == ("password", "password, totp")
