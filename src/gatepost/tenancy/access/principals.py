"""Principals: the one thing the ways in ask who somebody is and what he may, now.

Exactness (architecture, promise 3): rights are held only for as long as the control plane has not changed, and each
question compares. Once the commit that takes a right away has returned, in whatever process, the next question here
gets the new answer. Equal cost: a cache can make a *right* credential fast, never a wrong one, so every refusal of a
key does the same work, whether the key is unknown, revoked or in use this very moment; and as much as the first use of
a right one, since the rights of a decoy are read for it.
"""

from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from typing import Final, TypeAlias

from gatepost.primitives.clock import Clock
from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.authenticate import NO_HASH, Refusal, read_credential
from gatepost.tenancy.access.authorize import authorize
from gatepost.tenancy.access.client import describe_client
from gatepost.tenancy.access.credit_meter import CreditMeter
from gatepost.tenancy.access.current import Current
from gatepost.tenancy.access.honey import HoneyUse
from gatepost.tenancy.access.ip_access.access_list import Verdict
from gatepost.tenancy.access.ip_access.attempt import AuthMethod
from gatepost.tenancy.access.ip_access.attempt_log import AttemptLog
from gatepost.tenancy.access.ip_access.ports import IPAccessStore
from gatepost.tenancy.access.ip_allowlist import Address, unmapped
from gatepost.tenancy.access.ports import AccessVersion, ApiKeyStore, KeyUse
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.access.throttle import AuthenticationThrottle
from gatepost.tenancy.accounts.ports import AccountStore, SendingLimitsStore

MAX_REMEMBERED: Final = 50_000
"""How many keys a process remembers; beyond, it starts afresh."""

MAX_HONEY_USES: Final = 1000
"""How many uses of honey keys wait to be raised at a time; those from further addresses are only counted as use."""

NO_KEY: Final = KeyId("no key")
"""What stands for a key while none has been looked up."""

_ADDRESS_DENIALS: Final = frozenset({AccessDenial.ADDRESS_NOT_LISTED, AccessDenial.NETWORK_NOT_ALLOWED})

_Held: TypeAlias = dict[KeyId, Principal | None]


class Principals:
    """Authenticates and re-checks. Belongs to one thread, but ``flush_last_used`` may run in another."""

    def __init__(
        self,
        *,
        keys: ApiKeyStore,
        accounts: AccountStore,
        lists: IPAccessStore,
        limits: SendingLimitsStore,
        attempts: AttemptLog,
        version: AccessVersion,
        keyring_hash: Callable[[bytes], bytes],
        clock: Clock,
        throttle: AuthenticationThrottle,
    ) -> None:
        self._keys: Final = keys
        self._accounts: Final = accounts
        self._lists: Final = lists
        self._limits: Final = limits
        self._attempts: Final = attempts
        self._hash: Final = keyring_hash
        self._clock: Final = clock
        self._throttle: Final = throttle
        self._meter: Final = CreditMeter(accounts, version, clock)
        self._current: Final[Current[_Held]] = Current(version, dict)
        # Hashes of secrets that proved right. A key's secret never changes, so this outlives every other change;
        # it says who is knocking, never that he may come in.
        self._proved: dict[KeyId, bytes] = {}
        # The key whose rights were looked up last: what is read in its place for a wrong secret costs as much.
        self._decoy: KeyId = NO_KEY
        self._used: dict[KeyId, tuple[AccountId, datetime, Address, str]] = {}
        self._honey_uses: dict[tuple[KeyId, Address], HoneyUse] = {}

    def authenticate(
        self,
        username: str,
        password: Secret[bytes],
        peer: Address,
        *,
        scope: str | None = MAIL_SEND,
        client: str = "",
        method: AuthMethod = AuthMethod.SMTP,
    ) -> Principal | Refusal:
        """Say who it is that offers this credential from there, if he may do what ``scope`` names.

        What the ``client`` says of itself is noted with the use, and nothing else is done with it.

        Without a scope it is enough to hold a valid key of an active account, used from where it may be.

        Reasons beyond "not valid" are given only to one who has proved that he holds the key. A network with too
        many wrong credentials behind it is refused unread; the owner of a key that has proved right in this
        process still gets through from there.

        Raises:
            Transient: The store does not answer; neither yes nor no.
        """
        now = self._clock.now()
        credential = read_credential(username, password)
        if isinstance(credential, AccessDenial):
            return self._refuse(credential, peer, None, now)
        key_id, secret = credential
        offered = self._hash(secret.reveal())
        if not compare_digest(self._proved.get(key_id, NO_HASH), offered):
            # Not known to be right: always ask the store. Only the comparison below tells an unknown key from a
            # wrong secret, and it takes the same time for both.
            if not self._throttle.admits(peer, now):
                return Refusal(AccessDenial.TOO_MANY_ATTEMPTS)
            if not compare_digest(self._keys.secret_hash(key_id, otherwise=NO_HASH), offered):
                self._read_decoy()
                return self._refuse(AccessDenial.KEY_NOT_VALID, peer, key_id, now)
            self._remember(key_id, offered)
        principal = self._find(key_id)
        if principal is None:
            return Refusal(AccessDenial.KEY_NOT_VALID)
        if principal.is_honey:
            self._note_honey(principal, peer, client, now)
        decision = self._authorize(principal, scope, peer, now)
        self._note(principal, peer, method, decision, now)
        if isinstance(decision, Deny):
            return Refusal(decision.reason)
        self._used[key_id] = (principal.account_id, now, peer, client)
        return principal

    def recheck(
        self, principal: Principal, peer: Address, *, scope: str | None = MAIL_SEND, method: AuthMethod | None = None
    ) -> Principal | Deny:
        """Return the principal with the rights it has at this moment, or why it may no longer do that.

        Ask for each message, as the last thing before it is accepted; and as the last thing before each other act.
        With a ``method`` it counts as an attempt, so that a session that stays open is seen by a list that is observed.

        Raises:
            Transient: The store does not answer; neither yes nor no.
        """
        current = self._find(principal.key_id)
        if current is None:
            return Deny(AccessDenial.KEY_NOT_VALID)
        now = self._clock.now()
        decision = self._authorize(current, scope, peer, now)
        if method is not None:
            self._note(current, peer, method, decision, now)
        return decision if isinstance(decision, Deny) else current

    @property
    def meter(self) -> CreditMeter:
        """What keeps limited accounts to their credits, in this process."""
        return self._meter

    def refresh(self) -> None:
        """Forget every right held; the next question of each is answered from the store."""
        self._current.drop()

    def record_use(self, principal: Principal, peer: Address, client: str = "") -> None:
        """Note that the key was used now, in memory. ``authenticate`` does so itself."""
        self._used[principal.key_id] = (principal.account_id, self._clock.now(), peer, client)

    def take_honey_uses(self) -> list[HoneyUse]:
        """Return the uses of honey keys noted since the last time, for ``honey.HoneyAlarm``.

        They are raised by somebody else, a moment later: a log-in with such a key must take no longer than another.
        """
        noted, self._honey_uses = self._honey_uses, {}
        return list(noted.values())

    def flush_last_used(self) -> int:
        """Write the uses noted since the last time, in one transaction; return how many keys.

        Call it about once a minute, and before ending: it commits, and each commit makes every process look up the
        rights it holds again.

        Raises:
            Transient: They could not be written; they stay noted.
        """
        pending, self._used = self._used, {}
        if not pending:
            return 0
        uses = [
            KeyUse(
                account_id=account_id, key_id=key_id, at=at, peer=str(unmapped(peer)), client=describe_client(client)
            )
            for key_id, (account_id, at, peer, client) in pending.items()
        ]
        try:
            self._keys.record_uses(uses)
        except Transient:
            self._used = {**pending, **self._used}
            raise
        return len(uses)

    def flush_attempts(self) -> int:
        """Write the attempts counted since the last time; when, and what it raises, as ``flush_last_used``."""
        return self._attempts.flush(self._clock.now())

    def _authorize(self, principal: Principal, scope: str | None, peer: Address, now: datetime) -> Decision:
        decision = authorize(principal, scope=scope, peer=peer, now=now)
        if not decision or scope != MAIL_SEND or not principal.is_metered:
            return decision
        # Said early: at AUTH, as the dialect does. The one door counts what is really sent.
        return ALLOW if self._meter.has_any(principal.account_id) else Deny(AccessDenial.CREDITS_EXCEEDED)

    def _note(self, principal: Principal, peer: Address, method: AuthMethod, decision: Decision, now: datetime) -> None:
        refused = isinstance(decision, Deny) and decision.reason in _ADDRESS_DENIALS
        verdict = Verdict.REFUSED if refused else principal.access_list.judge(peer)
        self._attempts.note(principal.account_id, peer, method, verdict, now)

    def _find(self, key_id: KeyId) -> Principal | None:
        held = self._current.get()
        try:
            return held[key_id]
        except KeyError:
            held[key_id] = principal = self._look_up(key_id)
            if principal is not None:
                self._decoy = key_id
            if len(held) > MAX_REMEMBERED:
                self._current.drop()
            return principal

    def _read_decoy(self) -> None:
        """Read what a right secret would have had read, of a key that has nothing to do with the one that was named."""
        self._current.get()
        self._look_up(self._decoy)

    def _look_up(self, key_id: KeyId) -> Principal | None:
        key = self._keys.resolve(key_id)
        if key is None or key.revoked_at is not None:
            return None
        account = self._accounts.find(key.account_id)
        if account is None:
            return None
        return Principal(
            account_id=account.id,
            account_state=account.effective_state,
            key_id=key.id,
            scopes=key.grant.scopes,
            allowed_networks=key.grant.allowed_networks,
            allowed_authors=key.grant.allowed_authors,
            allowed_recipient_domains=key.grant.allowed_recipient_domains,
            expires_at=key.grant.expires_at,
            purses=key.grant.purses,
            is_honey=key.is_honey,
            is_metered=account.is_metered,
            monitor=account.monitor,
            access_list=self._lists.find(account.id),
            limits=self._limits.find(account.id),
        )

    def _note_honey(self, principal: Principal, peer: Address, client: str, now: datetime) -> None:
        name = (principal.key_id, peer)
        times = self._honey_uses[name].times + 1 if name in self._honey_uses else 1
        if times > 1 or len(self._honey_uses) < MAX_HONEY_USES:
            self._honey_uses[name] = HoneyUse(
                account_id=principal.account_id, key_id=principal.key_id, at=now, peer=peer, client=client, times=times
            )

    def _remember(self, key_id: KeyId, proved: bytes) -> None:
        if len(self._proved) >= MAX_REMEMBERED:
            self._proved.clear()
        self._proved[key_id] = proved

    def _refuse(self, reason: AccessDenial, peer: Address, key_id: KeyId | None, now: datetime) -> Refusal:
        if not self._throttle.admits(peer, now):
            return Refusal(AccessDenial.TOO_MANY_ATTEMPTS)
        return Refusal(reason, delay=self._throttle.penalize(peer, key_id, now))
