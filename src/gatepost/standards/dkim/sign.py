"""Sign a message (RFC 6376 §5, RFC 8463): header fields and a body hash in, DKIM-Signature fields out."""

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


def sign(
    section: HeaderSection,
    body_hash: bytes,
    keys: Sequence[SigningKey],
    *,
    signed_at: datetime,
    expires_at: datetime,
) -> bytes:
    """Sign with every key.

    Args:
        section: The header section exactly as it will be sent, before these signatures are put in front of it.
        body_hash: From ``relaxed_body_hash`` or ``BodyHasher``, over the body exactly as it will be sent.
        keys: One of each algorithm as a rule; at least one.
        signed_at: Goes into ``t=``, cut to whole seconds.
        expires_at: Goes into ``x=``.

    Returns:
        The DKIM-Signature fields, RSA before Ed25519 (RFC 8463 §3: older verifiers meet the one they know first),
        each with its CRLF, ready to be put in front of the section. No signature covers another, so the header
        section is brought into canonical form and hashed once.
    """
    names, canonical = _signed_fields(section)
    header_hash = sha256(canonical)
    signed = []
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
        signed.append(add_signature(unsigned, _sign_digest(key, digest.digest())))
    return b"".join(signed)


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


def _sign_digest(key: SigningKey, digest: bytes) -> bytes:
    if isinstance(key.private_key, RSAPrivateKey):
        return key.private_key.sign(digest, _PADDING, _PREHASHED)
    return key.private_key.sign(digest)


def _is_ed25519(key: SigningKey) -> bool:
    return key.algorithm is SigningAlgorithm.ED25519_SHA256
