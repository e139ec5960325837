"""API keys: how one is made, read, and described at rest.

A key reads ``SG.<22>.<43>``, base64url without padding, as client libraries of the dialect expect. The 22 characters
are its id, 16 random bytes, not secret. The 43 are its secret: 28 random bytes and their checksum, a CRC-32 over
``gatepost``, the id and those bytes. 224 random bits cannot be guessed; the checksum costs the guesser nothing and
lets a scanner of leaked text, or this server, tell a key from noise without a look-up.
"""

import re
from base64 import urlsafe_b64decode
from binascii import crc32
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import AccountId, KeyId, base64url, new_key_id
from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.grant import Grant

_RANDOM_OCTETS: Final = 28

# The last character of the secret carries 2 unused bits. They must be zero: one key has one spelling.
_SHAPE: Final = re.compile(rb"SG\.([\w-]{22})\.([\w-]{42}[AEIMQUYcgkosw048])", re.ASCII)

# As above, in the middle of other text: a longer run of such characters is something else.
_EMBEDDED: Final = re.compile(rb"(?<![\w-])(?=(SG\.[\w-]{22}\.[\w-]{43})(?![\w-]))", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it rests, without its secret.

    Attributes:
        name: What the operator calls it; need not be unique.
        last_used_at: When it last opened a session or sent, some seconds to a minute late; None for never.
        last_used_from: The address it was used from then.
        last_used_by: What the client said of itself then: its EHLO and TLS, or its user agent.
        is_honey: It is a trap: whoever uses it has found it where nobody should look.
    """

    id: KeyId
    account_id: AccountId
    name: str
    grant: Grant
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    last_used_from: str | None = None
    last_used_by: str | None = None
    is_honey: bool = False

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.grant.expires_at is None or now < self.grant.expires_at)


def issue(
    *, account_id: AccountId, name: str, grant: Grant, now: datetime, entropy: Entropy, is_honey: bool = False
) -> tuple[ApiKey, Secret[str]]:
    """Make a key. The second value is the whole key as its user needs it; it can never be had again."""
    key_id = new_key_id(entropy)
    while key_id.startswith("-"):
        # Every command line would take it for an option.
        key_id = new_key_id(entropy)
    random = entropy.draw(_RANDOM_OCTETS)
    secret = base64url(random + _checksum(key_id.encode(), random))
    key = ApiKey(id=key_id, account_id=account_id, name=name, grant=grant, created_at=now, is_honey=is_honey)
    return key, Secret(f"SG.{key_id}.{secret}")


def parse(text: bytes) -> tuple[KeyId, Secret[bytes]] | None:
    """Read a key as a client sent it: its id, and what is to be hashed; None if it has not the shape or the checksum.

    ASCII white space around it is dropped: a line end copied along with a key is the commonest mistake there is, no
    key contains any, and RFC 4616 leaves the reading of a password to the server. The dialect refuses such a key.
    """
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        return None
    key_id, encoded = match.groups()
    octets = urlsafe_b64decode(encoded + b"=")
    if _checksum(key_id, octets[:_RANDOM_OCTETS]) != octets[_RANDOM_OCTETS:]:
        return None
    # The id is hashed along, so that a hash moved to another row opens nothing.
    return KeyId(key_id.decode("ascii")), Secret(key_id + octets)


def find_all(text: bytes) -> list[bytes]:
    """Return each key that stands somewhere in a text, once, in order: shape and checksum are right.

    A scanner can do the same without us: the pattern and the checksum are public (docs/reference/keys.md).
    """
    candidates = dict.fromkeys(match[1] for match in _EMBEDDED.finditer(text))
    return [candidate for candidate in candidates if parse(candidate) is not None]


def _checksum(key_id: bytes, random: bytes) -> bytes:
    return crc32(b"gatepost" + key_id + random).to_bytes(4, "big")
