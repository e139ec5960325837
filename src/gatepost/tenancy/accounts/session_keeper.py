"""Opening, renewing and ending sessions: the part that every way to sign in shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import Deny
from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import SessionId, new_session_id
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.attempt_limit import KNOWN_FOR, AttemptKind, Counted, count_as, network_of
from gatepost.tenancy.accounts.console_session import ABSOLUTE_AFTER, Session, Step, next_step
from gatepost.tenancy.accounts.denial import PersonDenial, TooManyAttempts
from gatepost.tenancy.accounts.person_ports import PeerRules, PeopleStores, Sealer
from gatepost.tenancy.accounts.ports import AccountStore
from gatepost.tenancy.accounts.state_effects import EFFECTS, Entry
from gatepost.tenancy.accounts.teammate import Teammate
from gatepost.tenancy.accounts.token import TokenKind, draw_token, hash_token
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind
from gatepost.tenancy.audit.recorder import Recorder

_MAX_CLIENT: int = 200

RecordAs: TypeAlias = Callable[[Actor], Recorder]
ATTEMPT_OCTETS = 16
_TOLD_OF = {AttemptKind.PASSWORD: "password", AttemptKind.FACTOR: "second factor"}
"""Guesses whose limit, once reached, is written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTools:
    """What all use cases about people work with; on one database."""

    stores: PeopleStores
    accounts: AccountStore
    record_as: RecordAs
    peers: PeerRules
    sealer: Sealer
    clock: Clock
    entropy: Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Where a request comes from."""

    peer: IPv4Address | IPv6Address
    client: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A session in the hands of whoever asks: with the hash of the token that he showed."""

    session: Session
    person: Teammate
    token_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session with the token just drawn for it, and what is due in it."""

    session: Session
    person: Teammate
    token: Secret[str]
    step: Step | None


class NotOpened(Exception):
    """Raised in a unit of work to undo it: a token that was to begin a session is not used up where there is none."""

    def __init__(self, denial: Deny) -> None:
        super().__init__(denial.reason)
        self.denial = denial


class SessionKeeper:
    """Makes sessions and replaces their tokens. Each method is one unit of work, or a part of the caller's."""

    def __init__(self, tools: PeopleTools) -> None:
        self._tools = tools

    def reserve(self, kind: AttemptKind, person: Teammate | None, name: str, visitor: Visitor) -> bytes | Deny:
        """Count a guess before it is looked at; return by what to forgive it.

        Args:
            kind: What is guessed at.
            person: Whose; None if nobody is called so, which is limited alike.
            name: What was given for a name; "" where the guess is at nobody in particular.
            visitor: Whose guess it is.
        """
        tools = self._tools
        now, network = tools.clock.now(), network_of(visitor.peer)
        is_known = person is not None and tools.stores.sessions.knows_network(person, network, now - KNOWN_FOR)
        user = person.id if person else name.strip().lower()
        counted = count_as(kind, user, network, is_known=is_known, keyed_hash=tools.sealer.hash_secret)
        attempt = tools.entropy.draw(ATTEMPT_OCTETS)
        wait = tools.stores.attempts.reserve(attempt, kind, counted, now)
        if wait is None:
            return attempt
        if kind in _TOLD_OF and tools.stores.attempts.is_spent(kind, counted[0], now):
            limit = count_as(
                AttemptKind.LIMIT_NOTED, user, network, is_known=is_known, keyed_hash=tools.sealer.hash_secret
            )
            self._note_limit(kind, limit, person, visitor)
        return TooManyAttempts(PersonDenial.TOO_MANY_ATTEMPTS, retry_after=wait)

    def _note_limit(
        self, kind: AttemptKind, limit: Sequence[Counted], person: Teammate | None, visitor: Visitor
    ) -> None:
        """Write down that a person's limit was reached, once a day; for nobody's name the same work but the entry."""
        tools, now = self._tools, self._tools.clock.now()
        recorder = tools.record_as(nobody(visitor))
        with recorder.acting():
            noted = tools.stores.attempts.reserve(
                tools.entropy.draw(ATTEMPT_OCTETS), AttemptKind.LIMIT_NOTED, limit, now
            )
            if noted is None and person is not None:
                after = {"guessed_at": _TOLD_OF[kind], "at": now.isoformat()}
                recorder.record(person.account_id, Act.GUESSES_LIMITED, subject(person), before=None, after=after)

    def forgive(self, attempt: bytes) -> None:
        """Count a guess no more."""
        self._tools.stores.attempts.forgive(attempt)

    def open(
        self, person: Teammate, opened_by: str, visitor: Visitor, *, is_password_due: bool = False
    ) -> Opened | Deny:
        """Begin a session; the account must not be closed, must take people, and from there."""
        tools = self._tools
        account = tools.accounts.find(person.account_id)
        if account is None or EFFECTS[account.effective_state].people is Entry.NOTHING:
            return Deny(PersonDenial.ACCOUNT_CLOSED)
        if not account.takes_people:
            return Deny(PersonDenial.WEBSITE_BARRED)
        if not tools.peers.permits(person.account_id, visitor.peer):
            return Deny(PersonDenial.NETWORK_NOT_ALLOWED)
        now = tools.clock.now()
        session = Session(
            id=new_session_id(tools.entropy),
            account_id=person.account_id,
            teammate_id=person.id,
            opened_at=now,
            opened_by=opened_by,
            expires_at=now + ABSOLUTE_AFTER,
            last_seen_at=now,
            is_password_due=is_password_due,
            peer=str(visitor.peer),
            client="".join([each for each in visitor.client if each.isprintable()])[:_MAX_CLIENT],
        )
        token, token_hash = self.draw(TokenKind.SESSION)
        recorder = tools.record_as(actor(session, visitor))
        with recorder.acting():
            tools.stores.sessions.add(session, token_hash)
            recorder.record(
                person.account_id, Act.SESSION_OPENED, subject(person), before=None, after={"session": session.id}
            )
            step = self.step(session, person)
        return Opened(session=session, person=person, token=token, step=step)

    def open_by_token(self, person: Teammate, opened_by: str, visitor: Visitor, *, is_password_due: bool) -> Opened:
        """Begin a session in the unit of work in which its token is taken away. Raises ``NotOpened`` to undo that."""
        opened = self.open(person, opened_by, visitor, is_password_due=is_password_due)
        if isinstance(opened, Deny):
            raise NotOpened(opened)
        return opened

    def renew(self, held: Held, changed: Session) -> Opened | Deny:
        """Store what changed in a session, under a new token; the old one opens nothing any more."""
        token, token_hash = self.draw(TokenKind.SESSION)
        changed = replace(changed, last_seen_at=self._tools.clock.now())
        if not self._tools.stores.sessions.renew(changed, held.token_hash, token_hash):
            return Deny(PersonDenial.SESSION_NOT_VALID)
        step = self.step(changed, held.person)
        return Opened(session=changed, person=held.person, token=token, step=step)

    def is_current(self, held: Held) -> bool:
        """Whether a session has neither ended nor had its token replaced.

        Asked at the beginning of a unit of work it holds until that is committed: nobody else writes meanwhile.
        """
        return self._tools.stores.sessions.find(held.token_hash) is not None

    def step(self, session: Session, person: Teammate) -> Step | None:
        """Return what is due in a session."""
        return next_step(session, has_factor=self._tools.stores.factors.describe(person).has_any)

    def end(self, person: Teammate, session_id: SessionId, by: Actor) -> bool:
        """End a session; return whether there was one."""
        recorder = self._tools.record_as(by)
        with recorder.acting():
            is_ended = self._tools.stores.sessions.end(person, session_id)
            if is_ended:
                recorder.record(
                    person.account_id, Act.SESSION_ENDED, subject(person), before={"session": session_id}, after=None
                )
            return is_ended

    def draw(self, kind: TokenKind) -> tuple[Secret[str], bytes]:
        """Make a token and its hash."""
        token = draw_token(kind, self._tools.entropy)
        token_hash = hash_token(kind, token, self._tools.sealer.hash_secret)
        assert token_hash is not None, "a token just drawn is well-formed"
        return token, token_hash


def actor(session: Session, visitor: Visitor) -> Actor:
    """Describe the person of a session, for the record."""
    return Actor(kind=ActorKind.PERSON, id=session.teammate_id, origin=str(visitor.peer), credential=session.credential)


def nobody(visitor: Visitor) -> Actor:
    """Describe somebody who has not said yet who he is."""
    return Actor(kind=ActorKind.PERSON, id="", origin=str(visitor.peer))


def subject(person: Teammate) -> str:
    """Name a person as the audit log does."""
    return f"teammate/{person.id}"
