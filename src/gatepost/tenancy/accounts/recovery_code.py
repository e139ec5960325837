"""Recovery codes: what a person keeps for the day his phone is gone. Ten, each good for one proof.

A code is 24 characters of base32 (RFC 4648 §6), in lower case and in groups of six: 120 random bits, so that a keyed
hash keeps it at rest as well as a password hash would (ASVS 5.0 6.5.2 asks for the latter only under 112 bits).
"""

from base64 import b32encode
from collections.abc import Callable
from typing import Final

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.ids import TeammateId
from gatepost.primitives.secret import Secret

CODES: Final = 10
_OCTETS: Final = 15
_GROUP: Final = 6
_CHARACTERS: Final = 24
_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")


def make_codes(entropy: Entropy) -> tuple[Secret[str], ...]:
    """Draw a new set of codes, as they are shown."""
    return tuple([_show(b32encode(entropy.draw(_OCTETS)).decode("ascii").lower()) for _ in range(CODES)])


def read_code(text: str) -> str | None:
    """Return a code as it is hashed, however it was grouped and in whatever case; None if it has not the shape."""
    code = text.lower().replace("-", "").replace(" ", "").strip()
    return code if len(code) == _CHARACTERS and set(code) <= _ALPHABET else None


def hash_code(teammate_id: TeammateId, code: str, keyed_hash: Callable[[bytes], bytes]) -> bytes:
    """Return what rests of a code. The person is hashed along: a hash moved to another row opens nothing."""
    return keyed_hash(f"gatepost recovery code\n{teammate_id}\n{code}".encode())


def _show(code: str) -> Secret[str]:
    return Secret("-".join([code[start : start + _GROUP] for start in range(0, len(code), _GROUP)]))
