"""``/v3/user/factors``, ``/v3/user/recovery_codes``: a person's second factors; no part of the dialect."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import Meta, Raw, Struct

from gatepost.entrypoints.api.operation import PEOPLE_ONLY, Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem, problem_of_person
from gatepost.entrypoints.api.session_answer import SessionToken, answer_session, describe_session
from gatepost.entrypoints.api.v3.sessions import PasskeyOptions
from gatepost.primitives.decision import Deny
from gatepost.tenancy.accounts.console_session import Step
from gatepost.tenancy.accounts.enrolment import Enrolled
from gatepost.tenancy.accounts.people import PeopleUseCases

_MAX_NAME: Final = 100
_ENROLMENT: Final = frozenset({Step.ENROLMENT})
_NAME_INVALID: Final = problem(400, f"name must be 1 to {_MAX_NAME} printable characters", at="name")


class PasskeyListed(Struct, frozen=True, kw_only=True):
    """A passkey."""

    id: str
    name: str
    created_at: int
    last_used_at: int | None


class FactorList(Struct, frozen=True, kw_only=True):
    """What a person has enrolled."""

    totp: bool
    passkeys: tuple[PasskeyListed, ...]
    recovery_codes_left: int


class TotpBegun(Struct, frozen=True, kw_only=True):
    """What an authenticator application is given; it counts once a first code has confirmed it."""

    secret: str
    uri: Annotated[str, Meta(description="To be shown as a QR code.")]


class TotpCode(Struct, frozen=True, kw_only=True):
    """The first code."""

    code: str


class PasskeyMade(Struct, frozen=True, kw_only=True):
    """The passkey that a browser made."""

    name: str
    credential: Annotated[dict[str, Any], Meta(description="As a browser's `toJSON` writes it.")]


class FactorEnrolled(Struct, frozen=True, kw_only=True):
    """The session, signed in; and the recovery codes, if these are the first."""

    session: SessionToken
    recovery_codes: Annotated[tuple[str, ...], Meta(description="Shown once. Keep them apart from the phone.")]


class RecoveryCodes(Struct, frozen=True, kw_only=True):
    """Ten new recovery codes."""

    recovery_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFactors:
    """Manages the caller's second factors."""

    people: PeopleUseCases

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        path, codes = "/v3/user/factors", "/v3/user/recovery_codes"
        return (
            Operation(
                method="GET", path=path, name="ListFactors", summary="List the caller's second factors.", scope=None,
                run=self.list_all, gives={200: FactorList}, callers=PEOPLE_ONLY, steps=_ENROLMENT,
            ),
            Operation(
                method="POST", path=f"{path}/totp", name="BeginTotp", summary="Get a secret for an authenticator.",
                scope=None, run=self.begin_totp, gives={201: TotpBegun}, callers=PEOPLE_ONLY, steps=_ENROLMENT,
                needs_proof=True,
            ),
            Operation(
                method="PUT", path=f"{path}/totp", name="ConfirmTotp",
                summary="Enrol the authenticator that shows this code, in the place of any other.", scope=None,
                run=self.confirm_totp, takes=TotpCode, gives={200: FactorEnrolled}, callers=PEOPLE_ONLY,
                steps=_ENROLMENT, needs_proof=True,
            ),
            Operation(
                method="DELETE", path=f"{path}/totp", name="RemoveTotp", summary="Take the authenticator away.",
                scope=None, run=self.remove_totp, gives={200: SessionToken}, refuses=(400, 404), callers=PEOPLE_ONLY,
                needs_proof=True,
            ),
            Operation(
                method="POST", path=f"{path}/passkeys", name="BeginPasskeyEnrolment",
                summary="Get what a browser needs to make a passkey.", scope=None, run=self.begin_passkey,
                gives={201: PasskeyOptions}, callers=PEOPLE_ONLY, steps=_ENROLMENT, needs_proof=True,
            ),
            Operation(
                method="PUT", path=f"{path}/passkeys", name="EnrolPasskey", summary="Enrol the passkey that was made.",
                scope=None, run=self.enrol_passkey, takes=PasskeyMade, gives={200: FactorEnrolled},
                callers=PEOPLE_ONLY, steps=_ENROLMENT, needs_proof=True,
            ),
            Operation(
                method="DELETE", path=f"{path}/passkeys/{{passkey_id}}", name="RemovePasskey",
                summary="Take a passkey away.", scope=None, run=self.remove_passkey, gives={200: SessionToken},
                refuses=(400, 404), callers=PEOPLE_ONLY, needs_proof=True,
            ),
            Operation(
                method="POST", path=codes, name="MakeRecoveryCodes",
                summary="Make ten new recovery codes; the old ones open nothing any more.", scope=None,
                run=self.make_codes, gives={201: RecoveryCodes}, callers=PEOPLE_ONLY, needs_proof=True,
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List them."""
        factors = await asyncio.to_thread(self.people.tools.stores.factors.describe, call.person.teammate)
        passkeys = [
            PasskeyListed(
                id=each.id,
                name=each.name,
                created_at=int(each.created_at.timestamp()),
                last_used_at=int(each.last_used_at.timestamp()) if each.last_used_at else None,
            )
            for each in factors.passkeys
        ]
        return Answer(
            status=200,
            body=FactorList(
                totp=factors.has_totp, passkeys=tuple(passkeys), recovery_codes_left=factors.recovery_codes_left
            ),
        )

    async def begin_totp(self, call: Call) -> Answer | Problem:
        """Draw a secret."""
        begun = await asyncio.to_thread(self.people.enrolment.begin_totp, call.person.held)
        return Answer(status=201, body=TotpBegun(secret=begun.secret.reveal(), uri=begun.uri.reveal()))

    async def confirm_totp(self, call: Call) -> Answer | Problem:
        """Enrol it."""
        code = cast("TotpCode", call.body).code
        return _answer(
            await asyncio.to_thread(self.people.enrolment.confirm_totp, call.person.held, code, call.visitor)
        )

    async def begin_passkey(self, call: Call) -> Answer | Problem:
        """Draw a challenge."""
        options = await asyncio.to_thread(self.people.enrolment.begin_passkey, call.person.held)
        if isinstance(options, Deny):
            return problem_of_person(options)
        return Answer(status=201, body=PasskeyOptions(public_key=Raw(options)))

    async def enrol_passkey(self, call: Call) -> Answer | Problem:
        """Enrol it."""
        made = cast("PasskeyMade", call.body)
        if not made.name.strip() or len(made.name) > _MAX_NAME or not made.name.isprintable():
            return _NAME_INVALID
        credential = msgspec.json.encode(made.credential)
        return _answer(
            await asyncio.to_thread(
                self.people.enrolment.finish_passkey, call.person.held, made.name.strip(), credential, call.visitor
            )
        )

    async def remove_totp(self, call: Call) -> Answer | Problem:
        """Take the authenticator away."""
        return answer_session(
            await asyncio.to_thread(self.people.enrolment.remove, call.person.held, None, call.visitor), 200
        )

    async def remove_passkey(self, call: Call) -> Answer | Problem:
        """Take a passkey away."""
        passkey_id = call.parameters["passkey_id"]
        return answer_session(
            await asyncio.to_thread(self.people.enrolment.remove, call.person.held, passkey_id, call.visitor), 200
        )

    async def make_codes(self, call: Call) -> Answer | Problem:
        """Make recovery codes."""
        codes = await asyncio.to_thread(self.people.enrolment.make_codes, call.person.held, call.visitor)
        if isinstance(codes, Deny):
            return problem_of_person(codes)
        return Answer(status=201, body=RecoveryCodes(recovery_codes=tuple([code.reveal() for code in codes])))


def _answer(outcome: Enrolled | Deny) -> Answer | Problem:
    if isinstance(outcome, Deny):
        return problem_of_person(outcome)
    return Answer(
        status=200,
        body=FactorEnrolled(
            session=describe_session(outcome.opened),
            recovery_codes=tuple([code.reveal() for code in outcome.codes]),
        ),
    )
