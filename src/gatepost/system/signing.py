"""The private-key operation of DKIM signatures: one at a time, or RSA-2048 eight at a time where that can be had.

The package ``gatepost-batch-signing`` (``native/batch_signing``) computes eight RSA-2048 signatures side by side in the
lanes of a vector unit, at a third of the cost of eight single ones. It is optional: without it, or on a processor that
lacks AVX-512 IFMA, ``cryptography`` does all of it.

Threats considered: a fault in one half of the Chinese remainder computation gives away the key, so the package raises
every result to the public exponent and returns none that does not give the message back; such a one is made anew, and
checked, by ``cryptography``. The keys lie in this process's memory either way.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from typing import Final, Protocol, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gatepost.standards.dkim.sign import UnsignedField, sign_digest
from gatepost.telemetry.logger import get_logger

log = get_logger()

LANES: Final = 8
LEAST_BATCH: Final = 4
"""A batch costs the same however many of its lanes are used, two and a half single signatures; below four there is
nothing to gain."""

MAX_REMEMBERED: Final = 10_000

# EMSA-PKCS1-v1_5 of a SHA-256 for a modulus of 256 octets (RFC 8017 §9.2), but for the digest itself.
_ENCODED: Final = b"\x00\x01" + b"\xff" * 202 + b"\x00" + bytes.fromhex("3031300d060960864801650304020105000420")
_PRIME_OCTETS: Final = 128
_MODULUS_OCTETS: Final = 256
_PUBLIC_EXPONENT: Final = 65_537


class BatchSign(Protocol):
    """``gatepost_batch_signing.sign``."""

    def __call__(self, lanes: tuple[tuple[bytes, bytes], ...], /) -> list[bytes | None]:
        """Return the signature of each (encoded message, key); None for one that failed its verification."""
        ...


class BatchSigning(Enum):
    """Whether signatures can be made in batches here."""

    AVAILABLE = "available"
    #: The package is not there.
    NOT_INSTALLED = "not installed"
    #: The package is there, and this processor lacks AVX-512 IFMA.
    NOT_APPLICABLE = "not applicable"


class SingleSigner:
    """Implements Signer: each signature at once."""

    async def sign(self, fields: Sequence[UnsignedField]) -> list[bytes]:
        """Sign without waiting for anybody."""
        return [sign_digest(one.key, one.digest) for one in fields]


@dataclass(slots=True, eq=False)
class _Waiting:
    unsigned: UnsignedField
    key: bytes = field(repr=False)
    signature: "asyncio.Future[bytes]" = field(repr=False)


class BatchSigner:
    """Implements Signer: the RSA-2048 signatures that one turn of the event loop asks for are made together.

    Nothing waits to fill a batch: under load there are many, and without it there is nothing to save.
    """

    def __init__(self, batch_sign: BatchSign) -> None:
        self._batch_sign = batch_sign
        self._waiting: list[_Waiting] = []
        self._keys: dict[RSAPrivateKey, bytes | None] = {}

    async def sign(self, fields: Sequence[UnsignedField]) -> list[bytes]:
        """Sign; RSA-2048 keys at the end of this turn of the event loop."""
        made = [self._sign_or_wait(one) for one in fields]
        return [one if isinstance(one, bytes) else await one for one in made]

    def _sign_or_wait(self, unsigned: UnsignedField) -> "bytes | asyncio.Future[bytes]":
        key = self._find_key(unsigned.key.private_key)
        if key is None:
            return sign_digest(unsigned.key, unsigned.digest)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._sign_waiting)
        signature: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append(_Waiting(unsigned, key, signature))
        return signature

    def _find_key(self, private_key: RSAPrivateKey | Ed25519PrivateKey) -> bytes | None:
        if not isinstance(private_key, RSAPrivateKey):
            return None
        if private_key not in self._keys:
            if len(self._keys) >= MAX_REMEMBERED:
                self._keys.clear()
            self._keys[private_key] = _serialize(private_key)
        return self._keys[private_key]

    def _sign_waiting(self) -> None:
        waiting, self._waiting = [one for one in self._waiting if not one.signature.done()], []
        for start in range(0, len(waiting), LANES):
            group = waiting[start : start + LANES]
            try:
                signatures = self._sign_group(group)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                for one in group:
                    one.signature.set_exception(error)
            else:
                for one, signature in zip(group, signatures, strict=True):
                    one.signature.set_result(signature)

    def _sign_group(self, group: Sequence[_Waiting]) -> list[bytes]:
        made: Sequence[bytes | None] = [None] * len(group)
        if len(group) >= LEAST_BATCH:
            made = self._batch_sign(tuple([(_ENCODED + one.unsigned.digest, one.key) for one in group]))
            if None in made:
                log.error("batch_signature_faulty", lanes=len(group), faulty=made.count(None))
        return [
            sign_digest(one.unsigned.key, one.unsigned.digest) if signature is None else signature
            for one, signature in zip(group, made, strict=True)
        ]


def find_batch_signing() -> tuple[BatchSigning, BatchSign | None]:
    """Say whether signatures can be made in batches, and by what."""
    try:
        package = import_module("gatepost_batch_signing")
    except ImportError:
        return BatchSigning.NOT_INSTALLED, None
    if not package.is_applicable():
        return BatchSigning.NOT_APPLICABLE, None
    return BatchSigning.AVAILABLE, cast("BatchSign", package.sign)


def choose_signer() -> SingleSigner | BatchSigner:
    """Return the best signer there is on this machine."""
    _, batch_sign = find_batch_signing()
    return SingleSigner() if batch_sign is None else BatchSigner(batch_sign)


def _serialize(private_key: RSAPrivateKey) -> bytes | None:
    """Return p, q, dP, dQ, qInv and n, little-endian; None for a key that is not done in batches."""
    numbers = private_key.private_numbers()
    parts = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    if (
        private_key.key_size != _MODULUS_OCTETS * 8
        or numbers.public_numbers.e != _PUBLIC_EXPONENT
        or max(numbers.p, numbers.q).bit_length() > _PRIME_OCTETS * 8
    ):
        return None
    modulus = numbers.public_numbers.n.to_bytes(_MODULUS_OCTETS, "little")
    return b"".join([part.to_bytes(_PRIME_OCTETS, "little") for part in parts]) + modulus
