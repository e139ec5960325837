"""Showing a second factor: to sign in, and again before what matters most."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.standards import totp
from gatepost.tenancy.accounts import recovery_code
from gatepost.tenancy.accounts.attempt_limit import AttemptKind, network_of
from gatepost.tenancy.accounts.console_session import PENDING_FOR, Session
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.person_ports import SecurityKeys
from gatepost.tenancy.accounts.session_keeper import Held, Opened, PeopleTools, SessionKeeper, Visitor, actor, subject
from gatepost.tenancy.accounts.teammate import Teammate
from gatepost.tenancy.accounts.two_factor import CodeProof, FactorKind, PasskeyProof, Proof, RecoveryProof
from gatepost.tenancy.audit.entry import Act

CHALLENGE_OCTETS: Final = 32
_ASSERTION: Final = b"assertion\n"
#: Codes so far away are told from wrong ones, so that somebody with a wrong clock knows what to mend.
_NOTICED_STEPS: Final = 10


class FactorProof:
    """Verifies second factors. A proof, whatever becomes of it afterwards, is good once."""

    def __init__(self, tools: PeopleTools, security_keys: SecurityKeys) -> None:
        self._tools: Final = tools
        self._security_keys: Final = security_keys
        self._keeper: Final = SessionKeeper(tools)

    def challenge(self, held: Held) -> bytes | Deny:
        """Begin the use of a passkey: return what the browser needs."""
        tools = self._tools
        known = tools.stores.factors.describe(held.person).passkeys
        if not known:
            return Deny(PersonDenial.UNKNOWN)
        challenge = tools.entropy.draw(CHALLENGE_OCTETS)
        sealed = tools.sealer.seal(_ASSERTION + challenge, context=pending_context(held.session))
        tools.stores.sessions.put_pending(held.session, sealed, tools.clock.now())
        return self._security_keys.assertion_options(challenge, known)

    def prove(self, held: Held, proof: Proof, visitor: Visitor) -> Opened | Deny:
        """Take a proof: the session gets a new token, and with the first proof it is signed in.

        Raises:
            Transient: It can be neither judged nor stored now.
        """
        attempt = self._keeper.reserve(AttemptKind.FACTOR, held.person, "", visitor)
        if isinstance(attempt, Deny):
            return attempt
        tools, person = self._tools, held.person
        kind = _kind_of(proof)
        recorder = tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            if not self._keeper.is_current(held):
                return Deny(PersonDenial.SESSION_NOT_VALID)
            now = tools.clock.now()
            denial = self._check(held, proof, now)
            if denial is not None:
                after = {"factor": kind.value, "session": held.session.id}
                recorder.record(person.account_id, Act.FACTOR_REFUSED, subject(person), before=None, after=after)
                return denial
            self._keeper.forgive(attempt)
            return self.admit(held, kind, visitor)

    def admit(self, held: Held, kind: FactorKind, visitor: Visitor) -> Opened | Deny:
        """Note in a session that its person has shown a factor; within the caller's unit of work."""
        tools, person = self._tools, held.person
        now = tools.clock.now()
        proved = replace(held.session, factor=kind.value, proved_at=now)
        opened = self._keeper.renew(held, proved)
        if isinstance(opened, Deny):
            return opened
        tools.stores.sessions.remember_network(person, network_of(visitor.peer), now)
        after = {"session": proved.id, "at": now.isoformat()}
        if kind is FactorKind.RECOVERY_CODE:
            after["recovery_codes_left"] = str(tools.stores.factors.describe(person).recovery_codes_left)
        act = Act.FACTOR_PROVED if held.session.factor else Act.SIGNED_IN
        tools.record_as(actor(proved, visitor)).record(
            person.account_id, act, subject(person), before=None, after=after
        )
        return opened

    def _check(self, held: Held, proof: Proof, now: datetime) -> Deny | None:
        match proof:
            case CodeProof():
                return self._check_code(held.person, proof.code, now)
            case RecoveryProof():
                return self._check_recovery(held.person, proof, now)
            case PasskeyProof():
                return self._check_passkey(held, proof.credential, now)

    def _check_code(self, person: Teammate, text: str, now: datetime) -> Deny | None:
        tools, code = self._tools, text.replace(" ", "")
        factor = tools.stores.factors.find_totp(person)
        if factor is None:
            return Deny(PersonDenial.WRONG_FACTOR)
        secret = tools.sealer.unseal(factor.sealed_secret, context=totp_context(person))
        step = totp.find_step(secret, code, now)
        if step is not None:
            return None if tools.stores.factors.advance_totp(person, step) else Deny(PersonDenial.WRONG_FACTOR)
        is_near = totp.find_step(secret, code, now, tolerance=_NOTICED_STEPS) is not None
        return Deny(PersonDenial.CLOCK_OUT_OF_STEP if is_near else PersonDenial.WRONG_FACTOR)

    def _check_recovery(self, person: Teammate, proof: RecoveryProof, now: datetime) -> Deny | None:
        code = recovery_code.read_code(proof.code.reveal())
        if code is not None:
            code_hash = recovery_code.hash_code(person.id, code, self._tools.sealer.hash_secret)
            if self._tools.stores.factors.burn_code(person, code_hash, now):
                return None
        return Deny(PersonDenial.WRONG_FACTOR)

    def _check_passkey(self, held: Held, credential: bytes, now: datetime) -> Deny | None:
        stores, person = self._tools.stores, held.person
        challenge = take_pending(self._tools, held.session, _ASSERTION, now)
        claimed = self._security_keys.find_credential_id(credential)
        passkey = next((each for each in stores.factors.describe(person).passkeys if each.id == claimed), None)
        if challenge is None or passkey is None:
            return Deny(PersonDenial.WRONG_FACTOR)
        count = self._security_keys.verify_assertion(credential, challenge, passkey)
        if count is None or not stores.factors.advance_passkey(person, passkey, count, now):
            return Deny(PersonDenial.WRONG_FACTOR)
        return None


def take_pending(tools: PeopleTools, session: Session, purpose: bytes, now: datetime) -> bytes | None:
    """Take away what waits in a session for an answer; None if it is not for that, too old, or taken by another."""
    pending = tools.stores.sessions.find_pending(session)
    if pending is None:
        return None
    sealed, at = pending
    plain = tools.sealer.unseal(sealed, context=pending_context(session))
    if (
        not plain.startswith(purpose)
        or now >= at + PENDING_FOR
        or not tools.stores.sessions.take_pending(session, sealed)
    ):
        return None
    return plain.removeprefix(purpose)


def pending_context(session: Session) -> str:
    """Name what waits in a session."""
    return f"pending/{session.id}"


def totp_context(person: Teammate) -> str:
    """Name the sealed secret of a person's authenticator application."""
    return f"totp/{person.id}"


def _kind_of(proof: Proof) -> FactorKind:
    match proof:
        case CodeProof():
            return FactorKind.TOTP
        case RecoveryProof():
            return FactorKind.RECOVERY_CODE
        case PasskeyProof():
            return FactorKind.PASSKEY
