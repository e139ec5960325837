"""Enrolling second factors, and taking them away; a person who has one keeps at least one.

A session without a factor may enrol the first one only: whoever comes second, with the same password, finds a factor
that he has to show. Each change renews the session's token and ends the person's other sessions.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.standards import totp
from gatepost.tenancy.accounts.console_session import PENDING_FOR
from gatepost.tenancy.accounts.denial import PersonDenial
from gatepost.tenancy.accounts.factor_proof import (
    CHALLENGE_OCTETS,
    FactorProof,
    pending_context,
    take_pending,
    totp_context,
)
from gatepost.tenancy.accounts.person_ports import SecurityKeys
from gatepost.tenancy.accounts.recovery_code import hash_code, make_codes, read_code
from gatepost.tenancy.accounts.session_keeper import Held, Opened, PeopleTools, SessionKeeper, Visitor, actor, subject
from gatepost.tenancy.accounts.two_factor import FactorKind, Passkey, TotpFactor
from gatepost.tenancy.audit.entry import Act
from gatepost.tenancy.audit.recorder import Recorder

MAX_PASSKEYS: Final = 20
_TOTP: Final = b"totp\n"
_REGISTRATION: Final = b"registration\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTotp:
    """An authenticator application to be confirmed by a first code."""

    secret: Secret[str]
    uri: Secret[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A change of factors: the session under its new token, and the recovery codes if new ones were made."""

    opened: Opened
    codes: tuple[Secret[str], ...] = ()


class Enrolment:
    """Changes what a person can show."""

    def __init__(self, tools: PeopleTools, security_keys: SecurityKeys, proof: FactorProof, issuer: str) -> None:
        self._tools: Final = tools
        self._security_keys: Final = security_keys
        self._proof: Final = proof
        self._issuer: Final = issuer
        self._keeper: Final = SessionKeeper(tools)

    def begin_totp(self, held: Held) -> NewTotp:
        """Draw a secret; it counts for nothing until ``confirm_totp``."""
        secret = self._tools.entropy.draw(totp.SECRET_OCTETS)
        self._put_pending(held, _TOTP + secret)
        uri = totp.provisioning_uri(secret, issuer=self._issuer, account=held.person.username)
        return NewTotp(secret=Secret(totp.secret_text(secret)), uri=Secret(uri))

    def confirm_totp(self, held: Held, code: str, visitor: Visitor) -> Enrolled | Deny:
        """Enrol the application that shows this code, in the place of any other; the code is used up by it."""
        tools, person = self._tools, held.person
        recorder = tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            denial = self._forbid(held)
            if denial is not None:
                return denial
            now = tools.clock.now()
            pending = tools.stores.sessions.find_pending(held.session)
            secret = self._read_totp(held, pending)
            if pending is None or secret is None:
                return Deny(PersonDenial.NOTHING_PENDING)
            step = totp.find_step(secret, code.replace(" ", ""), now)
            if step is None:
                return Deny(PersonDenial.WRONG_FACTOR)
            if not tools.stores.sessions.take_pending(held.session, pending[0]):
                return Deny(PersonDenial.NOTHING_PENDING)
            sealed = tools.sealer.seal(secret, context=totp_context(person))
            tools.stores.factors.put_totp(person, TotpFactor(sealed_secret=sealed, enrolled_at=now), step)
            return self._finish(held, FactorKind.TOTP, FactorKind.TOTP.value, recorder, visitor)

    def begin_passkey(self, held: Held) -> bytes | Deny:
        """Begin a registration: return what the browser needs."""
        known = self._tools.stores.factors.describe(held.person).passkeys
        if len(known) >= MAX_PASSKEYS:
            return Deny(PersonDenial.TOO_MANY)
        challenge = self._tools.entropy.draw(CHALLENGE_OCTETS)
        self._put_pending(held, _REGISTRATION + challenge)
        return self._security_keys.registration_options(held.person, challenge, known)

    def finish_passkey(self, held: Held, name: str, credential: bytes, visitor: Visitor) -> Enrolled | Deny:
        """Enrol the passkey that the browser made."""
        tools, person = self._tools, held.person
        recorder = tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            denial = self._forbid(held)
            if denial is not None:
                return denial
            now = tools.clock.now()
            challenge = take_pending(tools, held.session, _REGISTRATION, now)
            if challenge is None:
                return Deny(PersonDenial.NOTHING_PENDING)
            made = self._security_keys.verify_registration(credential, challenge)
            if made is None:
                return Deny(PersonDenial.WRONG_FACTOR)
            passkey = Passkey(
                id=made.id, name=name, public_key=made.public_key, sign_count=made.sign_count, created_at=now
            )
            if not tools.stores.factors.add_passkey(person, passkey):
                return Deny(PersonDenial.WRONG_FACTOR)
            return self._finish(held, FactorKind.PASSKEY, f"passkey {passkey.id}", recorder, visitor)

    def remove(self, held: Held, passkey_id: str | None, visitor: Visitor) -> Opened | Deny:
        """Take a passkey away, or with None the authenticator application."""
        tools, person = self._tools, held.person
        factors = tools.stores.factors
        recorder = tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            if not self._keeper.is_current(held):
                return Deny(PersonDenial.SESSION_NOT_VALID)
            present = factors.describe(person)
            is_there = present.has_totp if passkey_id is None else passkey_id in {key.id for key in present.passkeys}
            if not is_there:
                return Deny(PersonDenial.UNKNOWN)
            if present.count == 1:
                return Deny(PersonDenial.LAST_FACTOR)
            if passkey_id is None:
                factors.remove_totp(person)
            else:
                factors.remove_passkey(person, passkey_id)
            name = FactorKind.TOTP.value if passkey_id is None else f"passkey {passkey_id}"
            recorder.record(person.account_id, Act.FACTOR_REMOVED, subject(person), before={"factor": name}, after=None)
            tools.stores.sessions.end_all(person, but=held.session.id)
            tools.stores.email_changes.drop(person)
            return self._keeper.renew(held, held.session)

    def make_codes(self, held: Held, visitor: Visitor) -> tuple[Secret[str], ...] | Deny:
        """Make ten new recovery codes; the old ones are worth nothing any more."""
        recorder = self._tools.record_as(actor(held.session, visitor))
        with recorder.acting():
            if not self._keeper.is_current(held):
                return Deny(PersonDenial.SESSION_NOT_VALID)
            return self._make_codes(held, recorder)

    def _finish(self, held: Held, kind: FactorKind, name: str, recorder: Recorder, visitor: Visitor) -> Enrolled | Deny:
        """Note a factor just stored, as shown in this session too; make recovery codes if there are none."""
        tools, person = self._tools, held.person
        after = {"factor": name, "at": tools.clock.now().isoformat()}
        recorder.record(person.account_id, Act.FACTOR_ENROLLED, subject(person), before=None, after=after)
        has_codes = tools.stores.factors.describe(person).recovery_codes_left > 0
        codes = () if has_codes else self._make_codes(held, recorder)
        tools.stores.sessions.end_all(person, but=held.session.id)
        tools.stores.email_changes.drop(person)
        opened = self._proof.admit(held, kind, visitor)
        return opened if isinstance(opened, Deny) else Enrolled(opened=opened, codes=codes)

    def _forbid(self, held: Held) -> Deny | None:
        """Refuse a session that has ended, or has shown no factor though there is one by now."""
        if not self._keeper.is_current(held):
            return Deny(PersonDenial.SESSION_NOT_VALID)
        if not held.session.factor and self._tools.stores.factors.describe(held.person).has_any:
            return Deny(PersonDenial.STEP_DUE, "factor")
        return None

    def _make_codes(self, held: Held, recorder: Recorder) -> tuple[Secret[str], ...]:
        tools, person = self._tools, held.person
        codes = make_codes(tools.entropy)
        plain = [read_code(code.reveal()) or "" for code in codes]
        tools.stores.factors.put_codes(person, [hash_code(person.id, code, tools.sealer.hash_secret) for code in plain])
        after = {"codes": str(len(codes)), "at": tools.clock.now().isoformat()}
        recorder.record(person.account_id, Act.RECOVERY_CODES_MADE, subject(person), before=None, after=after)
        return codes

    def _put_pending(self, held: Held, plain: bytes) -> None:
        sealed = self._tools.sealer.seal(plain, context=pending_context(held.session))
        self._tools.stores.sessions.put_pending(held.session, sealed, self._tools.clock.now())

    def _read_totp(self, held: Held, pending: tuple[bytes, datetime] | None) -> bytes | None:
        """Return the secret that waits for its first code; a wrong code leaves it waiting."""
        if pending is None:
            return None
        sealed, at = pending
        if self._tools.clock.now() >= at + PENDING_FOR:
            return None
        plain = self._tools.sealer.unseal(sealed, context=pending_context(held.session))
        return plain.removeprefix(_TOTP) if plain.startswith(_TOTP) else None
