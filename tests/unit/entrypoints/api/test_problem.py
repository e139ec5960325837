from datetime import timedelta

import pytest

from gatepost.entrypoints.api import problem as problems
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Permanent, Transient
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.accounts.denial import PersonDenial, TooManyAttempts


@pytest.mark.parametrize("sends_mail", [True, False])
@pytest.mark.parametrize("reason", AccessDenial)
def test_every_denial_of_access_has_words_and_keeps_its_detail_back(reason, sends_mail):
    problem = problems.problem_of_access(Deny(reason, "10.0.0.1 is not in the list"), sends_mail=sends_mail)

    # 503 says, as SMTP's 451 does, that the same will be taken later.
    assert problem.status in ({503} if reason is AccessDenial.ACCOUNT_UNDER_REVIEW else {401, 403, 429})
    assert "10.0.0.1" not in problem.errors[0].message


@pytest.mark.parametrize("reason", SubmissionDenial)
def test_every_denial_of_a_message_has_words_that_name_a_field_and_the_reason(reason):
    problem = problems.problem_of_submission(Deny(reason, "told why"), 7)

    (error,) = problem.errors
    assert problem.status in {400, 403}
    assert error.field
    assert "{" not in error.message + error.field
    assert error.message.endswith(": told why")


@pytest.mark.parametrize("reason", list(PersonDenial))
def test_every_refusal_of_a_person_has_words_and_a_status(reason):
    problem = problems.problem_of_person(Deny(reason, "detail"))

    assert problem.status in {400, 401, 403, 404, 429}
    assert problem.errors[0].message
    assert "{" not in problem.errors[0].message + str(problem.errors[0].field)


@pytest.mark.parametrize(
    ("wait", "said"),
    [(timedelta(seconds=3), "1 min"), (timedelta(minutes=5), "5 min"), (timedelta(hours=23, seconds=1), "24 h")],
)
def test_who_has_to_wait_is_told_how_long(wait, said):
    problem = problems.problem_of_person(TooManyAttempts(PersonDenial.TOO_MANY_ATTEMPTS, retry_after=wait))

    assert problem.errors[0].message.endswith(f"another {said}")
    assert problem.headers["Retry-After"] == str(int(wait.total_seconds()))


@pytest.mark.parametrize("reason", [AccessDenial.SCOPE_MISSING, AccessDenial.ACCOUNT_NOT_ACTIVE])
def test_a_person_is_told_more_than_a_key(reason):
    of_person, of_key = (
        problems.problem_of_person(Deny(reason)),
        problems.problem_of_access(Deny(reason), sends_mail=False),
    )

    assert of_person.status == of_key.status == 403
    assert len(of_person.errors[0].message) > len(of_key.errors[0].message)


def test_a_recipient_is_named_by_its_personalization():
    problem = problems.problem_of_submission(Deny(SubmissionDenial.RECIPIENT_NOT_ROUTABLE, "a@[1.2.3.4]"), 7)

    assert problem.errors[0].field == "personalizations.7"


def test_a_right_that_was_lost_at_the_door_is_told_as_at_the_beginning():
    assert problems.problem_of_submission(Deny(AccessDenial.KEY_NOT_VALID), 0).status == 401


def test_trouble_says_whether_to_come_again():
    assert problems.problem_of_trouble(Transient("disk full at /x")).headers == {"Retry-After": "5"}
    assert problems.problem_of_trouble(Permanent("x")).status == 500
    full = problems.problem_of_trouble(StoreUnavailable(StoreTrouble.NO_ROOM, "/x"))
    assert (full.status, full.headers) == (507, {"Retry-After": "60"})
    assert "/x" not in problems.problem_of_trouble(Transient("disk full at /x")).errors[0].message


@pytest.mark.parametrize(
    ("allowed", "message"), [(["POST"], "POST method allowed only"), (["GET", "POST"], "method not allowed")]
)
def test_a_method_that_a_path_does_not_have(allowed, message):
    problem = problems.method_not_allowed(allowed)

    assert (problem.status, problem.errors[0].message) == (405, message)
    assert problem.headers == {"Allow": ", ".join(allowed)}
