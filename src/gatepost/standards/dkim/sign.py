"""Sign a message (RFC 6376 §5, RFC 8463): header fields and a body hash in, DKIM-Signature fields out."""

from dataclasses import dataclass, field
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


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
