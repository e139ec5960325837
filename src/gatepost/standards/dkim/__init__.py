"""DKIM: RFC 6376, 8301, 8463. Canonicalise, sign, verify.

Place in the flow: a delivery attempt hashes the body it is about to send (``relaxed_body_hash`` or ``BodyHasher``),
then ``sign`` turns header section and hash into DKIM-Signature fields. ``verify`` is for the development inbox, for
``gatepost check`` and for the tests; like every evaluator here it yields DNS questions and does not ask them.

Invariants: what is signed is what is sent, octet for octet; ``l=`` is never written; every field a reader sees is
signed once more often than it occurs. Threats considered: fields added after signing, replay (``t=``, ``x=``), hostile
signature fields and key records, weak keys and hashes.
"""

from gatepost.standards.dkim.body_hash import BodyHasher, relaxed_body_hash
from gatepost.standards.dkim.sign import SigningAlgorithm, SigningKey, sign
from gatepost.standards.dkim.verify import Verification, VerificationStatus, verify

__all__ = [
    "BodyHasher",
    "SigningAlgorithm",
    "SigningKey",
    "Verification",
    "VerificationStatus",
    "relaxed_body_hash",
    "sign",
    "verify",
]
