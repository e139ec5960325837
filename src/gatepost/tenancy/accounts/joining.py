"""How people come into an account: invited by mail, or the first owner by the operator's word."""

import asyncio
from dataclasses import replace
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import AccountId, InvitationId, new_invitation_id, new_teammate_id
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts import password as passwords
from gatepost.tenancy.accounts.attempt_limit import AttemptKind
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.invitation import MAX_TEAMMATES, VALID_FOR, Invitation
from gatepost.tenancy.accounts.person_ports import NameTaken, PasswordHash
from gatepost.tenancy.accounts.session_keeper import NotOpened, Opened, PeopleTools, SessionKeeper, Visitor, subject
from gatepost.tenancy.accounts.sign_in import password_context
from gatepost.tenancy.accounts.teammate import Role, Teammate, require_name, require_username
from gatepost.tenancy.accounts.token import TokenKind, hash_token
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind, Snapshot


class Inviting:
    """Makes invitations."""

    def __init__(self, tools: PeopleTools) -> None:
        self._tools: Final = tools
        self._keeper: Final = SessionKeeper(tools)

    def invite(
        self, account_id: AccountId, email: str, role: Role, scopes: frozenset[str], by: Actor
    ) -> tuple[Invitation, Secret[str]] | Deny:
        """Make an invitation; the token is for the eyes of whoever reads that mailbox.

        Whether somebody has that address in another account is not said here, but to him: when he accepts.
        """
        tools = self._tools
        now = tools.clock.now()
        invitation = Invitation(
            id=new_invitation_id(tools.entropy),
            account_id=account_id,
            email=email,
            role=role,
            scopes=scopes,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        token, token_hash = self._keeper.draw(TokenKind.INVITATION)
        recorder = tools.record_as(by)
        with recorder.acting():
            people = tools.stores.teammates.list_all(account_id)
            invited = tools.stores.invitations.list_all(account_id)
            if email in {*[each.email for each in people], *[each.email for each in invited]}:
                return Deny(PersonDenial.NAME_TAKEN, "email")
            if len(people) + len(invited) >= MAX_TEAMMATES:
                return Deny(PersonDenial.TOO_MANY)
            tools.stores.invitations.add(invitation, token_hash)
            recorder.record(
                account_id, Act.TEAMMATE_INVITED, _name(invitation.id), before=None, after=_snapshot(invitation)
            )
        return invitation, token

    def invite_owner(self, account_id: AccountId, email: str, by: Actor) -> tuple[Invitation, Secret[str]] | Deny:
        """Invite the first owner, in the place of any invited before; there must be none yet."""
        with self._tools.record_as(by).acting():
            if any(each.role is Role.OWNER for each in self._tools.stores.teammates.list_all(account_id)):
                return Deny(PersonDenial.TOO_MANY)
            for open_one in self._tools.stores.invitations.list_all(account_id):
                if open_one.role is Role.OWNER or open_one.email == email:
                    self.withdraw(account_id, open_one.id, by)
            return self.invite(account_id, email, Role.OWNER, frozenset(), by)

    def resend(self, invitation: Invitation, by: Actor) -> tuple[Invitation, Secret[str]] | Deny:
        """Give an invitation a new token and seven days more; the token mailed before is worth nothing any more."""
        tools = self._tools
        renewed = replace(invitation, expires_at=tools.clock.now() + VALID_FOR)
        token, token_hash = self._keeper.draw(TokenKind.INVITATION)
        recorder = tools.record_as(by)
        with recorder.acting():
            if not tools.stores.invitations.renew(renewed, token_hash):
                return Deny(PersonDenial.UNKNOWN)
            recorder.record(
                renewed.account_id,
                Act.INVITATION_RESENT,
                _name(renewed.id),
                before={"expires_at": invitation.expires_at.isoformat()},
                after={"expires_at": renewed.expires_at.isoformat()},
            )
        return renewed, token

    def withdraw(self, account_id: AccountId, invitation_id: InvitationId, by: Actor) -> bool:
        """Forget an invitation; return whether there was one."""
        recorder = self._tools.record_as(by)
        with recorder.acting():
            found = self._tools.stores.invitations.find(account_id, invitation_id)
            if found is None or not self._tools.stores.invitations.withdraw(account_id, invitation_id):
                return False
            recorder.record(account_id, Act.INVITATION_WITHDRAWN, _name(found.id), before=_snapshot(found), after=None)
            return True


class Joining:
    """Makes people of invitations."""

    def __init__(self, tools: PeopleTools, hasher: PasswordHash, common_passwords: frozenset[str]) -> None:
        self._tools: Final = tools
        self._hasher: Final = hasher
        self._common: Final = common_passwords
        self._keeper: Final = SessionKeeper(tools)

    async def accept(
        self,
        token: Secret[str],
        *,
        username: str,
        first_name: str,
        last_name: str,
        password: Secret[str],
        visitor: Visitor,
    ) -> Opened | Deny:
        """Become a person of the account: the address is the invited one, and a second factor is due next.

        Raises:
            PersonRefused: A name cannot be taken.
            Transient: It can be neither judged nor stored now.
        """
        names = require_username(username), require_name(first_name, "first_name"), require_name(last_name, "last_name")
        attempt = await asyncio.to_thread(self._keeper.reserve, AttemptKind.TOKEN, None, "", visitor)
        if isinstance(attempt, Deny):
            return attempt
        token_hash = hash_token(TokenKind.INVITATION, token, self._tools.sealer.hash_secret)
        invitation = self._find_valid(token_hash)
        if token_hash is None or invitation is None:
            return Deny(PersonDenial.TOKEN_NOT_VALID)
        denial = self._judge(password, invitation, names)
        if denial is not None:
            await asyncio.to_thread(self._keeper.forgive, attempt)
            return denial
        encoded = await self._hasher.hash(password)
        try:
            return await asyncio.to_thread(self._join, token_hash, names, encoded, visitor, attempt)
        except NameTaken as taken:
            return Deny(PersonDenial.NAME_TAKEN, taken.subject)
        except NotOpened as undone:
            return undone.denial

    def _join(
        self, token_hash: bytes, names: tuple[str, str, str], encoded: str, visitor: Visitor, attempt: bytes
    ) -> Opened | Deny:
        tools = self._tools
        person_id = new_teammate_id(tools.entropy)
        by = Actor(kind=ActorKind.PERSON, id=person_id, origin=str(visitor.peer), credential="invitation")
        recorder = tools.record_as(by)
        with recorder.acting():
            invitation = tools.stores.invitations.take(token_hash)
            if invitation is None or invitation.expires_at <= tools.clock.now():
                return Deny(PersonDenial.TOKEN_NOT_VALID)
            person = Teammate(
                id=person_id,
                account_id=invitation.account_id,
                email=invitation.email,
                username=names[0],
                first_name=names[1],
                last_name=names[2],
                role=invitation.role,
                scopes=invitation.scopes,
                created_at=tools.clock.now(),
            )
            tools.stores.teammates.add(person)
            sealed = tools.sealer.seal(encoded.encode("ascii"), context=password_context(person))
            tools.stores.teammates.set_password(person, sealed)
            recorder.record(
                person.account_id, Act.TEAMMATE_JOINED, subject(person), before=None, after=describe_person(person)
            )
            self._keeper.forgive(attempt)
            return self._keeper.open_by_token(person, "invitation", visitor, is_password_due=False)

    def _find_valid(self, token_hash: bytes | None) -> Invitation | None:
        found = None if token_hash is None else self._tools.stores.invitations.find_by_token(token_hash)
        return found if found is not None and found.expires_at > self._tools.clock.now() else None

    def _judge(self, password: Secret[str], invitation: Invitation, names: tuple[str, ...]) -> Deny | None:
        account = self._tools.accounts.find(invitation.account_id)
        own_words = (invitation.email, *names, account.name if account else "")
        reason = passwords.judge(password.reveal(), own_words=own_words, common=self._common)
        return None if reason is None else Deny(PersonDenial.PASSWORD_NOT_TAKEN, reason.value)


def describe_person(person: Teammate) -> Snapshot:
    """Return what of a person stands in the audit log."""
    return {
        "username": person.username,
        "email": person.email,
        "role": person.role.value,
        "scopes": sorted(person.scopes),
    }


def _name(invitation_id: InvitationId) -> str:
    return f"invitation/{invitation_id}"


def _snapshot(invitation: Invitation) -> Snapshot:
    return {
        "email": invitation.email,
        "role": invitation.role.value,
        "scopes": sorted(invitation.scopes),
        "expires_at": invitation.expires_at.isoformat(),
    }
