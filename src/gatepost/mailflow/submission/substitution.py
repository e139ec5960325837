"""Values in the place of tags, and footers below texts: what the dialect does to texts, however they came in. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_NESTED: Final = 4
"""How deep a value may name other tags."""

MAX_OCTETS: Final = 100_000
"""Of all values for one recipient, once the tags in them are replaced."""

_BODY_END: Final = re.compile("</body", re.IGNORECASE | re.ASCII)


class TooMuchSubstituted(ValueError):
    """The values name each other so often that they grow beyond ``MAX_OCTETS``."""


class Substitution:
    """Puts values in the place of tags: in one pass, so that a value is never searched for tags."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        # Longer tags first: "-name-" must not be found inside "-name-last-".
        tags = sorted(values, key=len, reverse=True)
        self._tags = re.compile("|".join(map(re.escape, tags))) if tags else None

    def __call__(self, text: str) -> str:
        """Return the text with every tag replaced."""
        return self._tags.sub(lambda tag: self._values[tag[0]], text) if self._tags else text

    def measure(self, text: str) -> int:
        """Return how long the text would become, in characters."""
        found = self._tags.findall(text) if self._tags else []
        return len(text) + sum([len(self._values[tag]) - len(tag) for tag in found])


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What stands below every text of a message; "" for nothing."""

    plain: str = ""
    html: str = ""

    def add(self, media_type: str, text: str) -> str:
        """Return the text with the footer below it; in HTML before the body's end tag, if it has one."""
        if media_type == "text/plain" and self.plain:
            return f"{text}\n{self.plain}"
        if media_type == "text/html" and self.html:
            ends = [found.start() for found in _BODY_END.finditer(text)]
            end = ends[-1] if ends else len(text)
            return text[:end] + self.html + text[end:]
        return text


NO_FOOTER: Final = Footer()


def nest(values: Mapping[str, str], sections: Mapping[str, str]) -> Substitution:
    """Return the substitution of one recipient's values, in which tags of sections and of other values are replaced.

    Raises:
        TooMuchSubstituted: They grow too long.
    """
    inner: Mapping[str, str] = {**sections, **values}
    for _ in range(MAX_NESTED - 1):
        fill = Substitution(inner)
        if sum([fill.measure(text) for text in inner.values()]) > MAX_OCTETS:
            raise TooMuchSubstituted(f"the values for one recipient grow beyond {MAX_OCTETS} characters")
        filled = {tag: fill(text) for tag, text in inner.items()}
        if filled == inner:
            break
        inner = filled
    return Substitution({tag: inner[tag] for tag in values})
