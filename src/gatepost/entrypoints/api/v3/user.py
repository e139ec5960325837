"""``/v3/user``: the caller as a person: profile, account, e-mail address, user name, password.

A key has no person: it is shown its account's owner, and may change his profile only, since everything else asks for a
second factor, which a key cannot show.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from gatepost.entrypoints.api.letters import Letters
from gatepost.entrypoints.api.operation import PEOPLE_ONLY, Answer, Call, Operation
from gatepost.entrypoints.api.problem import NO_MAIL, NO_MAIL_THERE, NOT_FOUND, Problem, problem, problem_of_person
from gatepost.entrypoints.api.session_answer import SessionToken, answer_session, describe_session
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.access.person import Person
from gatepost.tenancy.accounts.console_session import Step
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.person_ports import AddressRefused
from gatepost.tenancy.accounts.teammate import (
    PROFILE_FIELDS,
    PersonRefused,
    Role,
    Teammate,
    require_email,
    require_username,
)

_REPUTATION: Final = 100.0

log = get_logger()


class UserProfile(Struct, frozen=True, kw_only=True):
    """Names and whereabouts. Nothing depends on them."""

    address: str = ""
    address2: str = ""
    city: str = ""
    company: str = ""
    country: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    state: str = ""
    website: str = ""
    zip: str = ""


class UserProfileChange(Struct, frozen=True, kw_only=True):
    """What is to change; what is left out stays."""

    address: str | UnsetType = UNSET
    address2: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    company: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    website: str | UnsetType = UNSET
    zip: str | UnsetType = UNSET


class UserAccount(Struct, frozen=True, kw_only=True):
    """What kind of account it is; always the same here."""

    type: str
    reputation: float


class UserEmail(Struct, frozen=True, kw_only=True):
    """The address a person signs in with."""

    email: str


class UserEmailPending(Struct, frozen=True, kw_only=True):
    """The address that still counts, and the one that was written to."""

    email: str
    pending_email: str
    expires_at: Annotated[int, Meta(description="Until when the token in the letter is good, Unix seconds.")]


class UserEmailProof(Struct, frozen=True, kw_only=True):
    """The token that came to the new address."""

    token: Annotated[str, Meta(max_length=255)]


class UserEmailChanged(Struct, frozen=True, kw_only=True):
    """The new address, and the session under its new token."""

    email: str
    session: SessionToken


class Username(Struct, frozen=True, kw_only=True):
    """The user name, and the person as a number."""

    username: str
    user_id: int


class UsernameChange(Struct, frozen=True, kw_only=True):
    """The user name that is wanted."""

    username: str


class UsernameChanged(Struct, frozen=True, kw_only=True):
    """The new user name, and the session under its new token."""

    username: str
    session: SessionToken


class PasswordChange(Struct, frozen=True, kw_only=True):
    """The password that is wanted."""

    new_password: Annotated[str, Meta(max_length=4096, description="At least 12 characters; any characters.")]
    old_password: Annotated[
        Annotated[str, Meta(max_length=4096)] | UnsetType,
        Meta(description="Not asked for in a session that a token began."),
    ] = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Shows and changes the caller as a person."""

    people: PeopleUseCases
    letters: Letters

    def operations(self) -> tuple[Operation, ...]:
        """Return what these resources can do."""
        profile, email, username = "/v3/user/profile", "/v3/user/email", "/v3/user/username"
        return (
            Operation(
                method="GET", path=profile, name="GetProfile", summary="Show the profile.", scope="user.profile.read",
                run=self.show_profile, gives={200: UserProfile}, refuses=(404,), is_own=True,
            ),
            Operation(
                method="PATCH", path=profile, name="UpdateProfile", summary="Change parts of the profile.",
                scope="user.profile.update", run=self.change_profile, takes=UserProfileChange,
                gives={200: UserProfile}, refuses=(404,), is_own=True,
            ),
            Operation(
                method="GET", path="/v3/user/account", name="GetAccount", summary="Show what kind of account it is.",
                scope="user.account.read", run=show_account, gives={200: UserAccount}, is_own=True,
            ),
            Operation(
                method="GET", path=email, name="GetEmail", summary="Show the e-mail address.",
                scope="user.email.read", run=self.show_email, gives={200: UserEmail}, refuses=(404,), is_own=True,
            ),
            Operation(
                method="PUT", path=email, name="UpdateEmail",
                summary="Have a token mailed to a new e-mail address; the old one counts until it is given back.",
                scope=None, run=self.request_email, takes=UserEmail, gives={202: UserEmailPending}, refuses=(429,),
                callers=PEOPLE_ONLY, needs_proof=True,
            ),
            Operation(
                method="POST", path=f"{email}/confirm", name="ConfirmEmail",
                summary="Change the e-mail address to the one that the token was mailed to, in the same session.",
                scope=None, run=self.confirm_email, takes=UserEmailProof, gives={200: UserEmailChanged},
                refuses=(429,), callers=PEOPLE_ONLY, needs_proof=True,
            ),
            Operation(
                method="GET", path=username, name="GetUsername", summary="Show the user name.",
                scope="user.username.read", run=self.show_username, gives={200: Username}, refuses=(404,), is_own=True,
            ),
            Operation(
                method="PUT", path=username, name="UpdateUsername", summary="Change the user name.", scope=None,
                run=self.change_username, takes=UsernameChange, gives={200: UsernameChanged}, callers=PEOPLE_ONLY,
                needs_proof=True,
            ),
            Operation(
                method="PUT", path="/v3/user/password", name="UpdatePassword", summary="Change the password.",
                scope=None, run=self.change_password, takes=PasswordChange, gives={200: SessionToken},
                callers=PEOPLE_ONLY, steps=frozenset({Step.PASSWORD}), needs_proof=True,
            ),
        )  # fmt: skip

    async def show_profile(self, call: Call) -> Answer | Problem:
        """Show names and whereabouts."""
        person = await self._find(call)
        return NOT_FOUND if person is None else Answer(status=200, body=_profile(person))

    async def change_profile(self, call: Call) -> Answer | Problem:
        """Change what is given."""
        person = await self._find(call)
        if person is None:
            return NOT_FOUND
        wanted = cast("UserProfileChange", call.body)
        given = {name: value for name, value in structs.asdict(wanted).items() if isinstance(value, str)}
        try:
            changed = await asyncio.to_thread(self.people.membership.change_profile, person, given, call.actor)
        except PersonRefused as refused:
            return problem(400, str(refused), at=refused.subject)
        return NOT_FOUND if changed is None else Answer(status=200, body=_profile(changed))

    async def show_email(self, call: Call) -> Answer | Problem:
        """Show the address."""
        person = await self._find(call)
        return NOT_FOUND if person is None else Answer(status=200, body=UserEmail(email=person.email))

    async def show_username(self, call: Call) -> Answer | Problem:
        """Show the user name."""
        person = await self._find(call)
        if person is None:
            return NOT_FOUND
        return Answer(status=200, body=Username(username=person.username, user_id=person.number))

    async def request_email(self, call: Call) -> Answer | Problem:
        """Mail a token to the new address; if that cannot be, nothing was asked."""
        try:
            wanted = require_email(cast("UserEmail", call.body).email)
        except PersonRefused as refused:
            return problem(400, str(refused), at=refused.subject)
        held, changes = call.person.held, self.people.email_changes
        outcome = await asyncio.to_thread(changes.request, held, wanted, call.visitor)
        if isinstance(outcome, Deny):
            return problem_of_person(outcome)
        change, token = outcome
        try:
            await self.letters.send_email_token(change, token)
        except Misconfigured as error:
            log.warning("email_token_not_mailed", teammate_id=held.person.id, reason=str(error))
            await asyncio.to_thread(changes.withdraw, held)
            return NO_MAIL_THERE if isinstance(error, AddressRefused) else NO_MAIL
        body = UserEmailPending(
            email=held.person.email, pending_email=change.email, expires_at=int(change.expires_at.timestamp())
        )
        return Answer(status=202, body=body)

    async def confirm_email(self, call: Call) -> Answer | Problem:
        """Take the token, and change the address."""
        token = Secret(cast("UserEmailProof", call.body).token)
        outcome = await asyncio.to_thread(self.people.email_changes.confirm, call.person.held, token, call.visitor)
        if isinstance(outcome, Deny):
            return problem_of_person(outcome)
        body = UserEmailChanged(email=outcome.person.email, session=describe_session(outcome))
        return Answer(status=200, body=body)

    async def change_username(self, call: Call) -> Answer | Problem:
        """Change the user name."""
        try:
            wanted = require_username(cast("UsernameChange", call.body).username)
        except PersonRefused as refused:
            return problem(400, str(refused), at=refused.subject)
        change = self.people.membership.change_username
        outcome = await asyncio.to_thread(change, call.person.held, wanted, call.visitor)
        if isinstance(outcome, Deny):
            return problem_of_person(outcome)
        body = UsernameChanged(username=outcome.person.username, session=describe_session(outcome))
        return Answer(status=200, body=body)

    async def change_password(self, call: Call) -> Answer | Problem:
        """Change the password."""
        wanted = cast("PasswordChange", call.body)
        old = Secret(wanted.old_password) if isinstance(wanted.old_password, str) else None
        outcome = await self.people.membership.change_password(
            call.person.held, old, Secret(wanted.new_password), call.visitor
        )
        return answer_session(outcome, 200)

    async def _find(self, call: Call) -> Teammate | None:
        """Return the person who calls; for a key its account's owner."""
        if isinstance(call.principal, Person):
            return call.principal.teammate
        teammates = self.people.tools.stores.teammates
        people = await asyncio.to_thread(teammates.list_all, call.principal.account_id)
        return next((each for each in people if each.role is Role.OWNER), None)


async def show_account(call: Call) -> Answer | Problem:  # noqa: ARG001 - every operation has it
    """Show what clients of the dialect ask for; there are no plans here."""
    return Answer(status=200, body=UserAccount(type="paid", reputation=_REPUTATION))


def _profile(person: Teammate) -> UserProfile:
    fields = {name: person.profile.get(name, "") for name in PROFILE_FIELDS}
    return UserProfile(first_name=person.first_name, last_name=person.last_name, **fields)
