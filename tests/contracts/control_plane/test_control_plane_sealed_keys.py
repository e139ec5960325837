"""No private DKIM key rests in clear: not in the database, not in a file beside it, in no form it could be used in."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.dns.question import Answer, AnswerStatus, Question
from gatepost.standards.dns.records import TXT
from gatepost.system.keyring import Keyring
from gatepost.tenancy.accounts.account import Account
from gatepost.tenancy.senders.claim import Wish, claim_domain
from gatepost.tenancy.senders.dns_plan import plan_key_record
from gatepost.tenancy.senders.domain import AuthenticatedDomain, KeyState
from gatepost.tenancy.senders.rotation import RotationPolicy, ask_for_rotation
from gatepost.tenancy.senders.upkeep import KeyUpkeep

DAY = timedelta(days=1)


@dataclass
class WitnessingKeyring:
    """The real keyring, which notes what it is given to seal; or one whose encryption is off."""

    real: Keyring
    is_on: bool
    seen: list[bytes] = field(default_factory=list)

    def seal(self, plain: bytes, *, context: str) -> bytes:
        self.seen.append(plain)
        return self.real.seal(plain, context=context) if self.is_on else plain

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        return self.real.unseal(sealed, context=context) if self.is_on else sealed


class Shown:
    """A nameserver that has every key of a claim as soon as it is there."""

    def __init__(self, find: Callable[[], AuthenticatedDomain]) -> None:
        self._find = find

    async def resolve(self, question: Question) -> Answer:
        claim = self._find()
        records = [plan_key_record(claim, key) for key in claim.dkim_keys]
        (text,) = [each.value for each in records if each.name == question.name]
        return Answer(status=AnswerStatus.FOUND, records=(TXT(text.encode()),))


def secrets_of(der: bytes) -> Iterator[bytes]:
    """The octets that whoever has them has the key."""
    yield der
    key = load_der_private_key(der, password=None)
    if isinstance(key, RSAPrivateKey):
        yield key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        numbers = key.private_numbers()
        for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
            yield number.to_bytes((number.bit_length() + 7) // 8, "big")
            yield str(number).encode()
    elif isinstance(key, Ed25519PrivateKey):
        yield key.private_bytes_raw()


def forms_of(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, in hexadecimal, and within base64 wherever it begins; PEM breaks that into lines of 64."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            # Its first and last characters depend on what stands beside it.
            yield encode(bytes(shift) + secret).rstrip(b"=")[(shift and 4) : -4][:40]


async def rotate(plane: ControlPlane, keyring: Any, account: Account, clock: Any) -> list[KeyState]:
    """Claim two domains and rotate the keys of the one that can be, all the way; return the states of its keys."""
    now = clock.instant
    claim_domain(plane.domains, account.id, "manual.example", keyring=keyring, entropy=plane.entropy, now=now)
    automatic = Wish(is_automatic=True)
    claim = claim_domain(
        plane.domains, account.id, "example.com", keyring=keyring, entropy=plane.entropy, now=now, wish=automatic
    )
    plane.domains.mark_verified(account.id, claim.id, now)

    def find() -> AuthenticatedDomain:
        found = plane.domains.find_numbered(account.id, claim.id)
        assert found is not None
        return found

    upkeep = KeyUpkeep(
        domains=plane.domains,
        keyring=keyring,
        resolvers=[Shown(find)],
        clock=clock,
        policy=RotationPolicy(rotate_after=180 * DAY, retire_for=10 * DAY),
    )
    clock.instant += DAY
    plane.domains.change(
        account.id, claim.id, lambda present: ask_for_rotation(present, clock.instant, is_urgent=False)
    )
    for _ in range(2):
        clock.instant += DAY
        step = upkeep.find_step(find())
        assert step is not None
        assert await upkeep.take_step(find(), *step)
    return sorted([key.state for key in find().dkim_keys], key=lambda state: state.value)


@pytest.mark.parametrize("is_on", [True, False], ids=["sealed", "encryption off"])
async def test_a_rotation_leaves_no_private_key_in_clear(
    control_plane: ControlPlane,
    account: Account,
    clock: Any,
    dump: Callable[[], bytes],
    tmp_path: Path,
    is_on: bool,
) -> None:
    keyring = WitnessingKeyring(control_plane.keyring, is_on)

    states = await rotate(control_plane, keyring, account, clock)

    # Two keys of the manual claim, one of the automatic, and the one that the rotation drew.
    assert (states, len(keyring.seen)) == ([KeyState.ACTIVE, KeyState.RETIRED], 4)
    at_rest = [dump(), *[path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]]
    for der in keyring.seen:
        found = [
            form for secret in secrets_of(der) for form in forms_of(secret) if any(form in octets for octets in at_rest)
        ]
        # With the encryption off the same search finds each of them: it does look.
        assert bool(found) is not is_on
