"""What an evaluation comes to (RFC 7208 §2.6)."""

from dataclasses import dataclass
from enum import Enum


class SPFValue(Enum):
    """The results of RFC 7208 §2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result word, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True, kw_only=True)
class SPFResult:
    """What an evaluation came to.

    Attributes:
        explanation: For FAIL, what the domain's owner says about it (``exp=``); "" if nothing. It is the owner's
            text: show it as a quotation.
        problem: For NONE, TEMPERROR and PERMERROR, what is wrong, in words for a postmaster.
        lookups: Terms evaluated that ask the DNS; ten are allowed (§4.6.4).
    """

    value: SPFValue
    explanation: str = ""
    problem: str = ""
    lookups: int = 0
