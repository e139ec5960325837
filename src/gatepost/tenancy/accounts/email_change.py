"""Changing a person's e-mail address: the new one counts once whoever reads it has said so.

Until then the person keeps the old address, to which a notice goes. The token that is mailed to the new one is taken
only from the session that asked, so whoever else reads that mailbox can do nothing with it; and it ends with that
session and with whatever ends others: a new password, another factor, the operator's word. Whether somebody else has
the address is said to him who has proved to read it, and to nobody who only types it.
"""

from datetime import timedelta
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.attempt_limit import AttemptKind, count_as
from gatepost.tenancy.accounts.denial import PersonDenial, TooManyAttempts
from gatepost.tenancy.accounts.membership import Membership
from gatepost.tenancy.accounts.person_ports import EmailChange
from gatepost.tenancy.accounts.session_keeper import (
    ATTEMPT_OCTETS,
    Held,
    Opened,
    PeopleTools,
    SessionKeeper,
    Visitor,
    actor,
    subject,
)
from gatepost.tenancy.accounts.token import TokenKind, hash_token
from gatepost.tenancy.audit.entry import Act

EMAIL_CHANGE_VALID_FOR: Final = timedelta(hours=1)


class EmailChanges:
    """Asks for proof of a new address, and takes it."""

    def __init__(self, tools: PeopleTools, membership: Membership) -> None:
        self._tools: Final = tools
        self._membership: Final = membership
        self._keeper: Final = SessionKeeper(tools)

    def request(self, held: Held, email: str, visitor: Visitor) -> tuple[EmailChange, Secret[str]] | Deny:
        """Make a token that is to be mailed to the new address, in the place of any made before."""
        tools, person = self._tools, held.person
        denial = self._count_letter(held, email)
        if denial is not None:
            return denial
        token, token_hash = self._keeper.draw(TokenKind.EMAIL)
        change = EmailChange(
            account_id=person.account_id,
            teammate_id=person.id,
            session_id=held.session.id,
            email=email,
            expires_at=tools.clock.now() + EMAIL_CHANGE_VALID_FOR,
        )
        recorder = tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            if not self._keeper.is_current(held):
                return Deny(PersonDenial.SESSION_NOT_VALID)
            tools.stores.email_changes.put(change, token_hash)
            after = {"email": email, "expires_at": change.expires_at.isoformat()}
            recorder.record(person.account_id, Act.EMAIL_CHANGE_REQUESTED, subject(person), before=None, after=after)
        return change, token

    def withdraw(self, held: Held) -> None:
        """Forget what was asked for: its token could not be mailed."""
        self._tools.stores.email_changes.drop(held.person)

    def confirm(self, held: Held, token: Secret[str], visitor: Visitor) -> Opened | Deny:
        """Take the token, once, and give the person the address that it was mailed to; ends his other sessions."""
        attempt = self._keeper.reserve(AttemptKind.TOKEN, None, "", visitor)
        if isinstance(attempt, Deny):
            return attempt
        tools = self._tools
        token_hash = hash_token(TokenKind.EMAIL, token, tools.sealer.hash_secret)
        if token_hash is None:
            return Deny(PersonDenial.TOKEN_NOT_VALID)
        with tools.record_as(actor(held.session, visitor)).acting():
            if not self._keeper.is_current(held):
                return Deny(PersonDenial.SESSION_NOT_VALID)
            change = tools.stores.email_changes.take(held.person, held.session.id, token_hash)
            if change is None or change.expires_at <= tools.clock.now():
                return Deny(PersonDenial.TOKEN_NOT_VALID)
            self._keeper.forgive(attempt)
            return self._membership.change_email(held, change.email, visitor)

    def _count_letter(self, held: Held, email: str) -> Deny | None:
        """Count the letter against its address, whoever has it sent, and against the account: both may be misused."""
        tools, kind = self._tools, AttemptKind.SENDER_LETTER
        counted = count_as(kind, email, held.person.account_id, is_known=False, keyed_hash=tools.sealer.hash_secret)
        wait = tools.stores.attempts.reserve(tools.entropy.draw(ATTEMPT_OCTETS), kind, counted, tools.clock.now())
        return None if wait is None else TooManyAttempts(PersonDenial.TOO_MANY_ATTEMPTS, retry_after=wait)
