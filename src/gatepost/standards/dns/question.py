"""Questions and answers as values: what evaluators ask and a resolver yields."""

from dataclasses import dataclass
from enum import Enum

from gatepost.standards.dns.records import Record


class RecordType(Enum):
    """The types we ask for; the value is the mnemonic."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    MX = "MX"
    TXT = "TXT"
    TLSA = "TLSA"
    PTR = "PTR"
    NS = "NS"


class AnswerStatus(Enum):
    """What became of a question."""

    FOUND = "found"
    #: The name exists, without records of that type.
    NO_DATA = "no data"
    #: The name does not exist (NXDOMAIN).
    NO_NAME = "no such name"
    #: Time-out, SERVFAIL, REFUSED, a malformed answer or a CNAME loop: ask again later.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Question:
    """One name and one type. ``name`` is lower-case A-labels without a trailing dot."""

    name: str
    type: RecordType


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question, CNAMEs followed.

    Attributes:
        status: What became of it; ``records`` is empty unless FOUND.
        records: Of the type asked for, in the order received.
        detail: For FAILED, the reason in words for an operator: "timed out", "SERVFAIL".
        authenticated: The resolver validated it with DNSSEC and we trust that resolver's word.
    """

    status: AnswerStatus
    records: tuple[Record, ...] = ()
    detail: str = ""
    authenticated: bool = False
