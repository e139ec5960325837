"""Sign a message (RFC 6376 §5, RFC 8463): header fields and a body hash in, DKIM-Signature fields out.

``sign`` does it all. Its two halves stand alone for whoever has the private-key operation done elsewhere: ``prepare``
says what is to be signed, and ``finish`` takes the signatures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost.standards.dkim.canonicalize import relaxed_field
from gatepost.standards.dkim.signature import DKIMSignature, add_signature, serialize_signature
from gatepost.standards.message.header import HeaderSection

SIGNED_NAMES = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"sender",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-help",
    b"list-archive",
    b"feedback-id",
)
"""The fields we sign: every instance there is, and one that is not, so that none can be added without breaking the
signature (RFC 6376 §8.15). Trace fields are never among them: each host on the way adds its own."""

_PADDING = PKCS1v15()
_PREHASHED = Prehashed(SHA256())


class SigningAlgorithm(Enum):
    """The ``a=`` tag (RFC 8301, RFC 8463)."""

    RSA_SHA256 = "rsa-sha256"
    ED25519_SHA256 = "ed25519-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key and the name under which its public half is published: ``selector._domainkey.domain``."""

    domain: str
    selector: str
    algorithm: SigningAlgorithm
    private_key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnsignedField:
    """A DKIM-Signature field that lacks its signature: ``octets`` as it stands, and the SHA-256 ``key`` is to sign."""

    key: SigningKey
    digest: bytes
    octets: bytes


def sign(
    section: HeaderSection,
    body_hash: bytes,
    keys: Sequence[SigningKey],
    *,
    signed_at: datetime,
    expires_at: datetime,
) -> bytes:
    """Sign with every key; see ``prepare`` for the arguments and ``finish`` for what is returned."""
    unsigned = prepare(section, body_hash, keys, signed_at=signed_at, expires_at=expires_at)
    return finish(unsigned, [sign_digest(field.key, field.digest) for field in unsigned])


def prepare(
    section: HeaderSection,
    body_hash: bytes,
    keys: Sequence[SigningKey],
    *,
    signed_at: datetime,
    expires_at: datetime,
) -> list[UnsignedField]:
    """Make the fields of all keys but for the signatures.

    Args:
        section: The header section exactly as it will be sent, before these signatures are put in front of it.
        body_hash: From ``relaxed_body_hash`` or ``BodyHasher``, over the body exactly as it will be sent.
        keys: One of each algorithm as a rule; at least one.
        signed_at: Goes into ``t=``, cut to whole seconds.
        expires_at: Goes into ``x=``.

    Returns:
        One field a key, RSA before Ed25519 (RFC 8463 §3: older verifiers meet the one they know first). No signature
        covers another, so the header section is brought into canonical form and hashed once.
    """
    names, canonical = _signed_fields(section)
    header_hash = sha256(canonical)
    fields = []
    for key in sorted(keys, key=_is_ed25519):
        unsigned = serialize_signature(
            DKIMSignature(
                algorithm=key.algorithm.value,
                domain=key.domain,
                selector=key.selector,
                header_names=names,
                body_hash=body_hash,
                signed_at=signed_at,
                expires_at=expires_at,
            )
        )
        digest = header_hash.copy()
        digest.update(relaxed_field(unsigned)[:-2])
        fields.append(UnsignedField(key, digest.digest(), unsigned))
    return fields


def finish(fields: Sequence[UnsignedField], signatures: Sequence[bytes]) -> bytes:
    """Return the fields with their signatures, each with its CRLF, ready to be put in front of the section."""
    return b"".join(
        [add_signature(field.octets, signature) for field, signature in zip(fields, signatures, strict=True)]
    )


def sign_digest(key: SigningKey, digest: bytes) -> bytes:
    """Return a key's signature of a SHA-256: RSASSA-PKCS1-v1_5 (RFC 8301), or Ed25519 of the digest (RFC 8463 §3)."""
    if isinstance(key.private_key, RSAPrivateKey):
        return key.private_key.sign(digest, _PADDING, _PREHASHED)
    return key.private_key.sign(digest)


def _signed_fields(section: HeaderSection) -> tuple[tuple[bytes, ...], bytes]:
    """Return the ``h=`` names and the canonical fields they stand for, in that order (RFC 6376 §5.4.2).

    Fields of one name are taken from the bottom up; the last mention of each name stands for the absent instance.
    """
    found: dict[bytes, list[bytes]] = {name: [] for name in SIGNED_NAMES}
    for header_field in section.fields:
        if header_field.name in found:
            found[header_field.name].append(relaxed_field(header_field.octets))
    names: list[bytes] = []
    canonical: list[bytes] = []
    for name, instances in found.items():
        names += [name] * (len(instances) + 1)
        canonical += reversed(instances)
    return tuple(names), b"".join(canonical)


def _is_ed25519(key: SigningKey) -> bool:
    return key.algorithm is SigningAlgorithm.ED25519_SHA256
