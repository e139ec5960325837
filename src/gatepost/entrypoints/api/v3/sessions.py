"""``/v3/sessions``: how a person signs in and out; no part of the dialect, which has no way in but its web pages.

A password opens a session in which nothing can be done but to show the second factor, or to enrol the first one. Each
answer with a token makes the token before it worthless.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gatepost.entrypoints.api.operation import NOBODY, PEOPLE_ONLY, Answer, Call, Operation
from gatepost.entrypoints.api.ports import RightsChanged
from gatepost.entrypoints.api.problem import NOT_FOUND, Problem, problem, problem_of_person
from gatepost.entrypoints.api.session_answer import SessionToken, answer_session
from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import SessionId
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.accounts.console_session import Session, Step
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.two_factor import CodeProof, PasskeyProof, Proof, RecoveryProof

ANY_STEP: Final = frozenset(Step)
_ONE_PROOF: Final = problem(400, "give exactly one of code, recovery_code and passkey")

log = get_logger()


class SignInWanted(Struct, frozen=True, kw_only=True):
    """Who wants to sign in."""

    username: Annotated[str, Meta(max_length=255, description="The user name or the e-mail address.")]
    password: Annotated[str, Meta(max_length=4096)]


class ProofShown(Struct, frozen=True, kw_only=True):
    """A second factor: exactly one of these."""

    code: Annotated[str | UnsetType, Meta(description="Six digits of an authenticator application.")] = UNSET
    recovery_code: Annotated[str | UnsetType, Meta(description="One of the ten; it is used up.")] = UNSET
    passkey: Annotated[
        dict[str, Any] | UnsetType,
        Meta(description="The answer to `POST /v3/sessions/passkey`, as a browser's `toJSON` writes it."),
    ] = UNSET


class PasskeyOptions(Struct, frozen=True, kw_only=True):
    """What a browser's `navigator.credentials` needs, in the form that its `parse…FromJSON` reads."""

    public_key: Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class SessionListed(Struct, frozen=True, kw_only=True):
    """One of a person's sessions."""

    session_id: str
    is_current: bool
    due: str | None
    opened_at: int
    last_seen_at: int
    expires_at: int
    ip: str
    client: str
    factor: Annotated[str | None, Meta(description="The second factor that was shown: totp, passkey, recovery code.")]


class SessionList(Struct, frozen=True, kw_only=True):
    """A person's sessions, the latest first."""

    result: tuple[SessionListed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Signs people in and out."""

    people: PeopleUseCases
    rights_changed: RightsChanged

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        path = "/v3/sessions"
        return (
            Operation(
                method="POST", path=path, name="OpenSession", summary="Begin to sign in, with a password.", scope=None,
                run=self.open, takes=SignInWanted, gives={201: SessionToken}, callers=NOBODY,
            ),
            Operation(
                method="GET", path=path, name="ListSessions", summary="List the caller's sessions.", scope=None,
                run=self.list_all, gives={200: SessionList}, callers=PEOPLE_ONLY,
            ),
            Operation(
                method="DELETE", path=path, name="EndSession", summary="Sign out.", scope=None,
                run=self.end, gives={204: None}, callers=PEOPLE_ONLY, steps=ANY_STEP,
            ),
            Operation(
                method="DELETE", path=f"{path}/{{session_id}}", name="EndOtherSession",
                summary="End one of the caller's sessions.", scope=None, run=self.end_other, gives={204: None},
                refuses=(404,), callers=PEOPLE_ONLY,
            ),
            Operation(
                method="POST", path=f"{path}/factor", name="ShowFactor",
                summary="Show the second factor: to be signed in, or again, before an act that asks for it.",
                scope=None, run=self.show_factor, takes=ProofShown, gives={200: SessionToken}, callers=PEOPLE_ONLY,
                steps=frozenset({Step.FACTOR}),
            ),
            Operation(
                method="POST", path=f"{path}/passkey", name="BeginPasskey",
                summary="Get what a browser needs to use a passkey.", scope=None, run=self.begin_passkey,
                gives={200: PasskeyOptions}, refuses=(404,), callers=PEOPLE_ONLY, steps=frozenset({Step.FACTOR}),
            ),
        )  # fmt: skip

    async def open(self, call: Call) -> Answer | Problem:
        """Check a password."""
        wanted = cast("SignInWanted", call.body)
        outcome = await self.people.sign_in.with_password(wanted.username, Secret(wanted.password), call.visitor)
        if isinstance(outcome, Deny):
            log.info("sign_in_refused", peer=str(call.peer), reason=outcome.reason.value)
        return answer_session(outcome, 201)

    async def show_factor(self, call: Call) -> Answer | Problem:
        """Check a second factor."""
        proof = _read_proof(cast("ProofShown", call.body))
        if proof is None:
            return _ONE_PROOF
        outcome = await asyncio.to_thread(self.people.proof.prove, call.person.held, proof, call.visitor)
        if isinstance(outcome, Deny):
            log.info(
                "factor_refused",
                peer=str(call.peer),
                teammate_id=call.person.teammate.id,
                reason=outcome.reason.value,
            )
        return answer_session(outcome, 200)

    async def begin_passkey(self, call: Call) -> Answer | Problem:
        """Draw a challenge."""
        options = await asyncio.to_thread(self.people.proof.challenge, call.person.held)
        if isinstance(options, Deny):
            return problem_of_person(options)
        return Answer(status=200, body=PasskeyOptions(public_key=Raw(options)))

    async def list_all(self, call: Call) -> Answer | Problem:
        """List the sessions that have not ended."""
        person, tools = call.person, self.people.tools
        sessions = await asyncio.to_thread(tools.stores.sessions.list_all, person.teammate)
        now = tools.clock.now()
        return Answer(
            status=200,
            body=SessionList(
                result=tuple([self._listed(call, session) for session in sessions if not session.is_over(now)])
            ),
        )

    async def end(self, call: Call) -> Answer | Problem:
        """End the session that asks."""
        person = call.person
        await asyncio.to_thread(self.people.keeper.end, person.teammate, person.session.id, call.actor)
        return Answer(status=204)

    async def end_other(self, call: Call) -> Answer | Problem:
        """End another session of the same person; no act of it is under way any more when this is answered."""
        session_id = SessionId(call.parameters["session_id"])
        was_there = await asyncio.to_thread(self.people.keeper.end, call.person.teammate, session_id, call.actor)
        await self.rights_changed.settle()
        return Answer(status=204) if was_there else NOT_FOUND

    def _listed(self, call: Call, session: Session) -> SessionListed:
        step = self.people.keeper.step(session, call.person.teammate)
        return SessionListed(
            session_id=session.id,
            is_current=session.id == call.person.session.id,
            due=step.value if step else None,
            opened_at=int(session.opened_at.timestamp()),
            last_seen_at=int(session.last_seen_at.timestamp()),
            expires_at=int(session.expires_at.timestamp()),
            ip=session.peer,
            client=session.client,
            factor=session.factor or None,
        )


def _read_proof(shown: ProofShown) -> Proof | None:
    proofs: list[Proof] = []
    if isinstance(shown.code, str):
        proofs.append(CodeProof(shown.code))
    if isinstance(shown.recovery_code, str):
        proofs.append(RecoveryProof(Secret(shown.recovery_code)))
    if isinstance(shown.passkey, dict):
        proofs.append(PasskeyProof(msgspec.json.encode(shown.passkey)))
    return proofs[0] if len(proofs) == 1 else None
