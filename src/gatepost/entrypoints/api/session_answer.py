"""How a session is told to whoever holds it: the one struct in which a session's token ever stands."""

from typing import Annotated

from msgspec import Meta, Struct

from gatepost.entrypoints.api.operation import Answer
from gatepost.entrypoints.api.problem import Problem, problem_of_person
from gatepost.primitives.decision import Deny
from gatepost.tenancy.accounts.session_keeper import Opened


class SessionToken(Struct, frozen=True, kw_only=True):
    """A session under a token just drawn; the token that it had before opens nothing any more."""

    session_token: Annotated[str, Meta(description="For `Authorization: Bearer`; shown here only.")]
    session_id: str
    due: Annotated[
        str | None, Meta(description="What has to be done before anything else: `factor`, `password`, `enrolment`.")
    ]
    expires_at: Annotated[int, Meta(description="Its end, Unix seconds; half an hour without use ends it sooner.")]


def describe_session(opened: Opened) -> SessionToken:
    """Return what its holder is told."""
    return SessionToken(
        session_token=opened.token.reveal(),
        session_id=opened.session.id,
        due=opened.step.value if opened.step else None,
        expires_at=int(opened.session.expires_at.timestamp()),
    )


def answer_session(outcome: Opened | Deny, status: int, *, password_field: str = "new_password") -> Answer | Problem:  # noqa: S107 - a field's name
    """Answer with a session, or with why there is none."""
    if isinstance(outcome, Deny):
        return problem_of_person(outcome, password_field=password_field)
    return Answer(status=status, body=describe_session(outcome))
