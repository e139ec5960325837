"""Verify the DKIM signatures of a message (RFC 6376 §6, RFC 8301, RFC 8463).

Nothing that a message or a key record holds raises an exception here: whatever is wrong ends in a result.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from hashlib import sha256
from hmac import compare_digest

import idna
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost.standards.dkim.canonicalize import canonicalize_body, canonicalize_field
from gatepost.standards.dkim.record import KeyRecord, KeyRecordError, load_public_key, parse_key_record
from gatepost.standards.dkim.signature import (
    FIELD_NAME,
    DKIMSignature,
    SignatureError,
    parse_signature,
    without_signature,
)
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import TXT

MAX_SIGNATURES = 10
"""Signatures checked in one message, from the top; each may cost a DNS query and a hash of the body."""

MIN_RSA_BITS = 1024
"""RFC 8301 §3.2: a signature by a shorter key is not valid."""

_KEY_TYPES = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_MAX_NAME_OCTETS = 253
_MAX_LABEL_OCTETS = 63


class VerificationStatus(Enum):
    """The result words of RFC 8601 §2.7.1; "none" is an empty list of results."""

    PASS = "pass"  # noqa: S105 - a result word, not a password
    FAIL = "fail"
    #: The field could not be read as a signature.
    NEUTRAL = "neutral"
    #: The key could not be had now; it may be had later.
    TEMPERROR = "temperror"
    #: The key cannot be had, or is not one the signature may be checked with.
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of one signature.

    Attributes:
        reason: In words a postmaster understands; for PASS it says what was signed by whom.
        signature: The field as read; None where it could not be.
        key_bits: Size of the RSA key; 256 for Ed25519; 0 where no key was loaded.
        is_testing: The key record carries ``t=y``: the signer asks that a failure be overlooked.
        unsigned_octets: Octets at the end of the canonical body that ``l=`` leaves out: anybody may have added them.
    """

    status: VerificationStatus
    reason: str
    signature: DKIMSignature | None = None
    key_bits: int = 0
    is_testing: bool = False
    unsigned_octets: int = 0


@dataclass(frozen=True, slots=True)
class _Message:
    """The message taken apart: its fields as they stand by lower-case name, top to bottom, and the body."""

    by_name: dict[bytes, list[bytes]]
    body: bytes


class _Refused(Exception):
    """Ends the checking of one signature with a status and a reason."""

    def __init__(self, status: VerificationStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def verify(message: bytes, *, at: datetime) -> Generator[Question, Answer, tuple[Verification, ...]]:
    """Check every DKIM signature of a message, from the top.

    Args:
        message: As it came over the wire, CRLF line ends.
        at: The instant by which expiry (``x=``) is judged.

    Yields:
        The questions for the key records; send the answers in.

    Returns:
        One result a signature, in the order of the fields; empty if the message has none.
    """
    taken = _take_apart(message)
    results: list[Verification] = []
    for field in taken.by_name[FIELD_NAME]:
        if len(results) < MAX_SIGNATURES:
            results.append((yield from _verify_field(field, taken, at)))
        else:
            reason = f"not checked: only the first {MAX_SIGNATURES} signatures of a message are"
            results.append(Verification(status=VerificationStatus.NEUTRAL, reason=reason))
    return tuple(results)


def _verify_field(field: bytes, message: _Message, at: datetime) -> Generator[Question, Answer, Verification]:
    try:
        signature = parse_signature(field.partition(b":")[2])
    except SignatureError as error:
        return Verification(status=VerificationStatus.NEUTRAL, reason=f"not a signature that can be read: {error}")
    result = Verification(status=VerificationStatus.FAIL, reason="", signature=signature)
    try:
        question = _question(signature)
        _check_terms(signature, at)
        unsigned_octets = _check_body(signature, message.body)
        result = replace(result, unsigned_octets=unsigned_octets)
        record = _record((yield question), question.name)
        result = replace(result, is_testing=record.is_testing)
        _check_record(record, signature, question.name)
        key = _load(record, question.name)
        result = replace(result, key_bits=_bits(key))
        _check_signature(key, signature, field, message)
    except _Refused as refused:
        return replace(result, status=refused.status, reason=refused.reason)
    return replace(result, status=VerificationStatus.PASS, reason=_praise(result, signature))


def _take_apart(message: bytes) -> _Message:
    """Split a message leniently: a line that is no field is one without a name, and so is never signed or missed."""
    head, _, body = (b"\r\n" + message).partition(b"\r\n\r\n")
    fields: list[bytes] = []
    lines: list[bytes] = []
    for line in head[2:].split(b"\r\n"):
        if line[:1] not in (b" ", b"\t") and lines:
            fields.append(b"\r\n".join([*lines, b""]))
            lines = []
        lines.append(line)
    fields.append(b"\r\n".join([*lines, b""]))
    by_name: dict[bytes, list[bytes]] = defaultdict(list)
    for field in fields:
        name, colon, _ = field.partition(b":")
        if colon:
            by_name[name.rstrip(b" \t").lower()].append(field)
    return _Message(by_name, body)


def _question(signature: DKIMSignature) -> Question:
    """Return the question for the key record (RFC 6376 §3.6.2.1)."""
    written = f"{signature.selector}._domainkey.{signature.domain}"
    labels: list[str] = []
    if len(written) <= _MAX_NAME_OCTETS:
        with suppress(UnicodeError):
            labels = [_a_label(label) for label in written.split(".")]
    name = ".".join(labels)
    if not 0 < len(name) <= _MAX_NAME_OCTETS or not all(0 < len(label) <= _MAX_LABEL_OCTETS for label in labels):
        raise _Refused(VerificationStatus.PERMERROR, "the name of its key (s=, d=) is no name of the DNS")
    return Question(name, RecordType.TXT)


def _a_label(label: str) -> str:
    return label if label.isascii() else idna.encode(label).decode("ascii")


def _check_terms(signature: DKIMSignature, at: datetime) -> None:
    """Refuse what is not valid whatever the key says."""
    if signature.algorithm == "rsa-sha1":
        raise _Refused(VerificationStatus.FAIL, "rsa-sha1 is no longer valid (RFC 8301); the signer must use SHA-256")
    if signature.algorithm not in _KEY_TYPES:
        raise _Refused(VerificationStatus.NEUTRAL, f"the algorithm {signature.algorithm} is unknown")
    if signature.expires_at is not None and at >= signature.expires_at:
        reason = f"it expired at {signature.expires_at:%Y-%m-%d %H:%M:%S} UTC (x=)"
        raise _Refused(VerificationStatus.FAIL, reason)


def _check_body(signature: DKIMSignature, body: bytes) -> int:
    """Compare the body hash; return the number of octets that ``l=`` leaves unsigned."""
    canonical = canonicalize_body(body, signature.body_form)
    signed = canonical
    if signature.body_octets is not None:
        if signature.body_octets > len(canonical):
            reason = f"the body was shortened: {signature.body_octets} octets were signed, {len(canonical)} are here"
            raise _Refused(VerificationStatus.FAIL, reason)
        signed = canonical[: signature.body_octets]
    digest = sha256(signed).digest()
    if not compare_digest(digest, signature.body_hash):
        found = b64encode(digest).decode("ascii")
        raise _Refused(VerificationStatus.FAIL, f"the body was changed after signing (its hash is {found}, not bh=)")
    return len(canonical) - len(signed)


def _record(answer: Answer, name: str) -> KeyRecord:
    """Return the first key record of the answer (RFC 6376 §6.1.2)."""
    if answer.status is AnswerStatus.FAILED:
        raise _Refused(VerificationStatus.TEMPERROR, f"the DNS did not answer for {name}: {answer.detail or 'failed'}")
    texts = [record.text for record in answer.records if isinstance(record, TXT)]
    if not texts:
        raise _Refused(VerificationStatus.PERMERROR, f"no key: there is no TXT record at {name}")
    complaint = ""
    for text in texts:
        try:
            return parse_key_record(text)
        except KeyRecordError as error:
            complaint = complaint or str(error)
    raise _Refused(VerificationStatus.PERMERROR, f"the TXT record at {name} is no key record: {complaint}")


def _check_record(record: KeyRecord, signature: DKIMSignature, name: str) -> None:
    """Refuse a key that may not be used for this signature (RFC 6376 §3.6.1, §6.1.2)."""
    key_type = _KEY_TYPES[signature.algorithm]
    complaints: Iterable[tuple[bool, str]] = (
        (record.is_revoked, f"the key at {name} was revoked (p= is empty)"),
        (record.key_type != key_type, f"{signature.algorithm} needs a key of type {key_type}, {name} holds another"),
        (bool(record.hash_names) and "sha256" not in record.hash_names, f"the key at {name} is not for SHA-256 (h=)"),
        (not record.services & {"*", "email"}, f"the key at {name} is not for e-mail (s=)"),
        (
            "s" in record.flags and signature.identity.rpartition("@")[2].lower() != signature.domain,
            f"the key at {name} forbids sub-domains in i= (t=s)",
        ),
    )
    for applies, reason in complaints:
        if applies:
            raise _Refused(VerificationStatus.PERMERROR, reason)


def _load(record: KeyRecord, name: str) -> RSAPublicKey | Ed25519PublicKey:
    try:
        key = load_public_key(record)
    except KeyRecordError as error:
        raise _Refused(VerificationStatus.PERMERROR, f"the key at {name} cannot be used: {error}") from None
    if _bits(key) < MIN_RSA_BITS and isinstance(key, RSAPublicKey):
        reason = f"the RSA key at {name} has {key.key_size} bits; fewer than {MIN_RSA_BITS} are not valid (RFC 8301)"
        raise _Refused(VerificationStatus.FAIL, reason)
    return key


def _check_signature(
    key: RSAPublicKey | Ed25519PublicKey, signature: DKIMSignature, field: bytes, message: _Message
) -> None:
    digest = _header_hash(signature, field, message)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature.signature, digest, PKCS1v15(), Prehashed(SHA256()))
        else:
            key.verify(signature.signature, digest)
    except (InvalidSignature, ValueError):
        reason = "a signed header field was changed, or another key signed it (the signature does not match)"
        raise _Refused(VerificationStatus.FAIL, reason) from None


def _header_hash(signature: DKIMSignature, field: bytes, message: _Message) -> bytes:
    """Hash the signed fields, bottom up within each name, then the signature field itself (RFC 6376 §3.7, §5.4.2)."""
    remaining = {name: list(message.by_name.get(name, ())) for name in signature.header_names}
    if FIELD_NAME in remaining:  # Other signatures may be signed; a signature cannot sign itself.
        remaining[FIELD_NAME] = [other for other in remaining[FIELD_NAME] if other is not field]
    digest = sha256()
    for name in signature.header_names:
        if remaining[name]:
            digest.update(canonicalize_field(remaining[name].pop(), signature.header_form))
    digest.update(canonicalize_field(without_signature(field), signature.header_form).removesuffix(b"\r\n"))
    return digest.digest()


def _bits(key: RSAPublicKey | Ed25519PublicKey) -> int:
    return key.key_size if isinstance(key, RSAPublicKey) else 256


def _praise(result: Verification, signature: DKIMSignature) -> str:
    signer = f"signed by {signature.domain} ({signature.algorithm}, {result.key_bits} bits)"
    if result.unsigned_octets:
        return f"{signer}, but the last {result.unsigned_octets} octets of the body are not signed (l=)"
    return signer
