"""The DKIM-Signature field as a value: parsed strictly, serialised folded (RFC 6376 §3.5)."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from gatepost.standards.dkim.canonicalize import Canonicalization
from gatepost.standards.dkim.tag_list import TagListError, parse_tag_list, without_white_space

FIELD_NAME = b"dkim-signature"

_LINE_OCTETS = 76
_LABELS = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff](?:[-A-Za-z0-9_.\u0080-\U0010ffff]*[A-Za-z0-9_\u0080-\U0010ffff])?")
_ALGORITHM = re.compile(r"[A-Za-z][A-Za-z0-9]*-[A-Za-z][A-Za-z0-9]*")
_FIELD_NAME = re.compile(r"[\x21-\x39\x3c-\x7e]+")
_DIGITS = re.compile(r"[0-9]{1,76}")
_LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")

T = TypeVar("T")


class SignatureError(ValueError):
    """The field is no DKIM signature of version 1; the message says why, in words for a postmaster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DKIMSignature:
    """One DKIM-Signature field.

    Attributes:
        algorithm: The ``a=`` tag, lower case; it may name one we do not take.
        domain: The signing domain (SDID), lower case, as written: A-labels or U-labels (RFC 8616).
        header_names: The ``h=`` tag, lower case, in order and with repetitions; holds ``from``.
        signature: Empty while the signature is being made.
        identity: The ``i=`` tag (AUID); "@domain" where the field has none.
        body_octets: The ``l=`` tag: how many octets of the canonical body are signed; None for all.
        signed_at: The ``t=`` tag.
        expires_at: The ``x=`` tag. Instants after the year 9999 are taken as its end.
    """

    algorithm: str
    domain: str
    selector: str
    header_names: tuple[bytes, ...]
    body_hash: bytes
    signature: bytes = b""
    header_form: Canonicalization = Canonicalization.RELAXED
    body_form: Canonicalization = Canonicalization.RELAXED
    identity: str = ""
    body_octets: int | None = None
    signed_at: datetime | None = None
    expires_at: datetime | None = None


def parse_signature(value: bytes) -> DKIMSignature:
    """Read what follows the colon of a DKIM-Signature field.

    Raises:
        SignatureError: A tag is missing, malformed or repeated, the version is not 1, ``h=`` lacks From, ``i=`` lies
            outside ``d=``, or ``x=`` is not after ``t=``.

    Source: RFC 6376 §3.5, §6.1.1. Unknown tags and ``z=`` are ignored.
    """
    try:
        tags = parse_tag_list(value)
    except TagListError as error:
        raise SignatureError(str(error)) from None
    for name in _REQUIRED:
        if not tags.get(name):
            raise SignatureError(f"the tag {name}= is missing or empty")
    if tags["v"] != "1":
        raise SignatureError("the version (v=) is not 1")
    if "dns/txt" not in without_white_space(tags.get("q", "dns/txt")).lower().split(":"):
        raise SignatureError("the key cannot be asked for as q= demands; only dns/txt is known")
    header_form, body_form = _forms(tags.get("c", "simple/simple"))
    domain = _matched(tags, "d", _LABELS).lower()
    signed_at, expires_at = _instant(tags, "t"), _instant(tags, "x")
    if signed_at and expires_at and expires_at <= signed_at:
        raise SignatureError("it expires (x=) before it was made (t=)")
    return DKIMSignature(
        algorithm=_matched(tags, "a", _ALGORITHM).lower(),
        domain=domain,
        selector=_matched(tags, "s", _LABELS).lower(),
        header_names=_header_names(tags["h"]),
        body_hash=_octets(tags, "bh"),
        signature=_octets(tags, "b"),
        header_form=header_form,
        body_form=body_form,
        identity=_identity(tags.get("i", f"@{domain}"), domain),
        body_octets=int(_matched(tags, "l", _DIGITS)) if "l" in tags else None,
        signed_at=signed_at,
        expires_at=expires_at,
    )


def serialize_signature(signature: DKIMSignature) -> bytes:
    """Write the whole field, folded, CRLF at its end; ``b=`` comes last, and empty if there is no signature yet."""
    tags = [
        f"DKIM-Signature: v=1; a={signature.algorithm}; c={signature.header_form.value}/{signature.body_form.value};",
        f" d={signature.domain}; s={signature.selector};",
        _optional_tags(signature),
    ]
    names = _fold_names(signature.header_names)
    body_hash = b" bh=" + b64encode(signature.body_hash) + b";"
    head = "\r\n".join([tag for tag in tags if tag]).encode("utf-8")
    return b"\r\n".join([head, names, body_hash, b" b="]) + _fold_base64(signature.signature) + b"\r\n"


def add_signature(unsigned_field: bytes, signature: bytes) -> bytes:
    """Return the field that ``serialize_signature`` wrote without a signature, with ``signature`` in its ``b=``."""
    return unsigned_field[:-2] + _fold_base64(signature) + b"\r\n"


def without_signature(field: bytes) -> bytes:
    """Return a DKIM-Signature field as it stands with the value of its ``b=`` tag removed (RFC 6376 §3.7)."""
    name, colon, value = field.partition(b":")
    tags = value.removesuffix(b"\r\n").split(b";")
    for place, tag in enumerate(tags):
        tag_name, equals, _ = tag.partition(b"=")
        if tag_name.strip(b" \t\r\n") == b"b":
            tags[place] = tag_name + equals
    return name + colon + b";".join(tags) + b"\r\n"


def _optional_tags(signature: DKIMSignature) -> str:
    tags = ""
    if signature.signed_at is not None:
        tags += f" t={int(signature.signed_at.timestamp())};"
    if signature.expires_at is not None:
        tags += f" x={int(signature.expires_at.timestamp())};"
    if signature.identity:
        tags += f" i={signature.identity};"
    if signature.body_octets is not None:
        tags += f" l={signature.body_octets};"
    return tags


@lru_cache(maxsize=256)
def _fold_names(names: tuple[bytes, ...]) -> bytes:
    """Return the tag ``h=``; an application's messages have it in common."""
    return _fold(b" h=" + b":".join(names) + b";", b":")


def _fold(text: bytes, separator: bytes) -> bytes:
    """Fold after separators so that lines stay near 76 octets."""
    lines = []
    start = 0
    while len(text) - start > _LINE_OCTETS:
        end = text.rfind(separator, start, start + _LINE_OCTETS) + 1 or text.find(separator, start) + 1 or len(text)
        lines.append(text[start:end])
        start = end
    lines.append(text[start:])
    return b"\r\n ".join(lines)


def _fold_base64(octets: bytes) -> bytes:
    text = b64encode(octets)
    return b"\r\n ".join([text[start : start + 72] for start in range(0, len(text), 72)])


def _matched(tags: dict[str, str], name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(tags[name]):
        raise SignatureError(f"the tag {name}= is malformed")
    return tags[name]


def _octets(tags: dict[str, str], name: str) -> bytes:
    try:
        return b64decode(without_white_space(tags[name]).encode("utf-8"), validate=True)
    except ValueError:
        raise SignatureError(f"the tag {name}= is not base64") from None


def _instant(tags: dict[str, str], name: str) -> datetime | None:
    if name not in tags:
        return None
    seconds = int(_matched(tags, name, _DIGITS))
    return _LATEST if seconds >= _LATEST.timestamp() else datetime.fromtimestamp(seconds, UTC)


def _forms(value: str) -> tuple[Canonicalization, Canonicalization]:
    header, _, body = value.lower().partition("/")
    try:
        return Canonicalization(header), Canonicalization(body or "simple")
    except ValueError:
        raise SignatureError("the canonicalisation (c=) is neither simple nor relaxed") from None


def _header_names(value: str) -> tuple[bytes, ...]:
    names = [name.strip(" \t").lower() for name in value.split(":")]
    if not all(_FIELD_NAME.fullmatch(name) for name in names):
        raise SignatureError("the tag h= is malformed")
    if "from" not in names:
        raise SignatureError("the From field is not signed (h=)")
    return tuple([name.encode("ascii") for name in names])


def _identity(value: str, domain: str) -> str:
    _, at, host = value.rpartition("@")
    if not at or not f".{host.lower()}".endswith(f".{domain}"):
        raise SignatureError("the identity (i=) lies outside the signing domain (d=)")
    return value
