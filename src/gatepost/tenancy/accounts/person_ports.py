"""What the people of accounts need from the world.

Each call to a store that changes something may stand alone or be part of a unit of work (``AuditLog.unit_of_work``).
Where it says *one statement*, exactly one of any number of callers, in any processes, is told True.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.ids import AccountId, InvitationId, SessionId, TeammateId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.attempt_limit import AttemptKind, Counted
from gatepost.tenancy.accounts.console_session import Session
from gatepost.tenancy.accounts.invitation import Invitation
from gatepost.tenancy.accounts.teammate import Teammate
from gatepost.tenancy.accounts.two_factor import Factors, Passkey, TotpFactor


class NameTaken(Exception):
    """Somebody, in whatever account, has that e-mail address or user name; ``subject`` says which."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.subject = subject


class TeammateStore(Protocol):
    """People at rest."""

    def add(self, teammate: Teammate) -> None:
        """Store a new person, without a password. Raises ``NameTaken``."""
        ...

    def find(self, account_id: AccountId, teammate_id: TeammateId) -> Teammate | None:
        """Return the account's person of that id."""
        ...

    def find_by_username(self, account_id: AccountId, username: str) -> Teammate | None:
        """Return the account's person of that user name."""
        ...

    def resolve(self, name: str) -> Teammate | None:
        """Return the person who signs in with that user name or address, whichever account he is in."""
        ...

    def list_all(self, account_id: AccountId) -> Sequence[Teammate]:
        """Return the account's people, oldest first."""
        ...

    def replace(self, teammate: Teammate) -> bool:
        """Store all that may change of a person; return whether the account has him. Raises ``NameTaken``."""
        ...

    def remove(self, account_id: AccountId, teammate_id: TeammateId) -> bool:
        """Forget a person with all his factors, codes, sessions and tokens; return whether there was one."""
        ...

    def find_password(self, person: Teammate) -> bytes | None:
        """Return the sealed password hash; None if the person has no password."""
        ...

    def set_password(self, person: Teammate, sealed: bytes | None) -> None:
        """Replace it, or take it away."""
        ...


class FactorStore(Protocol):
    """Second factors at rest."""

    def describe(self, person: Teammate) -> Factors:
        """Return what the person has."""
        ...

    def find_totp(self, person: Teammate) -> TotpFactor | None:
        """Return the authenticator application."""
        ...

    def put_totp(self, person: Teammate, factor: TotpFactor, step: int) -> None:
        """Store an authenticator application in the place of any other; ``step`` has been used already."""
        ...

    def advance_totp(self, person: Teammate, step: int) -> bool:
        """Mark a time step used, if it is later than the last used one; one statement."""
        ...

    def remove_totp(self, person: Teammate) -> bool:
        """Forget it; return whether there was one."""
        ...

    def add_passkey(self, person: Teammate, passkey: Passkey) -> bool:
        """Store a passkey; False if somebody has one of that id."""
        ...

    def advance_passkey(self, person: Teammate, passkey: Passkey, sign_count: int, at: datetime) -> bool:
        """Note a use, if the counter is still as it was read; one statement."""
        ...

    def remove_passkey(self, person: Teammate, passkey_id: str) -> bool:
        """Forget it; return whether there was one."""
        ...

    def put_codes(self, person: Teammate, hashes: Sequence[bytes]) -> None:
        """Store recovery codes in the place of all earlier ones."""
        ...

    def burn_code(self, person: Teammate, code_hash: bytes, at: datetime) -> bool:
        """Use up a recovery code; one statement."""
        ...

    def remove_all(self, person: Teammate) -> None:
        """Forget every factor and code."""
        ...


class SessionStore(Protocol):
    """Sessions at rest."""

    def add(self, session: Session, token_hash: bytes) -> None:
        """Store a new session, and drop those that ended by themselves a while ago."""
        ...

    def find(self, token_hash: bytes) -> Session | None:
        """Return the session of that token, ended by itself or not."""
        ...

    def list_all(self, person: Teammate) -> Sequence[Session]:
        """Return the person's sessions, the latest first."""
        ...

    def renew(self, session: Session, old_hash: bytes, new_hash: bytes) -> bool:
        """Store what changed in a session and give it another token, if it has the old one; one statement."""
        ...

    def touch(self, session: Session, at: datetime) -> None:
        """Note that it was used."""
        ...

    def end(self, person: Teammate, session_id: SessionId) -> bool:
        """End one; return whether there was one."""
        ...

    def end_all(self, person: Teammate, *, but: SessionId | None = None) -> int:
        """End all of a person's, but one; return how many."""
        ...

    def put_pending(self, session: Session, sealed: bytes, at: datetime) -> None:
        """Keep a challenge, or a secret to be confirmed, in the place of any other."""
        ...

    def find_pending(self, session: Session) -> tuple[bytes, datetime] | None:
        """Return it and leave it."""
        ...

    def take_pending(self, session: Session, sealed: bytes) -> bool:
        """Take it away, if it is still that one; one statement."""
        ...

    def remember_network(self, person: Teammate, network: str, at: datetime) -> None:
        """Note from where a person signed in."""
        ...

    def knows_network(self, person: Teammate, network: str, since: datetime) -> bool:
        """Say whether he signed in from there since then."""
        ...


class AttemptStore(Protocol):
    """Counts of guesses, the same for every process."""

    def reserve(self, attempt: bytes, kind: AttemptKind, counted: Sequence[Counted], at: datetime) -> timedelta | None:
        """Count a guess before it is looked at; or say how long to wait, and count nothing. One transaction."""
        ...

    def is_spent(self, kind: AttemptKind, counted: Counted, at: datetime) -> bool:
        """Say whether no further guess would be looked at, as far as that subject goes."""
        ...

    def forgive(self, attempt: bytes) -> None:
        """Count it no more: it was right."""
        ...


class InvitationStore(Protocol):
    """Invitations at rest."""

    def add(self, invitation: Invitation, token_hash: bytes) -> None:
        """Store one."""
        ...

    def find(self, account_id: AccountId, invitation_id: InvitationId) -> Invitation | None:
        """Return the account's invitation of that id, expired or not."""
        ...

    def list_all(self, account_id: AccountId) -> Sequence[Invitation]:
        """Return the account's invitations, oldest first, expired ones too."""
        ...

    def find_by_token(self, token_hash: bytes) -> Invitation | None:
        """Return the invitation of that token, expired or not, and leave it."""
        ...

    def renew(self, invitation: Invitation, token_hash: bytes) -> bool:
        """Give it another token and end; return whether it is still there."""
        ...

    def withdraw(self, account_id: AccountId, invitation_id: InvitationId) -> bool:
        """Forget it; return whether there was one."""
        ...

    def take(self, token_hash: bytes) -> Invitation | None:
        """Take the invitation of that token away and return it, expired or not; one statement."""
        ...


class ResetKind(Enum):
    """What a reset token was made for; the value is what a session that it began was opened by."""

    #: Mailed to a person who has a second factor and forgot the password.
    RESET = "reset token"
    #: Made by the operator for somebody who lost his factors.
    SET_UP = "set-up token"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetToken:
    """A one-time way to a new password, as it rests."""

    account_id: AccountId
    teammate_id: TeammateId
    kind: ResetKind
    expires_at: datetime


class ResetStore(Protocol):
    """Reset tokens at rest."""

    def put(self, token: ResetToken, token_hash: bytes, now: datetime) -> None:
        """Store one beside those of that person that have not ended: nobody can make the owner's own worthless."""
        ...

    def take(self, token_hash: bytes) -> ResetToken | None:
        """Take it away and return it, expired or not; one statement."""
        ...

    def drop(self, person: Teammate) -> None:
        """Forget all of a person's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChange:
    """An address that a person wants and has not proved yet, and the session that asked."""

    account_id: AccountId
    teammate_id: TeammateId
    session_id: SessionId
    email: str
    expires_at: datetime


class EmailChangeStore(Protocol):
    """Addresses to be proved, at rest; one a person. It ends with the session that asked."""

    def put(self, change: EmailChange, token_hash: bytes) -> None:
        """Store one in the place of the person's last."""
        ...

    def take(self, person: Teammate, session_id: SessionId, token_hash: bytes) -> EmailChange | None:
        """Take it away and return it, expired or not, if that session asked for it; one statement."""
        ...

    def drop(self, person: Teammate) -> None:
        """Forget the person's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleStores:
    """All of them, on one database."""

    teammates: TeammateStore
    factors: FactorStore
    sessions: SessionStore
    attempts: AttemptStore
    invitations: InvitationStore
    resets: ResetStore
    email_changes: EmailChangeStore


class PasswordHash(Protocol):
    """A slow hash (Argon2id); bounded in how many run at a time."""

    async def hash(self, password: Secret[str]) -> str:
        """Return the hash in its own spelling. Raises ``Transient`` if too many are waiting."""
        ...

    async def verify(self, encoded: str | None, password: Secret[str]) -> bool:
        """Say whether a password fits; without a hash never, at the same cost. Raises ``Transient`` as ``hash``."""
        ...


class Sealer(Protocol):
    """The keyring."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt, bound to a context."""
        ...

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt."""
        ...

    def hash_secret(self, secret: bytes) -> bytes:
        """Return a keyed hash of what is too long to be guessed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A credential whose registration was verified, user and all."""

    id: str
    public_key: bytes
    sign_count: int


class SecurityKeys(Protocol):
    """WebAuthn ceremonies; options and credentials are JSON."""

    def registration_options(self, person: Teammate, challenge: bytes, known: Sequence[Passkey]) -> bytes:
        """Return what a browser needs to make a passkey."""
        ...

    def verify_registration(self, credential: bytes, challenge: bytes) -> NewPasskey | None:
        """Return what was made; None if it does not answer the challenge, or the user was not verified."""
        ...

    def assertion_options(self, challenge: bytes, known: Sequence[Passkey]) -> bytes:
        """Return what a browser needs to use one."""
        ...

    def find_credential_id(self, credential: bytes) -> str | None:
        """Return which passkey an assertion claims to be of."""
        ...

    def verify_assertion(self, credential: bytes, challenge: bytes, passkey: Passkey) -> int | None:
        """Return the new counter; None if it is wrong, the user was not verified, or the counter went back."""
        ...


class PeerRules(Protocol):
    """From where an account's people may come."""

    def permits(self, account_id: AccountId, peer: IPv4Address | IPv6Address) -> bool:
        """Say whether a session of the account may be opened, or used, from there."""
        ...


class AddressRefused(Misconfigured):
    """The service's own mail cannot be sent to that address, whatever its operator does."""


class SystemMailer(Protocol):
    """The service's own mail."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Have a message on stable storage, queued.

        Raises:
            Transient: Not now.
            AddressRefused: Never to that address.
            Misconfigured: It is not set up; the text says how to.
        """
        ...
