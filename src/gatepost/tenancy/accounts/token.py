"""One-time and session tokens: what is handed out, and the hash that rests.

``gps_`` a session, ``gpi_`` an invitation, ``gpr_`` a reset or set-up, ``gpv_`` the proof of an address to send as,
``gpe_`` the proof of a person's new address: the prefix, then 32 random octets as 43 base64url characters. 256 bits
cannot be guessed, so a keyed hash is all that rests of one, and finding the row by that hash is the whole check. The
prefix lets a scanner of leaked text name what it found.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import base64url
from gatepost.primitives.secret import Secret

_OCTETS: Final = 32
_BODY: Final = re.compile(r"[\w-]{42}[AEIMQUYcgkosw048]", re.ASCII)


class TokenKind(Enum):
    """What a token opens; the value is its prefix."""

    SESSION = "gps_"
    INVITATION = "gpi_"
    RESET = "gpr_"
    SENDER = "gpv_"
    EMAIL = "gpe_"


def draw_token(kind: TokenKind, entropy: Entropy) -> Secret[str]:
    """Make a token. It can never be had again."""
    return Secret(kind.value + base64url(entropy.draw(_OCTETS)))


def hash_token(kind: TokenKind, token: Secret[str], keyed_hash: Callable[[bytes], bytes]) -> bytes | None:
    """Return the hash under which a token rests; None if it has not the shape of one of that kind."""
    text = token.reveal().strip()
    if not text.startswith(kind.value) or not _BODY.fullmatch(text.removeprefix(kind.value)):
        return None
    return keyed_hash(f"gatepost token\n{text}".encode())
