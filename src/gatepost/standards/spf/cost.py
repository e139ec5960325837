"""What a policy costs receivers: every term that asks the DNS, whichever address is judged (RFC 7208 §4.6.4).

``evaluate`` stops at the first term that matches; an owner wants to know what the worst case is.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import TXT
from gatepost.standards.spf.record import (
    Mechanism,
    MechanismName,
    SPFRecord,
    SPFSyntaxError,
    is_spf_record,
    parse_spf_record,
)

MAX_COUNTED: Final = 40
"""Terms after which counting ends: the answer is "far too many" by then, and an owner can nest without end."""

_FREE = frozenset({MechanismName.ALL, MechanismName.IP4, MechanismName.IP6})


@dataclass(frozen=True, slots=True, kw_only=True)
class SPFTerm:
    """One term that asks the DNS: as written, in which domain's record, how deep in includes (0 at the top)."""

    text: str
    domain: str
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SPFCost:
    """Every term that counts, in the order of evaluation; and what could not be followed, for a postmaster."""

    terms: tuple[SPFTerm, ...]
    problems: tuple[str, ...] = ()


def count_lookups(domain: str) -> Generator[Question, Answer, SPFCost]:
    """Follow a domain's policy through its includes and redirects.

    Names with macros depend on the sender and are counted, not followed.

    Yields:
        Questions; send the answers in.
    """
    walk = _Walk()
    yield from walk.follow(domain, depth=0)
    return SPFCost(terms=tuple(walk.terms), problems=tuple(walk.problems))


class _Walk:
    def __init__(self) -> None:
        self.terms: list[SPFTerm] = []
        self.problems: list[str] = []

    def follow(self, domain: str, *, depth: int) -> Generator[Question, Answer, None]:
        record = yield from self._fetch(domain)
        if record is None:
            return
        for mechanism in record.mechanisms:
            if mechanism.name in _FREE or len(self.terms) >= MAX_COUNTED:
                continue
            self.terms.append(SPFTerm(text=str(mechanism), domain=domain, depth=depth))
            if mechanism.name is MechanismName.INCLUDE:
                yield from self._enter(mechanism.domain_spec, depth=depth + 1)
        if record.redirect and not _ends(record.mechanisms) and len(self.terms) < MAX_COUNTED:
            self.terms.append(SPFTerm(text=f"redirect={record.redirect}", domain=domain, depth=depth))
            yield from self._enter(record.redirect, depth=depth + 1)

    def _enter(self, target: str, *, depth: int) -> Generator[Question, Answer, None]:
        if "%" not in target:
            yield from self.follow(target.removesuffix("."), depth=depth)

    def _fetch(self, domain: str) -> Generator[Question, Answer, SPFRecord | None]:
        answer = yield Question(domain.lower(), RecordType.TXT)
        if answer.status is AnswerStatus.FAILED:
            self.problems.append(f"the DNS did not answer for TXT of {domain}: {answer.detail or 'failed'}")
            return None
        texts = [record.text for record in answer.records if isinstance(record, TXT) and is_spf_record(record.text)]
        if len(texts) != 1:
            self.problems.append(f"{domain} publishes {len(texts) or 'no'} SPF record{'s' if texts else ''}")
            return None
        try:
            return parse_spf_record(texts[0])
        except SPFSyntaxError as error:
            self.problems.append(f"the SPF record of {domain} is malformed: {error}")
            return None


def _ends(mechanisms: tuple[Mechanism, ...]) -> bool:
    """Whether an ``all`` stands there, after which ``redirect=`` means nothing (§6.1)."""
    return any(mechanism.name is MechanismName.ALL for mechanism in mechanisms)
