"""Which passwords are taken: long ones that are not among the first that somebody would try.

NIST SP 800-63B-4 §3.1.1.2, OWASP ASVS 5.0 6.2: a minimum length, no rules of composition, no forced change, at least 64
characters allowed, and a list of what is common. ASVS wants names of the service and of its surroundings refused too.
"""

import re
import unicodedata
from collections.abc import Collection
from enum import Enum
from typing import Final

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 1024
"""Far beyond any real one; it bounds the work of normalising."""

_SERVICE_WORDS: Final = ("gatepost",)
_SMALLEST_WORD: Final = 4
#: What has to be left once the words that anybody knows are taken out.
_MIN_REST: Final = 8
_LOOKALIKES: Final = str.maketrans({"0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"})
_EDGES: Final = re.compile(r"^[\W\d_]+|[\W\d_]+$")


class PasswordDenial(Enum):
    """Why a password is not taken."""

    TOO_SHORT = f"the password must have at least {MIN_CHARACTERS} characters; a few random words make a good one"
    TOO_LONG = f"the password may have at most {MAX_CHARACTERS} characters"
    COMMON = "the password is among those that are tried first; take another one"
    REPEATED = "the password repeats one short piece; take another one"
    OWN_WORD = "the password is made of a name of yours or of this service; take another one"


def normalize(password: str) -> str:
    """Return the password in the one form that is hashed: NFKC, so that each keyboard types the same (800-63B-4)."""
    return unicodedata.normalize("NFKC", password)


def judge(password: str, *, own_words: Collection[str], common: frozenset[str]) -> PasswordDenial | None:
    """Say why a password is not taken; None if it is.

    Args:
        password: As typed.
        own_words: Names of the person and of the account: user name, e-mail address, first and last name.
        common: Passwords that are tried first, and the words they are made of, in lower case
            (``system.common_passwords``).
    """
    if len(password) > MAX_CHARACTERS:
        return PasswordDenial.TOO_LONG
    text = normalize(password)
    if len(text) < MIN_CHARACTERS:
        return PasswordDenial.TOO_SHORT
    lower = text.casefold()
    if any(_is_common(form, common) for form in (lower, lower.translate(_LOOKALIKES))):
        return PasswordDenial.COMMON
    if _is_repetition(lower):
        return PasswordDenial.REPEATED
    if _is_made_of(lower, own_words):
        return PasswordDenial.OWN_WORD
    return None


def _is_common(text: str, common: frozenset[str]) -> bool:
    """Whether it is listed; with what stands around it or without; as it is, written again and again, or with another.

    Signs and digits at the ends are what people put there to please rules of composition.
    """
    plain = _EDGES.sub("", text)
    if text in common or plain in common:
        return True
    if any(plain[:size] in common and _repeats(plain, size) for size in range(_SMALLEST_WORD, len(plain) // 2 + 1)):
        return True
    return any(plain[:cut] in common and plain[cut:] in common for cut in range(_SMALLEST_WORD, len(plain) - 3))


def _is_repetition(text: str) -> bool:
    """Whether it is one piece of up to half of the shortest length, again and again: ``abcabcabcabc``."""
    return any(_repeats(text, size) for size in range(1, MIN_CHARACTERS // 2 + 1))


def _repeats(text: str, size: int) -> bool:
    return text == (text[:size] * (len(text) // size + 1))[: len(text)]


def _is_made_of(text: str, own_words: Collection[str]) -> bool:
    """Whether too little is left of it without the names; digits and signs at the ends do not count."""
    pieces = {piece for word in own_words for piece in re.split(r"[\W_]+", word.casefold())} | set(_SERVICE_WORDS)
    words = {word.casefold() for word in own_words} | pieces
    for form in (text, text.translate(_LOOKALIKES)):
        rest = form
        for word in sorted(words, key=len, reverse=True):
            if len(word) >= _SMALLEST_WORD:
                rest = rest.replace(word, "")
        if rest != form and len(_EDGES.sub("", rest)) < _MIN_REST:
            return True
    return False
