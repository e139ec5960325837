"""The key record as a value: what ``selector._domainkey.domain`` publishes (RFC 6376 §3.6.1, RFC 8463 §4)."""

from base64 import b64decode, b64encode
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gatepost.standards.dkim.tag_list import TagListError, parse_tag_list, without_white_space

_MAX_RSA_BITS = 8192
"""Twice what RFC 8301 §3.2 asks verifiers for; checking a longer key would cost the verifier too much."""


class KeyRecordError(ValueError):
    """The text is no usable key record; the message says why, in words for a postmaster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One key record.

    Attributes:
        key_type: ``rsa`` or ``ed25519``; another word is a key we cannot use.
        public_key: What ``p=`` holds, base64 removed; empty means the key was revoked.
        hash_names: The hashes the key may be used with; empty means any.
        services: The services it is for; ``*`` is all.
        flags: ``y`` for testing, ``s`` for no sub-domains in ``i=``; others are kept and mean nothing.
    """

    key_type: str
    public_key: bytes
    hash_names: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset({"*"})
    flags: frozenset[str] = frozenset()

    @property
    def is_revoked(self) -> bool:
        """The owner has withdrawn the key."""
        return not self.public_key

    @property
    def is_testing(self) -> bool:
        """The owner is trying DKIM out and asks that failures be treated as unsigned mail."""
        return "y" in self.flags


def parse_key_record(text: bytes) -> KeyRecord:
    """Read a TXT record.

    Raises:
        KeyRecordError: It is no tag list, ``v=`` is not DKIM1 in the first place, or ``p=`` is missing or not base64.
    """
    try:
        tags = parse_tag_list(text)
    except TagListError as error:
        raise KeyRecordError(str(error)) from None
    if "v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v"):
        raise KeyRecordError("the version is not v=DKIM1 at the beginning")
    if "p" not in tags:
        raise KeyRecordError("the public key (p=) is missing")
    try:
        public_key = b64decode(without_white_space(tags["p"]).encode("utf-8"), validate=True)
    except ValueError:
        raise KeyRecordError("the public key (p=) is not base64") from None
    return KeyRecord(
        key_type=tags.get("k", "rsa").lower(),
        public_key=public_key,
        hash_names=_words(tags.get("h", "")),
        services=_words(tags.get("s", "*")),
        flags=_words(tags.get("t", "")),
    )


def serialize_key_record(record: KeyRecord) -> str:
    """Write the record as a TXT value, without quotes; a TXT string holds 255 octets, so a publisher may split it."""
    tags = ["v=DKIM1", f"k={record.key_type}"]
    if record.hash_names:
        tags.append("h=" + ":".join(sorted(record.hash_names)))
    if record.services != frozenset({"*"}):
        tags.append("s=" + ":".join(sorted(record.services)))
    if record.flags:
        tags.append("t=" + ":".join(sorted(record.flags)))
    tags.append("p=" + b64encode(record.public_key).decode("ascii"))
    return "; ".join(tags)


def load_public_key(record: KeyRecord) -> RSAPublicKey | Ed25519PublicKey:
    """Return the key itself.

    An RSA key is taken as SubjectPublicKeyInfo, as everybody publishes it, and as the bare RSAPublicKey of RFC 6376
    §3.6.1, whose words and examples differ.

    Raises:
        KeyRecordError: The octets are no key of that type, or an RSA key of more than 8192 bits.
    """
    try:
        if record.key_type == "ed25519":
            return Ed25519PublicKey.from_public_bytes(record.public_key)
        key = load_der_public_key(record.public_key)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRecordError(f"the public key (p=) is no {record.key_type} key") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyRecordError(f"the public key (p=) is no {record.key_type} key")
    if key.key_size > _MAX_RSA_BITS:
        raise KeyRecordError(f"the public key has {key.key_size} bits, more than the {_MAX_RSA_BITS} that are checked")
    return key


def _words(value: str) -> frozenset[str]:
    return frozenset(without_white_space(value).lower().split(":")) - {""}
