"""Adding, moving and proving single senders: what every way in does the same way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId
from gatepost.primitives.secret import Secret
from gatepost.standards.address import Mailbox
from gatepost.tenancy.accounts.person_ports import AttemptStore
from gatepost.tenancy.accounts.token import TokenKind, draw_token, hash_token
from gatepost.tenancy.senders.letter_limit import LetterLimit
from gatepost.tenancy.senders.ports import SingleSenderStore
from gatepost.tenancy.senders.single_sender import (
    MAX_SENDERS,
    TOKEN_LIFE,
    SenderDetails,
    SenderExists,
    SenderId,
    SenderState,
    SingleSender,
)


class SenderDenial(Enum):
    """Why a single sender cannot be had so."""

    UNKNOWN = "unknown"
    EXISTS = "exists already"
    TOO_MANY = "too many senders"
    #: To that address, or by that account; detail is how many seconds to wait.
    TOO_MANY_LETTERS = "too many letters"
    VERIFIED_ALREADY = "verified already"
    TOKEN_NOT_VALID = "token not valid"  # noqa: S105 - a reason, not a token


class Letter(NamedTuple):
    """What is to be sent to an address that is to be proved."""

    sender: SingleSender
    token: Secret[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderProofs:
    """Makes, renews and takes the tokens of one actor's single senders."""

    store: SingleSenderStore
    attempts: AttemptStore
    entropy: Entropy
    keyed_hash: Callable[[bytes], bytes]

    def add(self, account_id: AccountId, mailbox: Mailbox, details: SenderDetails, now: datetime) -> Letter | Deny:
        """Store a sender, PENDING, and return what is to be sent to its address."""
        if self.store.count(account_id) >= MAX_SENDERS:
            return Deny(SenderDenial.TOO_MANY, str(MAX_SENDERS))
        wait = self._count_letter(account_id, str(mailbox), now)
        if wait is not None:
            return wait
        token, token_hash = self._draw()
        sender = SingleSender(
            account_id=account_id,
            email=str(mailbox),
            details=details,
            created_at=now,
            token_expires_at=now + TOKEN_LIFE,
        )
        try:
            number = self.store.add(sender, token_hash)
        except SenderExists:
            return Deny(SenderDenial.EXISTS)
        return self._letter(account_id, number, token)

    def move(self, account_id: AccountId, number: SenderId, mailbox: Mailbox, now: datetime) -> Letter | Deny:
        """Give a sender another address, PENDING, and return what is to be sent there.

        A sender that may have been used must have been withdrawn, and that made certain, before.
        """
        wait = self._count_letter(account_id, str(mailbox), now)
        if wait is not None:
            return wait
        token, token_hash = self._draw()
        try:
            is_moved = self.store.move(account_id, number, str(mailbox), token_hash, now + TOKEN_LIFE)
        except SenderExists:
            return Deny(SenderDenial.EXISTS)
        return self._letter(account_id, number, token) if is_moved else Deny(SenderDenial.UNKNOWN)

    def renew(self, account_id: AccountId, number: SenderId, now: datetime) -> Letter | Deny:
        """Make another token for a PENDING sender; the one before is worthless from now on."""
        present = self.store.find(account_id, number)
        if present is None:
            return Deny(SenderDenial.UNKNOWN)
        if present.state is SenderState.VERIFIED:
            return Deny(SenderDenial.VERIFIED_ALREADY)
        wait = self._count_letter(account_id, present.email, now)
        if wait is not None:
            return wait
        token, token_hash = self._draw()
        if not self.store.renew(account_id, number, token_hash, now + TOKEN_LIFE):
            return Deny(SenderDenial.VERIFIED_ALREADY)
        return self._letter(account_id, number, token)

    def prove(self, account_id: AccountId, token: Secret[str], now: datetime) -> SingleSender | Deny:
        """Take a token. It must be one of the account's own: whoever else gets hold of it can do nothing with it."""
        token_hash = hash_token(TokenKind.SENDER, token, self.keyed_hash)
        proved = None if token_hash is None else self.store.prove(account_id, token_hash, now)
        return Deny(SenderDenial.TOKEN_NOT_VALID) if proved is None else proved

    def _letter(self, account_id: AccountId, number: SenderId, token: Secret[str]) -> Letter | Deny:
        sender = self.store.find(account_id, number)
        return Deny(SenderDenial.UNKNOWN) if sender is None else Letter(sender, token)

    def _count_letter(self, account_id: AccountId, address: str, now: datetime) -> Deny | None:
        limit = LetterLimit(attempts=self.attempts, entropy=self.entropy, keyed_hash=self.keyed_hash)
        wait = limit.reserve(account_id, address, now)
        return None if wait is None else Deny(SenderDenial.TOO_MANY_LETTERS, str(int(wait.total_seconds()) + 1))

    def _draw(self) -> tuple[Secret[str], bytes]:
        token = draw_token(TokenKind.SENDER, self.entropy)
        token_hash = hash_token(TokenKind.SENDER, token, self.keyed_hash)
        assert token_hash is not None, "what was drawn has the shape of a token"
        return token, token_hash
