"""Domains that a reader takes for another: the same letters in another script, other letters of the same shape, a slip.

Two names look alike if the parts that somebody registered (``example`` of ``mail.example.co.uk``) come to the same
skeleton, whatever public suffix follows, or if the skeletons of long ones differ by one slip of the finger. The data
about scripts are those of Unicode (UTS 39, confusables); the shapes of ASCII that the mail world has seen are ours.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

import idna

from gatepost.tenancy.senders.public_suffix import PublicSuffixes

MIN_FUZZY_LENGTH: Final = 6
"""Shorter names differ by one letter too often to mean anything."""

#: Applied in this order, to a name in which every letter is ASCII already: digits first, for "c1" is "cl" is "d".
_ASCII_SHAPES = (("0", "o"), ("1", "l"), ("5", "s"), ("rn", "m"), ("vv", "w"), ("cl", "d"), ("i", "l"), ("-", ""))


class LookAlikes:
    """Finds the names among protected ones that a given one could be taken for."""

    def __init__(self, suffixes: PublicSuffixes) -> None:
        self._suffixes = suffixes

    def find(self, name: str, protected: Iterable[str]) -> str | None:
        """Return the first protected name that ``name`` looks like; None if it looks like none.

        A name under the same registered domain is no look-alike: it belongs to whoever owns that.

        Args:
            name: Lower-case A-labels, as all names here.
            protected: The names of others.
        """
        mine = self._suffixes.find_organizational_domain(name)
        if mine is None:
            return None
        shape = skeleton(self._registered_part(mine))
        for other in protected:
            theirs = self._suffixes.find_organizational_domain(other)
            if theirs is None or theirs == mine:
                continue
            if _is_near(shape, skeleton(self._registered_part(theirs))):
                return other
        return None

    def _registered_part(self, organizational: str) -> str:
        return organizational.partition(".")[0]


def skeleton(label: str) -> str:
    """Return what remains of a label when everything that looks alike is made the same."""
    text = idna.decode(label) if label.startswith("xn--") else label
    plain = "".join(map(_ascii_shape, unicodedata.normalize("NFKD", text))).lower()
    for shape, stands_for in _ASCII_SHAPES:
        plain = plain.replace(shape, stands_for)
    return plain


def _ascii_shape(character: str) -> str:
    """Return the ASCII letters that a character looks like; nothing for an accent; else the character itself."""
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ""
    # A megabyte of JSON, which only names in other scripts need.
    from confusable_homoglyphs.confusables import confusables_data

    alike = [entry["c"] for entry in confusables_data.get(character, ())]
    return next((text for text in alike if text.isascii() and text.isalnum()), character)


def _is_near(one: str, other: str) -> bool:
    return one == other or (min(len(one), len(other)) >= MIN_FUZZY_LENGTH and _is_one_slip(one, other))


def _is_one_slip(one: str, other: str) -> bool:
    """Whether one letter more, less, changed or swapped with its neighbour makes one text the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start + 1 : start + 2] + short[start : start + 1]
    return short[start + 1 :] == long[start + 1 :] or swapped + short[start + 2 :] == long[start:]
