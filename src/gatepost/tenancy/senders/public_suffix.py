"""Public suffixes: names under which anybody may register, and which therefore speak for nobody below them.

The list is the one of publicsuffix.org, both of its parts: ``github.io`` is as public for our purpose as ``co.uk``.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


class PublicSuffixes:
    """The public suffix list. It is read when first asked, which takes some 30 ms, and kept by the process."""

    def find_organizational_domain(self, name: str) -> str | None:
        """Return the name directly below a public suffix that a normalised name is or lies under.

        ``a.b.example.co.uk`` has ``example.co.uk``. A public suffix itself has none. A top-level domain that the
        list does not know is a public suffix, so that ``a.example.test`` has ``example.test``.
        """
        return _load().privatesuffix(name)


@cache
def _load() -> "PublicSuffixList":
    # Few of the many that may ask ever do.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
