"""``/v3/password_resets``, ``/v3/invitations``: the ways in by a token that came by mail; no part of the dialect.

A reset token stands for the password and for nothing else: the session that it begins asks for the second factor first.
Whether anybody is called so is not told: a request is answered before it is looked at.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from msgspec import Meta, Struct

from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.operation import NOBODY, Answer, Call, Operation
from gatepost.entrypoints.api.problem import Problem, problem
from gatepost.entrypoints.api.session_answer import SessionToken, answer_session
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import RelayError
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.session_keeper import Visitor
from gatepost.tenancy.accounts.teammate import PersonRefused

_MAX_UNDER_WAY: Final = 50
_BUSY: Final = problem(503, "too many resets are asked for at the moment", headers={"Retry-After": "5"})

log = get_logger()


class ResetWanted(Struct, frozen=True, kw_only=True):
    """Whose password is forgotten."""

    username: Annotated[str, Meta(max_length=255, description="The user name or the e-mail address.")]


class ResetToken(Struct, frozen=True, kw_only=True):
    """The token that came by mail, or from the operator."""

    token: Annotated[str, Meta(max_length=255)]


class InvitationAccepted(Struct, frozen=True, kw_only=True):
    """Who accepts an invitation, and how he wants to be called. The address is the invited one."""

    token: Annotated[str, Meta(max_length=255)]
    username: Annotated[str, Meta(max_length=255)]
    password: Annotated[str, Meta(max_length=4096, description="At least 12 characters; any characters.")]
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEntries:
    """Begins sessions by tokens. ``under_way`` holds the resets that are being looked at."""

    people: PeopleUseCases
    letters: Letters
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def operations(self) -> tuple[Operation, ...]:
        """Return what these resources can do."""
        path = "/v3/password_resets"
        return (
            Operation(
                method="POST", path=path, name="RequestPasswordReset", summary="Have a reset token mailed.",
                scope=None, run=self.request, takes=ResetWanted, gives={202: None}, callers=NOBODY,
            ),
            Operation(
                method="POST", path=f"{path}/redeem", name="RedeemPasswordReset",
                summary="Begin a session in which a new password is due, behind the second factor.", scope=None,
                run=self.redeem, takes=ResetToken, gives={201: SessionToken}, callers=NOBODY,
            ),
            Operation(
                method="POST", path="/v3/invitations/accept", name="AcceptInvitation",
                summary="Become a teammate; a second factor has to be enrolled next.", scope=None, run=self.accept,
                takes=InvitationAccepted, gives={201: SessionToken}, callers=NOBODY,
            ),
        )  # fmt: skip

    async def request(self, call: Call) -> Answer | Problem:
        """Answer, and then look who is meant."""
        if len(self.under_way) >= _MAX_UNDER_WAY:
            return _BUSY
        name = cast("ResetWanted", call.body).username
        task = asyncio.create_task(self._mail_reset(name, call.visitor))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return Answer(status=202)

    async def redeem(self, call: Call) -> Answer | Problem:
        """Begin a session."""
        token = Secret(cast("ResetToken", call.body).token)
        return answer_session(await asyncio.to_thread(self.people.sign_in.with_reset_token, token, call.visitor), 201)

    async def accept(self, call: Call) -> Answer | Problem:
        """Make a person of an invitation."""
        wanted = cast("InvitationAccepted", call.body)
        try:
            outcome = await self.people.joining.accept(
                Secret(wanted.token),
                username=wanted.username,
                first_name=wanted.first_name,
                last_name=wanted.last_name,
                password=Secret(wanted.password),
                visitor=call.visitor,
            )
        except PersonRefused as refused:
            return problem(400, str(refused), at=refused.subject)
        return answer_session(outcome, 201, password_field="password")  # noqa: S106 - a field's name

    async def _mail_reset(self, name: str, visitor: Visitor) -> None:
        try:
            made = await asyncio.to_thread(self.people.sign_in.request_reset, name, visitor)
            if isinstance(made, Deny):
                log.info("password_reset_refused", peer=str(visitor.peer), reason=made.reason.value)
            elif made is not None:
                await self.letters.send_reset(made[0], made[1])
        except RelayError as error:
            log.warning("password_reset_failed", peer=str(visitor.peer), reason=str(error))
