"""``/v3/teammates``: the people of the caller's account: invited, changed, removed, never beyond what the caller holds.

``token`` in these answers is the invitation's id, as the dialect calls it; what opens the account is in the mail alone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar, cast

from msgspec import Meta, Struct, field

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.operation import Answer, Call, Operation
from gatepost.entrypoints.api.ports import Callers, RightsChanged
from gatepost.entrypoints.api.problem import FORBIDDEN, NO_MAIL, NO_MAIL_THERE, Problem, problem, problem_of_person
from gatepost.primitives.decision import Decision, Deny
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import InvitationId
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.grant import Widening
from gatepost.tenancy.access.person import Caller, scopes_of
from gatepost.tenancy.access.scope import UnknownScope, require_known
from gatepost.tenancy.access.team import decide_change, decide_grant, decide_removal
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.invitation import Invitation
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.person_ports import AddressRefused
from gatepost.tenancy.accounts.teammate import PROFILE_FIELDS, PersonRefused, Role, Teammate, require_email

_MAX_LIMIT: Final = 500
_CREATE, _READ, _UPDATE, _DELETE = (f"teammates.{verb}" for verb in ("create", "read", "update", "delete"))

_UNKNOWN: Final = problem(404, "username not found", at="username")
_NOT_PENDING: Final = problem(404, "invalid pending key", at="pending_key")
_TAKEN: Final = problem(400, "this address belongs to a teammate, or is invited already", at="email")

T = TypeVar("T")
log = get_logger()


class TeammateWanted(Struct, frozen=True, kw_only=True):
    """Who is to be invited, and as what."""

    email: str
    scopes: tuple[str, ...]
    is_admin: bool = False


class RightsWanted(Struct, frozen=True, kw_only=True):
    """What a teammate is to hold."""

    scopes: tuple[str, ...]
    is_admin: bool


class TeammateInvited(Struct, frozen=True, kw_only=True):
    """An invitation that was mailed."""

    token: Annotated[str, Meta(description="The invitation's id, by which it is mailed again or withdrawn.")]
    email: str
    scopes: tuple[str, ...]
    is_admin: bool


class TeammatePending(Struct, frozen=True, kw_only=True):
    """An invitation that nobody has accepted yet."""

    email: str
    scopes: tuple[str, ...]
    is_admin: bool
    token: str
    expiration_date: int


class PendingList(Struct, frozen=True, kw_only=True):
    """The account's open invitations, oldest first; expired ones stay until they are withdrawn."""

    result: tuple[TeammatePending, ...]


class TeammateListed(Struct, frozen=True, kw_only=True):
    """A person in a list."""

    username: str
    email: str
    first_name: str
    last_name: str
    user_type: Annotated[str, Meta(description="owner, admin, teammate")]
    is_admin: bool
    phone: str
    website: str
    address: str
    address2: str
    city: str
    state: str
    zip: str
    country: str


class TeammateShown(TeammateListed, frozen=True, kw_only=True):
    """A person with what he may do."""

    scopes: tuple[str, ...]


class TeammateList(Struct, frozen=True, kw_only=True):
    """The account's people, oldest first."""

    result: tuple[TeammateListed, ...]


class SubuserAccessPage(Struct, frozen=True, kw_only=True):
    """Where the next page begins: nowhere."""

    next_params: dict[str, str]


class SubuserAccess(Struct, frozen=True, kw_only=True):
    """To which subusers a teammate is restricted: nobody is."""

    has_restricted_subuser_access: bool
    subuser_access: tuple[str, ...]
    metadata: SubuserAccessPage = field(name="_metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Teammates:
    """Manages the people of the caller's account."""

    people: PeopleUseCases
    callers: Callers
    letters: Letters
    rights_changed: RightsChanged
    acts: ActsInProgress

    def operations(self) -> tuple[Operation, ...]:
        """Return what this resource can do."""
        many, one = "/v3/teammates", "/v3/teammates/{username}"
        pending = f"{many}/pending"
        page = {"limit": f"How many to return: 0 to {_MAX_LIMIT}.", "offset": "How many to leave out before them."}
        return (
            Operation(
                method="GET", path=many, name="ListTeammates", summary="List the account's people.", scope=_READ,
                run=self.list_all, gives={200: TeammateList}, refuses=(400,), query=page,
            ),
            Operation(
                method="POST", path=many, name="InviteTeammate", summary="Invite somebody by mail, for seven days.",
                scope=_CREATE, run=self.invite, takes=TeammateWanted, gives={201: TeammateInvited}, needs_proof=True,
            ),
            Operation(
                method="GET", path=pending, name="ListPendingTeammates", summary="List the open invitations.",
                scope=_READ, run=self.list_pending, gives={200: PendingList},
            ),
            Operation(
                method="DELETE", path=f"{pending}/{{token}}", name="DeletePendingTeammate",
                summary="Withdraw an invitation.", scope=_DELETE, run=self.withdraw, gives={204: None},
                refuses=(404,), needs_proof=True,
            ),
            Operation(
                method="POST", path=f"{pending}/{{token}}/resend", name="ResendTeammateInvite",
                summary="Mail an invitation again, with another token and for seven days more.", scope=_CREATE,
                run=self.resend, gives={200: TeammateInvited}, refuses=(404,), needs_proof=True,
            ),
            Operation(
                method="GET", path=one, name="GetTeammate", summary="Show a person and his scopes.", scope=_READ,
                run=self.show, gives={200: TeammateShown}, refuses=(404,),
            ),
            Operation(
                method="PATCH", path=one, name="UpdateTeammate",
                summary="Replace what a person may do; ends his sessions.", scope=_UPDATE, run=self.change,
                takes=RightsWanted, gives={200: TeammateShown}, refuses=(404,), needs_proof=True,
            ),
            Operation(
                method="DELETE", path=one, name="DeleteTeammate",
                summary="Remove a person for good; the keys he made stay.", scope=_DELETE, run=self.remove,
                gives={204: None}, refuses=(404,), needs_proof=True,
            ),
            Operation(
                method="GET", path=f"{many}/{{username}}/subuser_access", name="GetTeammateSubuserAccess",
                summary="Show to which subusers a person is restricted.", scope=_READ, run=self.show_subuser_access,
                gives={200: SubuserAccess}, refuses=(404,),
            ),
        )  # fmt: skip

    async def list_all(self, call: Call) -> Answer | Problem:
        """List them, a page at a time."""
        limit, offset = (_read_number(call, name, otherwise) for name, otherwise in (("limit", 500), ("offset", 0)))
        if limit is None or limit > _MAX_LIMIT:
            return problem(400, f"limit must be a number from 0 to {_MAX_LIMIT}", at="limit")
        if offset is None:
            return problem(400, "offset must be a number from 0 up", at="offset")
        teammates = self.people.tools.stores.teammates
        people = await asyncio.to_thread(teammates.list_all, call.principal.account_id)
        page = people[offset : offset + limit]
        return Answer(status=200, body=TeammateList(result=tuple([_listed(each) for each in page])))

    async def show(self, call: Call) -> Answer | Problem:
        """Show one."""
        person = await asyncio.to_thread(self._find, call)
        return _UNKNOWN if person is None else Answer(status=200, body=_shown(person))

    async def show_subuser_access(self, call: Call) -> Answer | Problem:
        """Say that a person is not restricted to single subusers."""
        person = await asyncio.to_thread(self._find, call)
        if person is None:
            return _UNKNOWN
        page = SubuserAccessPage(next_params={})
        access = SubuserAccess(has_restricted_subuser_access=False, subuser_access=(), metadata=page)
        return Answer(status=200, body=access)

    async def invite(self, call: Call) -> Answer | Problem:
        """Invite somebody with rights that the caller holds."""
        wanted = cast("TeammateWanted", call.body)
        rights = _read_rights(wanted.scopes, is_admin=wanted.is_admin)
        if isinstance(rights, Problem):
            return rights
        try:
            email = require_email(wanted.email)
        except PersonRefused as refused:
            return problem(400, str(refused), at=refused.subject)

        def invite(caller: Caller) -> tuple[Invitation, Secret[str]] | Deny:
            allowed = decide_grant(caller, *rights)
            if isinstance(allowed, Deny):
                return allowed
            return self.people.inviting.invite(caller.account_id, email, *rights, call.actor)

        return await self._mail(await self._act(call, _CREATE, invite), 201, call)

    async def list_pending(self, call: Call) -> Answer | Problem:
        """List the open invitations."""
        invitations = self.people.tools.stores.invitations
        found = await asyncio.to_thread(invitations.list_all, call.principal.account_id)
        return Answer(status=200, body=PendingList(result=tuple([_pending(each) for each in found])))

    async def resend(self, call: Call) -> Answer | Problem:
        """Mail an invitation again, if the caller could have made it."""

        def resend(caller: Caller) -> tuple[Invitation, Secret[str]] | Deny:
            found = self._find_invitation(call)
            if found is None:
                return Deny(PersonDenial.UNKNOWN)
            allowed = decide_grant(caller, found.role, found.scopes)
            return allowed if isinstance(allowed, Deny) else self.people.inviting.resend(found, call.actor)

        return await self._mail(await self._act(call, _CREATE, resend), 200, call)

    async def withdraw(self, call: Call) -> Answer | Problem:
        """Withdraw an invitation."""

        def withdraw(caller: Caller) -> bool:
            return self.people.inviting.withdraw(caller.account_id, _invitation_id(call), call.actor)

        outcome = await self._act(call, _DELETE, withdraw)
        if isinstance(outcome, Problem):
            return outcome
        return Answer(status=204) if outcome else _NOT_PENDING

    async def change(self, call: Call) -> Answer | Problem:
        """Replace a person's rights by some that the caller holds."""
        wanted = cast("RightsWanted", call.body)
        rights = _read_rights(wanted.scopes, is_admin=wanted.is_admin)
        if isinstance(rights, Problem):
            return rights

        def change(caller: Caller) -> Teammate | Deny | None:
            def decide(person: Teammate) -> Decision:
                return decide_change(caller, person, *rights)

            return self._on_target(
                call, decide, lambda person: self.people.membership.change_rights(person, *rights, call.actor)
            )

        outcome = await self._act(call, _UPDATE, change)
        if isinstance(outcome, Teammate):
            await self.rights_changed.settle()
            return Answer(status=200, body=_shown(outcome))
        return _refuse(outcome)

    async def remove(self, call: Call) -> Answer | Problem:
        """Remove a person; nothing that he had begun goes on once this is answered."""

        def remove(caller: Caller) -> bool | Deny | None:
            return self._on_target(
                call,
                lambda person: decide_removal(caller, person),
                lambda person: self.people.membership.remove(person, call.actor),
            )

        outcome = await self._act(call, _DELETE, remove)
        if isinstance(outcome, (Deny, Problem)) or not outcome:
            return _refuse(outcome if isinstance(outcome, (Deny, Problem)) else None)
        await self.rights_changed.settle()
        return Answer(status=204)

    def _on_target(
        self, call: Call, decide: Callable[[Teammate], Decision], act: Callable[[Teammate], T]
    ) -> T | Deny | None:
        """Do something to the person that the path names, if it may be done to him as he stands now."""
        with self.people.tools.record_as(call.actor).acting():
            person = self._find(call)
            if person is None:
                return None
            decision = decide(person)
            return decision if isinstance(decision, Deny) else act(person)

    async def _act(self, call: Call, scope: str, act: Callable[[Caller], T]) -> T | Problem:
        """Do something in a thread, by the rights that the caller has at this moment."""
        with self.acts.enter():
            caller = self.callers.recheck(call.principal, call.peer, scope=scope)
            if isinstance(caller, Deny):
                return problem_of_person(caller)
            return await asyncio.to_thread(act, caller)

    async def _mail(
        self, outcome: tuple[Invitation, Secret[str]] | Deny | Problem, status: int, call: Call
    ) -> Answer | Problem:
        """Mail an invitation just made; if the service has no mail of its own, there is to be no invitation."""
        if not isinstance(outcome, tuple):
            return _refuse(outcome)
        invitation, token = outcome
        try:
            await self.letters.send_invitation(invitation, token)
        except Misconfigured as error:
            log.warning("invitation_not_mailed", invitation_id=invitation.id, reason=str(error))
            withdraw = self.people.inviting.withdraw
            await asyncio.to_thread(withdraw, invitation.account_id, invitation.id, call.actor)
            return NO_MAIL_THERE if isinstance(error, AddressRefused) else NO_MAIL
        body = TeammateInvited(
            token=invitation.id,
            email=invitation.email,
            scopes=tuple(sorted(invitation.scopes)),
            is_admin=invitation.role is Role.ADMIN,
        )
        return Answer(status=status, body=body)

    def _find(self, call: Call) -> Teammate | None:
        teammates = self.people.tools.stores.teammates
        return teammates.find_by_username(call.principal.account_id, call.parameters["username"])

    def _find_invitation(self, call: Call) -> Invitation | None:
        return self.people.tools.stores.invitations.find(call.principal.account_id, _invitation_id(call))


def _invitation_id(call: Call) -> InvitationId:
    return InvitationId(call.parameters["token"])


def _read_number(call: Call, name: str, otherwise: int) -> int | None:
    text = call.parameters.get(name, "")
    if not text:
        return otherwise
    return int(text) if text.isascii() and text.isdigit() else None


def _read_rights(scopes: tuple[str, ...], *, is_admin: bool) -> tuple[Role, frozenset[str]] | Problem:
    if is_admin:
        return Role.ADMIN, frozenset()
    try:
        return Role.SCOPED, require_known(scopes)
    except UnknownScope as error:
        return problem(400, f"one or more of given scopes are invalid: {error}", at="scopes")


def _refuse(outcome: Deny | Problem | None) -> Problem:
    if isinstance(outcome, Problem):
        return outcome
    if outcome is None:
        return _UNKNOWN
    if outcome.reason is Widening.SCOPES:
        return problem(403, f"access forbidden: you do not hold these yourself: {outcome.detail}", at="scopes")
    if isinstance(outcome.reason, Widening):
        return FORBIDDEN
    if outcome.reason is PersonDenial.NAME_TAKEN:
        return _TAKEN
    return _NOT_PENDING if outcome.reason is PersonDenial.UNKNOWN else problem_of_person(outcome)


def _pending(invitation: Invitation) -> TeammatePending:
    return TeammatePending(
        email=invitation.email,
        scopes=tuple(sorted(invitation.scopes)),
        is_admin=invitation.role is not Role.SCOPED,
        token=invitation.id,
        expiration_date=int(invitation.expires_at.timestamp()),
    )


def _fields(person: Teammate) -> dict[str, object]:
    return {
        "username": person.username,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "user_type": person.role.value,
        "is_admin": person.role is not Role.SCOPED,
        **{name: person.profile.get(name, "") for name in PROFILE_FIELDS if name != "company"},
    }


def _shown(person: Teammate) -> TeammateShown:
    return TeammateShown(**_fields(person), scopes=tuple(sorted(scopes_of(person))))  # type: ignore[arg-type]  # by name


def _listed(person: Teammate) -> TeammateListed:
    return TeammateListed(**_fields(person))  # type: ignore[arg-type]  # by name
