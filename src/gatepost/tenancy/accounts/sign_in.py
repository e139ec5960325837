"""Signing in: each way that begins a session. None of them ends anywhere but where a second factor is due."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.attempt_limit import AttemptKind
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.person_ports import PasswordHash, ResetKind, ResetToken
from gatepost.tenancy.accounts.session_keeper import (
    NotOpened,
    Opened,
    PeopleTools,
    SessionKeeper,
    Visitor,
    nobody,
    subject,
)
from gatepost.tenancy.accounts.teammate import Teammate
from gatepost.tenancy.accounts.token import TokenKind, hash_token
from gatepost.tenancy.audit.entry import Act

RESET_VALID_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Guess:
    """A password that may be looked at: counted as what, whose, and with what it is compared."""

    attempt: bytes
    person: Teammate | None
    encoded: str | None


class SignIn:
    """Begins sessions."""

    def __init__(self, tools: PeopleTools, hasher: PasswordHash) -> None:
        self._tools: Final = tools
        self._hasher: Final = hasher
        self._keeper: Final = SessionKeeper(tools)

    async def with_password(self, name: str, password: Secret[str], visitor: Visitor) -> Opened | Deny:
        """Begin a session for whoever has that user name or e-mail address, and that password.

        An unknown name costs what a known one does: the same look-ups, the same limits, one Argon2id.

        Raises:
            Transient: It can be neither judged nor stored now.
        """
        guess = await asyncio.to_thread(self._prepare, name, visitor)
        if isinstance(guess, Deny):
            return guess
        is_right = await self._hasher.verify(guess.encoded, password)
        if not is_right or guess.person is None:
            return Deny(PersonDenial.WRONG_PASSWORD)
        return await asyncio.to_thread(self._open, guess.attempt, guess.person, guess.encoded, visitor)

    def with_reset_token(self, token: Secret[str], visitor: Visitor) -> Opened | Deny:
        """Begin a session in which a new password is due: behind the second factor, if there is one."""
        attempt = self._keeper.reserve(AttemptKind.TOKEN, None, "", visitor)
        if isinstance(attempt, Deny):
            return attempt
        token_hash = hash_token(TokenKind.RESET, token, self._tools.sealer.hash_secret)
        if token_hash is None:
            return Deny(PersonDenial.TOKEN_NOT_VALID)
        try:
            with self._tools.record_as(nobody(visitor)).acting():
                person, kind = self._take(token_hash)
                if person is None:
                    return Deny(PersonDenial.TOKEN_NOT_VALID)
                self._keeper.forgive(attempt)
                return self._keeper.open_by_token(person, kind.value, visitor, is_password_due=True)
        except NotOpened as undone:
            return undone.denial

    def request_reset(self, name: str, visitor: Visitor) -> tuple[Teammate, Secret[str]] | Deny | None:
        """Make a reset token for whoever is called so.

        Returns:
            Whose it is and the token, to be mailed to his address; None if there is nobody who could use one: a person
            without a second factor could get in with his mailbox alone, and goes to the operator instead.
        """
        tools = self._tools
        person = tools.stores.teammates.resolve(name)
        attempt = self._keeper.reserve(AttemptKind.RESET, person, name, visitor)
        if isinstance(attempt, Deny):
            return attempt
        if person is None or not tools.stores.factors.describe(person).has_any:
            return None
        token, token_hash = self._keeper.draw(TokenKind.RESET)
        now = tools.clock.now()
        recorder = tools.record_as(nobody(visitor))
        with recorder.acting():
            reset = ResetToken(
                account_id=person.account_id,
                teammate_id=person.id,
                kind=ResetKind.RESET,
                expires_at=now + RESET_VALID_FOR,
            )
            tools.stores.resets.put(reset, token_hash, now)
            recorder.record(
                person.account_id,
                Act.PASSWORD_RESET_REQUESTED,
                subject(person),
                before=None,
                after={"expires_at": reset.expires_at.isoformat()},
            )
        return person, token

    def _prepare(self, name: str, visitor: Visitor) -> _Guess | Deny:
        tools = self._tools
        person = tools.stores.teammates.resolve(name)
        attempt = self._keeper.reserve(AttemptKind.PASSWORD, person, name, visitor)
        if isinstance(attempt, Deny):
            return attempt
        return _Guess(attempt, person, None if person is None else find_password(tools, person))

    def _open(self, attempt: bytes, person: Teammate, encoded: str | None, visitor: Visitor) -> Opened | Deny:
        """Open the session, if the password that was right is still the person's."""
        with self._tools.record_as(nobody(visitor)).acting():
            if find_password(self._tools, person) != encoded:
                return Deny(PersonDenial.WRONG_PASSWORD)
            self._keeper.forgive(attempt)
            return self._keeper.open(person, "password", visitor)

    def _take(self, token_hash: bytes) -> tuple[Teammate | None, ResetKind]:
        tools = self._tools
        reset = tools.stores.resets.take(token_hash)
        if reset is None or reset.expires_at <= tools.clock.now():
            return None, ResetKind.RESET
        person = tools.stores.teammates.find(reset.account_id, reset.teammate_id)
        if person is None:
            return None, reset.kind
        # A mailed token stands for the password, and for nothing else. A set-up token stands for both, so it is
        # worthless to whoever finds it once a factor is enrolled.
        has_factor = tools.stores.factors.describe(person).has_any
        return (person if has_factor is (reset.kind is ResetKind.RESET) else None), reset.kind


def find_password(tools: PeopleTools, person: Teammate) -> str | None:
    """Return a person's password hash."""
    sealed = tools.stores.teammates.find_password(person)
    return None if sealed is None else tools.sealer.unseal(sealed, context=password_context(person)).decode("ascii")


def password_context(person: Teammate) -> str:
    """Name what a sealed password hash is, and whose."""
    return f"password/{person.id}"
