"""One thing that is to be said of a domain's mail, and how much it matters."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How much it matters; the first is the worst."""

    #: Mail is refused or lost, or anybody can send in the domain's name.
    BROKEN = 1
    #: It works, with less protection than there could be, or will stop working.
    WEAK = 2
    #: Nothing was found out: ask again.
    UNKNOWN = 3
    #: Worth having, nothing is wrong without it.
    HINT = 4
    GOOD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing about a domain's mail.

    Attributes:
        subject: MX, SPF, DKIM, DMARC, MTA-STS, TLS-RPT, BIMI.
        text: What is so, in words for the domain's owner.
        mend: The record to publish instead, ``NAME TYPE VALUE``; "" if there is none to write down.
    """

    severity: Severity
    subject: str
    text: str
    mend: str = ""


def unknown(subject: str, text: str) -> Advice:
    """Return that nothing was found out."""
    return Advice(severity=Severity.UNKNOWN, subject=subject, text=f"{text}; ask again later")
