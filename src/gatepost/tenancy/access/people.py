"""People: the one thing the HTTP API asks whose session a token is, and what that person may do, now.

Nothing is held in memory: each request looks the session, the person and the account up, so that what ends a session or
takes a right away is seen by the next request in every process (architecture, promise 3). Sessions are no hot path.
"""

from dataclasses import dataclass
from typing import Final

from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.ip_allowlist import Address
from gatepost.tenancy.access.person import Person
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.console_session import TOUCH_AFTER, Step, next_step
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.person_ports import PeerRules, PeopleStores, Sealer
from gatepost.tenancy.accounts.ports import AccountStore
from gatepost.tenancy.accounts.state_effects import EFFECTS, Entry
from gatepost.tenancy.accounts.token import TokenKind, hash_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an operation asks of a person.

    Attributes:
        scope: The right it needs; None for none in particular.
        proof: Whether the second factor must have been shown in the last minutes.
        steps: Which unfinished sessions may do it: it is what is due in them, or a part of that.
    """

    scope: str | None = None
    proof: bool = False
    steps: frozenset[Step] = frozenset()


class People:
    """Tells whose session a token is."""

    def __init__(
        self, *, stores: PeopleStores, accounts: AccountStore, peers: PeerRules, sealer: Sealer, clock: Clock
    ) -> None:
        self._stores: Final = stores
        self._accounts: Final = accounts
        self._peers: Final = peers
        self._sealer: Final = sealer
        self._clock: Final = clock

    def identify(self, token: Secret[bytes], peer: Address, need: Need) -> Person | Deny:
        """Say whose session it is, if he may do what is needed.

        Raises:
            Transient: The store does not answer; neither yes nor no.
        """
        text = Secret(token.reveal().decode("ascii", "replace"))
        token_hash = hash_token(TokenKind.SESSION, text, self._sealer.hash_secret)
        if token_hash is None:
            return Deny(PersonDenial.SESSION_NOT_VALID)
        person = self._find(token_hash)
        if isinstance(person, Deny):
            return person
        decision = self._decide(person, peer, need)
        if isinstance(decision, Deny):
            return decision
        now = self._clock.now()
        if now >= person.session.last_seen_at + TOUCH_AFTER:
            self._stores.sessions.touch(person.session, now)
        return person

    def recheck(self, person: Person, peer: Address, need: Need) -> Person | Deny:
        """Look everything up anew: asked as the last thing before an act."""
        current = self._find(person.token_hash)
        if isinstance(current, Deny):
            return current
        decision = self._decide(current, peer, need)
        return decision if isinstance(decision, Deny) else current

    def _find(self, token_hash: bytes) -> Person | Deny:
        session = self._stores.sessions.find(token_hash)
        if session is None or session.is_over(self._clock.now()):
            return Deny(PersonDenial.SESSION_NOT_VALID)
        teammate = self._stores.teammates.find(session.account_id, session.teammate_id)
        account = self._accounts.find(session.account_id)
        if teammate is None or account is None or EFFECTS[account.effective_state].people is Entry.NOTHING:
            return Deny(PersonDenial.SESSION_NOT_VALID)
        if not account.takes_people:
            return Deny(PersonDenial.WEBSITE_BARRED)
        has_factor = self._stores.factors.describe(teammate).has_any
        return Person(
            teammate=teammate,
            account_state=account.effective_state,
            session=session,
            step=next_step(session, has_factor=has_factor),
            token_hash=token_hash,
        )

    def _decide(self, person: Person, peer: Address, need: Need) -> Decision:
        if not self._peers.permits(person.account_id, peer):
            return Deny(PersonDenial.NETWORK_NOT_ALLOWED)
        if person.step is not None:
            return ALLOW if person.step in need.steps else Deny(PersonDenial.STEP_DUE, person.step.value)
        if need.scope is not None and need.scope not in person.scopes:
            return Deny(AccessDenial.SCOPE_MISSING)
        if need.scope is not None and not _permits(person.account_state, need.scope):
            return Deny(AccessDenial.ACCOUNT_NOT_ACTIVE)
        if need.proof and not person.session.is_fresh(self._clock.now()):
            return Deny(PersonDenial.PROOF_NEEDED)
        return ALLOW


def _permits(state: AccountState, scope: str) -> bool:
    """Whether a person of an account in that state may use a right: where he may only look, those to read."""
    entry = EFFECTS[state].people
    return entry is Entry.ALL or (entry is Entry.READ and scope.endswith(".read"))
