"""What becomes of a person in an account: names, password, rights, the end; and the way back for one locked out."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts import password as passwords
from gatepost.tenancy.accounts.attempt_limit import AttemptKind
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.joining import describe_person
from gatepost.tenancy.accounts.person_ports import NameTaken, PasswordHash, ResetKind, ResetToken
from gatepost.tenancy.accounts.session_keeper import Held, Opened, PeopleTools, SessionKeeper, Visitor, actor, subject
from gatepost.tenancy.accounts.sign_in import find_password, password_context
from gatepost.tenancy.accounts.teammate import Role, Teammate, require_name, require_profile
from gatepost.tenancy.accounts.token import TokenKind
from gatepost.tenancy.audit.entry import Act, Actor, Snapshot

SET_UP_VALID_FOR: Final = timedelta(hours=24)


class Membership:
    """Changes people."""

    def __init__(self, tools: PeopleTools, hasher: PasswordHash, common_passwords: frozenset[str]) -> None:
        self._tools: Final = tools
        self._hasher: Final = hasher
        self._common: Final = common_passwords
        self._keeper: Final = SessionKeeper(tools)

    async def change_password(
        self, held: Held, old: Secret[str] | None, new: Secret[str], visitor: Visitor
    ) -> Opened | Deny:
        """Set a person's password: the old one is asked for, unless a token that the session began with stands for it.

        Raises:
            Transient: It can be neither judged nor stored now.
        """
        if not held.session.is_password_due:
            denial = await self._check_old(held, old or Secret(""), visitor)
            if denial is not None:
                return denial
        reason = passwords.judge(new.reveal(), own_words=self._own_words(held.person), common=self._common)
        if reason is not None:
            return Deny(PersonDenial.PASSWORD_NOT_TAKEN, reason.value)
        encoded = await self._hasher.hash(new)
        return await asyncio.to_thread(self._set_password, held, encoded, visitor)

    def change_email(self, held: Held, email: str, visitor: Visitor) -> Opened | Deny:
        """Give a person an address that is proved; ends his other sessions, and reset tokens mailed to the old one."""
        return self._change_self(held, lambda person: replace(person, email=email), Act.EMAIL_CHANGED, visitor)

    def change_username(self, held: Held, username: str, visitor: Visitor) -> Opened | Deny:
        """Give a person another user name."""
        return self._change_self(held, lambda person: replace(person, username=username), Act.USERNAME_CHANGED, visitor)

    def change_profile(self, person: Teammate, given: Mapping[str, str], by: Actor) -> Teammate | None:
        """Store the names and parts of the profile that are given; None if the person has gone.

        Raises:
            PersonRefused: One of them cannot be taken.
        """
        parts = dict(given)
        names = {name: require_name(parts.pop(name), name) for name in ("first_name", "last_name") if name in parts}
        recorder = self._tools.record_as(by)
        with recorder.acting():
            present = self._tools.stores.teammates.find(person.account_id, person.id)
            if present is None:
                return None
            changed = replace(present, **names, profile=require_profile({**present.profile, **parts}))  # type: ignore[arg-type]  # names of text fields
            self._tools.stores.teammates.replace(changed)
            recorder.record(
                person.account_id,
                Act.TEAMMATE_PROFILE_CHANGED,
                subject(person),
                before=_describe_profile(present),
                after=_describe_profile(changed),
            )
            return changed

    def change_rights(self, person: Teammate, role: Role, scopes: frozenset[str], by: Actor) -> Teammate | None:
        """Give a person other rights; ends his sessions. None if he has gone. Who may do so is the caller's check."""
        recorder = self._tools.record_as(by)
        with recorder.acting():
            present = self._tools.stores.teammates.find(person.account_id, person.id)
            if present is None:
                return None
            changed = replace(present, role=role, scopes=scopes)
            self._tools.stores.teammates.replace(changed)
            self._tools.stores.sessions.end_all(person)
            recorder.record(
                person.account_id,
                Act.TEAMMATE_RIGHTS_CHANGED,
                subject(person),
                before=describe_person(present),
                after=describe_person(changed),
            )
        return changed

    def remove(self, person: Teammate, by: Actor) -> bool:
        """Forget a person, for good; return whether he was still there. The keys he made stay."""
        recorder = self._tools.record_as(by)
        with recorder.acting():
            if not self._tools.stores.teammates.remove(person.account_id, person.id):
                return False
            recorder.record(
                person.account_id, Act.TEAMMATE_REMOVED, subject(person), before=describe_person(person), after=None
            )
            return True

    async def _check_old(self, held: Held, old: Secret[str], visitor: Visitor) -> Deny | None:
        attempt = await asyncio.to_thread(self._keeper.reserve, AttemptKind.PASSWORD, held.person, "", visitor)
        if isinstance(attempt, Deny):
            return attempt
        encoded = await asyncio.to_thread(find_password, self._tools, held.person)
        if not await self._hasher.verify(encoded, old):
            return Deny(PersonDenial.WRONG_OLD_PASSWORD)
        await asyncio.to_thread(self._keeper.forgive, attempt)
        return None

    def _set_password(self, held: Held, encoded: str, visitor: Visitor) -> Opened | Deny:
        stores, person = self._tools.stores, held.person
        sealed = self._tools.sealer.seal(encoded.encode("ascii"), context=password_context(person))
        recorder = self._tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            if not self._keeper.is_current(held):
                return Deny(PersonDenial.SESSION_NOT_VALID)
            stores.teammates.set_password(person, sealed)
            stores.resets.drop(person)
            stores.email_changes.drop(person)
            stores.sessions.end_all(person, but=held.session.id)
            after = {"session": held.session.id, "at": self._tools.clock.now().isoformat()}
            recorder.record(person.account_id, Act.PASSWORD_CHANGED, subject(person), before=None, after=after)
            return self._keeper.renew(held, replace(held.session, is_password_due=False))

    def _change_self(
        self, held: Held, change: Callable[[Teammate], Teammate], act: Act, visitor: Visitor
    ) -> Opened | Deny:
        """Change how a person is called: as he stands now, since his rights may have changed a moment ago."""
        stores = self._tools.stores
        recorder = self._tools.record_as(actor(held.session, visitor))
        try:
            with recorder.acting():
                if not self._keeper.is_current(held):
                    return Deny(PersonDenial.SESSION_NOT_VALID)
                person = stores.teammates.find(held.person.account_id, held.person.id)
                if person is None:
                    return Deny(PersonDenial.SESSION_NOT_VALID)
                changed = change(person)
                stores.teammates.replace(changed)
                stores.resets.drop(person)
                stores.email_changes.drop(person)
                stores.sessions.end_all(person, but=held.session.id)
                recorder.record(
                    person.account_id,
                    act,
                    subject(person),
                    before=describe_person(person),
                    after=describe_person(changed),
                )
                return self._keeper.renew(replace(held, person=changed), held.session)
        except NameTaken as taken:
            return Deny(PersonDenial.NAME_TAKEN, taken.subject)

    def _own_words(self, person: Teammate) -> tuple[str, ...]:
        account = self._tools.accounts.find(person.account_id)
        return (person.email, person.username, person.first_name, person.last_name, account.name if account else "")


def recover(tools: PeopleTools, person: Teammate, by: Actor) -> Secret[str]:
    """Let a person begin anew, by the operator's word: no password, no factor, no session, and one token.

    Until it is used nobody gets in as that person, by whatever he knew before.
    """
    stores, now = tools.stores, tools.clock.now()
    token, token_hash = SessionKeeper(tools).draw(TokenKind.RESET)
    recorder = tools.record_as(by)
    with recorder.acting():
        stores.factors.remove_all(person)
        stores.teammates.set_password(person, None)
        stores.sessions.end_all(person)
        stores.resets.drop(person)
        reset = ResetToken(
            account_id=person.account_id,
            teammate_id=person.id,
            kind=ResetKind.SET_UP,
            expires_at=now + SET_UP_VALID_FOR,
        )
        stores.resets.put(reset, token_hash, now)
        after = {"token_expires_at": reset.expires_at.isoformat()}
        recorder.record(person.account_id, Act.TEAMMATE_RECOVERED, subject(person), before=None, after=after)
    return token


def _describe_profile(person: Teammate) -> Snapshot:
    fields: Mapping[str, str] = {"first_name": person.first_name, "last_name": person.last_name, **person.profile}
    return dict(fields)
