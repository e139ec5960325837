"""The first person of a subuser that is made with a password: its owner, who has to enrol a second factor next."""

from dataclasses import dataclass
from typing import Final

from gatepost.primitives.ids import new_teammate_id
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts import password as passwords
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.accounts.joining import describe_person
from gatepost.tenancy.accounts.person_ports import NameTaken, PasswordHash
from gatepost.tenancy.accounts.session_keeper import PeopleTools, subject
from gatepost.tenancy.accounts.sign_in import password_context
from gatepost.tenancy.accounts.teammate import PersonRefused, Role, Teammate, require_email, require_username
from gatepost.tenancy.audit.entry import Act, Actor

_TAKEN: Final = {
    "email": "somebody has this e-mail address already, and it stands for one person in the whole service: give "
    "another one, or leave the password out",
    "username": "somebody is called so already: give another username, or leave the password out",
}


class FirstOwnerRefused(Exception):
    """What was given for the person is not taken; ``subject`` names the field, the text says why, for who chose it."""

    def __init__(self, subject: str, text: str) -> None:
        super().__init__(text)
        self.subject = subject


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerWanted:
    """The person as he will be, with the hash of his password."""

    username: str
    email: str
    encoded: str


class FirstOwners:
    """Makes the first people of accounts. The user name is the account's, as the dialect has it."""

    def __init__(self, tools: PeopleTools, hasher: PasswordHash, common_passwords: frozenset[str]) -> None:
        self._tools: Final = tools
        self._hasher: Final = hasher
        self._common: Final = common_passwords

    async def prepare(self, name: str, *, email: str, password: Secret[str]) -> OwnerWanted:
        """Judge and hash, before anything is made: hashing takes long, and a unit of work must not.

        Raises:
            FirstOwnerRefused: The name, the address or the password is not one we take.
            Transient: Too many passwords are being hashed.
        """
        try:
            username, address = require_username(name), require_email(email)
        except PersonRefused as error:
            raise FirstOwnerRefused(error.subject, f"{error}; or leave the password out") from error
        reason = passwords.judge(password.reveal(), own_words=(address, username), common=self._common)
        if reason is not None:
            raise FirstOwnerRefused("password", reason.value)
        return OwnerWanted(username=username, email=address, encoded=await self._hasher.hash(password))

    def add(self, account: Account, wanted: OwnerWanted, by: Actor) -> Teammate:
        """Make the person, as the account's owner, without a second factor yet: nothing else is done before he has one.

        A part of the unit of work that makes the account: if this raises, there is no account either.

        Raises:
            FirstOwnerRefused: Somebody has the address or the name.
        """
        tools = self._tools
        person = Teammate(
            id=new_teammate_id(tools.entropy),
            account_id=account.id,
            email=wanted.email,
            username=wanted.username,
            role=Role.OWNER,
            created_at=tools.clock.now(),
        )
        recorder = tools.record_as(by)
        with recorder.acting():
            try:
                tools.stores.teammates.add(person)
            except NameTaken as taken:
                raise FirstOwnerRefused(taken.subject, _TAKEN[taken.subject]) from taken
            sealed = tools.sealer.seal(wanted.encoded.encode("ascii"), context=password_context(person))
            tools.stores.teammates.set_password(person, sealed)
            recorder.record(
                account.id, Act.TEAMMATE_JOINED, subject(person), before=None, after=describe_person(person)
            )
        return person
