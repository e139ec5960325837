"""Find the policy that holds for a domain, and its organisational domain, by walking up the DNS (RFC 9989 §4.10)."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

from gatepost.standards.dmarc.record import (
    DMARCRecord,
    DMARCSyntaxError,
    Policy,
    PublicSuffixDomain,
    is_dmarc_record,
    parse_dmarc_record,
)
from gatepost.standards.dns.names import ancestors, normalize
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import TXT

MAX_QUERIES: Final = 8
"""Questions of one walk, however long the name (§4.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeWalk:
    """What one walk found.

    Attributes:
        start: Where it began, lower-case A-labels.
        records: The names on the way that publish one usable record, nearest first.
        organizational_domain: As §4.10.2 derives it from them; the start itself where nothing is published.
        problems: Names on the way whose records cannot be used, with the reason in words for a postmaster.
        failure: Why the DNS gave no answer on the way; then the rest is worth nothing. "" if it did.
    """

    start: str
    records: tuple[tuple[str, DMARCRecord], ...]
    organizational_domain: str
    problems: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def deciding(self) -> tuple[str, DMARCRecord] | None:
        """The name whose record holds for the start, and the record: its own, else the organisational domain's,
        else that of the public suffix above it (§4.10.1); None if nobody has said anything."""
        published = dict(self.records)
        for name in (self.start, self.organizational_domain):
            if name in published:
                return name, published[name]
        above = [(name, record) for name, record in self.records if record.psd is PublicSuffixDomain.YES]
        return above[-1] if above else None


def walk_tree(domain: str) -> Generator[Question, Answer, TreeWalk]:
    """Ask for the records at a domain and at the names above it, at most eight.

    The walk ends early at a record with ``psd=y`` or ``psd=n``. Of a name with several records none counts.

    Yields:
        Questions; send the answers in.
    """
    start = normalize(domain)
    records: list[tuple[str, DMARCRecord]] = []
    problems: dict[str, str] = {}
    for name in _targets(start):
        answer = yield Question(f"_dmarc.{name}", RecordType.TXT)
        if answer.status is AnswerStatus.FAILED:
            failure = f"the DNS did not answer for TXT of _dmarc.{name}: {answer.detail or 'failed'}"
            return TreeWalk(start=start, records=(), organizational_domain=start, problems=problems, failure=failure)
        try:
            record = _read(answer)
        except DMARCSyntaxError as error:
            problems[name] = str(error)
            continue
        if record is not None:
            records.append((name, record))
            if record.psd is not PublicSuffixDomain.UNSAID:
                break
    return TreeWalk(
        start=start,
        records=tuple(records),
        organizational_domain=_organizational_domain(start, records),
        problems=problems,
    )


def find_applied_policy(walk: TreeWalk) -> Generator[Question, Answer, Policy | None]:
    """Say which policy holds for the domain from which the walk began; None if there is none (§4.10.1, §5.4).

    Yields:
        Questions, where it matters whether the domain exists.
    """
    if walk.deciding is None:
        return None
    name, record = walk.deciding
    if name == walk.start:
        return _lenient(record.policy) if record.is_testing else record.policy
    policy = record.subdomain_policy
    if record.nonexistent_policy is not policy and (yield from _is_nonexistent(walk.start)):
        policy = record.nonexistent_policy
    return _lenient(policy) if record.is_testing else policy


def _targets(start: str) -> list[str]:
    """The names to ask at: the start, and those above it; of a long name those with seven labels and fewer."""
    above = ancestors(start)
    return [start, *above[-(MAX_QUERIES - 1) :]]


def _read(answer: Answer) -> DMARCRecord | None:
    texts = [record.text for record in answer.records if isinstance(record, TXT) and is_dmarc_record(record.text)]
    if len(texts) > 1:
        raise DMARCSyntaxError(f"there are {len(texts)} DMARC records, so that none of them counts")
    return parse_dmarc_record(texts[0]) if texts else None


def _organizational_domain(start: str, records: list[tuple[str, DMARCRecord]]) -> str:
    for name, record in records:
        if record.psd is PublicSuffixDomain.NO:
            return name
        if record.psd is PublicSuffixDomain.YES and name != start:
            # The name directly below it on the way from the start.
            return next(below for below in (start, *ancestors(start)) if below.partition(".")[2] == name)
    return records[-1][0] if records else start


def _is_nonexistent(name: str) -> Generator[Question, Answer, bool]:
    """Whether there is neither an A, an AAAA nor an MX record (§3.2, non-existent domain); doubt counts as existing."""
    for record_type in (RecordType.A, RecordType.AAAA, RecordType.MX):
        answer = yield Question(name, record_type)
        if answer.status in (AnswerStatus.FOUND, AnswerStatus.FAILED):
            return False
    return True


def _lenient(policy: Policy) -> Policy:
    return {Policy.REJECT: Policy.QUARANTINE, Policy.QUARANTINE: Policy.NONE, Policy.NONE: Policy.NONE}[policy]
