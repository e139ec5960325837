"""Live DNS against the plan: what is published right, what is not, and what the customer should do about it.

Asking (``check_domain``) is split from judging (the ``judge_`` functions and ``is_proved``), which is pure. Deny is the
default: what cannot be had now proves nothing.
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from gatepost.standards.address import Mailbox
from gatepost.standards.dkim.record import KeyRecord, KeyRecordError, parse_key_record
from gatepost.standards.dmarc.record import AlignmentMode, DMARCSyntaxError, parse_dmarc_record
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import MX, TXT, Name
from gatepost.standards.spf.evaluate import MAX_LOOKUPS, evaluate
from gatepost.standards.spf.record import is_spf_record
from gatepost.standards.spf.result import SPFResult, SPFValue
from gatepost.tenancy.senders.dns_plan import PlannedRecord, RecordPurpose, Relay
from gatepost.tenancy.senders.ports import Resolver

_ADDED_BY_PANELS = re.compile(r"""["'`\\“”„‘’«»\s]+""")
_FEWER_LOOKUPS = "; replace an include by the addresses that it stands for, or send some of the mail from a subdomain"
_MAX_ZONES = 3
_SHOWN_CHARACTERS = 60

R = TypeVar("R")


class FindingState(Enum):
    """What became of one planned record."""

    VALID = "valid"
    MISSING = "missing"
    WRONG = "wrong"
    #: The DNS did not answer: nothing is known, ask again later.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the DNS says about one planned record; ``problem`` tells a customer what is wrong and what to do."""

    record: PlannedRecord
    state: FindingState
    problem: str = ""


async def check_domain(
    domain_name: str,
    plan: Sequence[PlannedRecord],
    resolver: Resolver,
    *,
    relay: Relay,
    at: datetime,
) -> tuple[Finding, ...]:
    """Ask the DNS for every planned record; return one finding each, in the order of the plan.

    Args:
        domain_name: The domain the plan is for.
        plan: From ``plan_records``.
        resolver: It should not answer from a cache older than the customer's patience.
        relay: The one that the plan was made for; SPF must permit its sending networks.
        at: The present instant.
    """
    has_return_path = any(record.purpose is RecordPurpose.RETURN_PATH for record in plan)
    return tuple(
        [
            await _check_record(domain_name, record, resolver, relay=relay, at=at, has_return_path=has_return_path)
            for record in plan
        ]
    )


async def _check_record(
    domain_name: str,
    record: PlannedRecord,
    resolver: Resolver,
    *,
    relay: Relay,
    at: datetime,
    has_return_path: bool,
) -> Finding:
    answer = await resolver.resolve(Question(record.name, record.type))
    found_at = await _find_doubled(record, answer, domain_name, resolver)
    if record.type is RecordType.CNAME:
        is_proxied = False
        if answer.status is AnswerStatus.NO_DATA:
            is_proxied = (await resolver.resolve(Question(record.name, RecordType.A))).status is AnswerStatus.FOUND
        return judge_cname(record, answer, found_at=found_at, is_proxied=is_proxied)
    if record.type is RecordType.MX:
        return judge_mx(record, answer, found_at=found_at)
    if record.purpose is RecordPurpose.DKIM:
        return judge_dkim(record, answer, found_at=found_at)
    if record.purpose is RecordPurpose.DMARC:
        return judge_dmarc(record, answer, found_at=found_at, has_return_path=has_return_path)
    results = []
    for network in relay.sending_networks:
        for address in dict.fromkeys((network[0], network[-1])):
            sender = Mailbox(local_part="postmaster", domain=record.name)
            evaluation = evaluate(address, sender, helo=relay.host_name, at=at, receiver=relay.host_name)
            results.append((network, await answer_from(resolver, evaluation)))
    return judge_spf(record, answer, results, found_at=found_at)


async def answer_from(resolver: Resolver, evaluation: Generator[Question, Answer, R]) -> R:
    """Run an evaluation (of SPF, of a DKIM signature) to its end, its questions answered by ``resolver``."""
    try:
        question = next(evaluation)
        while True:
            question = evaluation.send(await resolver.resolve(question))
    except StopIteration as stop:
        result: R = stop.value
        return result


def is_proved(findings: Sequence[Finding]) -> bool:
    """Say whether the findings make the domain VERIFIED.

    All keys in use must be published, or the aliases that lead to them, which proves control: nobody else was told
    to publish them; and SPF must permit the sending networks where those are known.
    """
    needed = [finding for finding in findings if finding.record.is_required]
    has_key = any(finding.record.purpose is RecordPurpose.DKIM for finding in needed)
    return has_key and all(finding.state is FindingState.VALID for finding in needed)


def note_found(before: frozenset[str] | None, findings: Sequence[Finding]) -> frozenset[str]:
    """Return the keys of the records that were found right; what could not be asked for now stays as it was."""
    unknown = {each.record.key for each in findings if each.state is FindingState.UNKNOWN}
    right = {each.record.key for each in findings if each.state is FindingState.VALID}
    return frozenset(right | (unknown & (before or frozenset())))


def judge_cname(record: PlannedRecord, answer: Answer, *, found_at: str = "", is_proxied: bool = False) -> Finding:
    """Judge an alias into our zone.

    Args:
        record: As planned.
        answer: For CNAME at its name.
        found_at: The doubled name at which the alias was found instead, or "".
        is_proxied: Whether there are addresses at the name where the alias should be.
    """
    targets = [each.target for each in answer.records if isinstance(each, Name)]
    if is_proxied:
        problem = (
            f"{record.name} has addresses where the alias should be: the DNS provider hides it behind a proxy or "
            "flattens it. Switch proxying off for this record (DNS only)"
        )
        return _wrong(record, problem)
    if not targets:
        return _nothing(record, answer, found_at)
    if targets == [record.value]:
        return Finding(record=record, state=FindingState.VALID)
    if targets[0].startswith(f"{record.value}."):
        added = targets[0].removeprefix(f"{record.value}.")
        problem = (
            f'the alias leads to {targets[0]}: the DNS panel appends ".{added}" to its target. Enter the target with '
            f'a dot at its end: "{record.value}."'
        )
        return _wrong(record, problem)
    return _wrong(record, f"the alias leads to {targets[0]}; it must lead to {record.value}")


def judge_mx(record: PlannedRecord, answer: Answer, *, found_at: str = "") -> Finding:
    """Judge the mail exchanger of a return path; another one beside it, or instead of it, would get the bounces."""
    exchangers = [each.exchange for each in answer.records if isinstance(each, MX)]
    if not exchangers:
        return _nothing(record, answer, found_at)
    if exchangers == [record.value]:
        return Finding(record=record, state=FindingState.VALID)
    return _wrong(record, f"mail for {record.name} goes to {', '.join(exchangers)}; it must go to {record.value} alone")


def judge_dkim(record: PlannedRecord, answer: Answer, *, found_at: str = "") -> Finding:
    """Judge what is published for a DKIM key.

    Args:
        record: As planned.
        answer: For TXT at its name.
        found_at: The doubled name at which the value was found instead, or "".
    """
    texts = _texts(answer)
    if not texts:
        return _nothing(record, answer, found_at)
    if len(texts) > 1:
        problem = f"there are {len(texts)} TXT records at {record.name}; remove all but the one shown in the plan"
        return _wrong(record, problem)
    planned = parse_key_record(record.value.encode("ascii"))
    published = _parse_key(texts[0])
    if published is not None and _is_same_key(published, planned):
        return Finding(record=record, state=FindingState.VALID)
    return _wrong(record, _key_problem(record, planned, published, texts[0]))


def judge_spf(
    record: PlannedRecord,
    answer: Answer,
    results: Sequence[tuple[IPv4Network | IPv6Network, SPFResult]],
    *,
    found_at: str = "",
) -> Finding:
    """Judge the domain's SPF policy.

    Args:
        record: As planned.
        answer: For TXT at the domain.
        results: What the policy says of addresses of each sending network; where there are none it is enough that
            the domain has exactly one SPF record.
        found_at: The doubled name at which a policy was found instead, or "".
    """
    texts = _texts(answer)
    policies = [text for text in texts if is_spf_record(text)]
    if answer.status is AnswerStatus.FAILED:
        return _nothing(record, answer, found_at)
    if not policies:
        quoted = [text for text in texts if is_spf_record(_cleaned(text.decode("utf-8", "replace"), " ").encode())]
        if quoted:
            return _wrong(record, _quotes_problem(quoted[0]))
        return _nothing(record, Answer(status=AnswerStatus.NO_DATA), found_at)
    if len(policies) > 1:
        problem = f"{record.name} has {len(policies)} SPF records, and receivers then heed none: join them into one"
        return _wrong(record, problem)
    for network, result in results:
        if result.value is SPFValue.TEMPERROR:
            return Finding(record=record, state=FindingState.UNKNOWN, problem=_later(result.problem))
        if result.value is SPFValue.PERMERROR:
            mend = _FEWER_LOOKUPS if result.lookups > MAX_LOOKUPS else ""
            return _wrong(record, f"receivers cannot use the SPF record: {result.problem}{mend}")
        if result.value is not SPFValue.PASS:
            mechanism = f"ip{network.version}:{network}"
            said = f"the result is {result.value.value}"
            problem = f'the SPF record does not permit {network} ({said}): add "{mechanism}" in front of its "all"'
            return _wrong(record, problem)
    return Finding(record=record, state=FindingState.VALID)


def judge_dmarc(record: PlannedRecord, answer: Answer, *, found_at: str = "", has_return_path: bool = False) -> Finding:
    """Judge whether the domain has a DMARC policy, whichever, by which our mail is aligned (RFC 9989 §4.4).

    Args:
        record: As planned.
        answer: For TXT at its name.
        found_at: The doubled name at which a policy was found instead, or "".
        has_return_path: Whether bounces go to a name below the domain, which a strict ``aspf=s`` does not take.
    """
    texts = _texts(answer)
    policies = [text for text in texts if text.startswith(b"v=DMARC1")]
    if len(policies) > 1:
        return _wrong(record, f"there are {len(policies)} DMARC records at {record.name}; only one is allowed")
    if policies:
        problem = _misaligned(record, policies[0], has_return_path=has_return_path)
        return _wrong(record, problem) if problem else Finding(record=record, state=FindingState.VALID)
    if texts:
        return _wrong(record, f"what is published at {record.name} is no DMARC record: {_shown(texts[0])}")
    return _nothing(record, answer, found_at)


def _misaligned(record: PlannedRecord, text: bytes, *, has_return_path: bool) -> str:
    """Say which mail of ours a policy takes for another's, and what to write instead; "" for none."""
    domain = record.name.removeprefix("_dmarc.")
    try:
        policy = parse_dmarc_record(text)
    except DMARCSyntaxError as error:
        return f"receivers cannot use the DMARC record: {error}; publish one like {record.value}"
    if policy.dkim_alignment is AlignmentMode.STRICT:
        return (
            f"its adkim=s takes our signature for mail from {domain} itself alone: mail from a name below it is "
            'misaligned and fails DMARC. Write "adkim=r", or authenticate those names too'
        )
    if has_return_path and policy.spf_alignment is AlignmentMode.STRICT:
        return (
            f"its aspf=s does not take SPF, as bounces go to a name below {domain}: that is misaligned, and mail whose "
            'signature is broken on its way fails DMARC. Write "aspf=r"'
        )
    return ""


async def _find_doubled(record: PlannedRecord, answer: Answer, domain_name: str, resolver: Resolver) -> str:
    """Return the name at which a DNS panel that appends its zone's name has put the record, or ""."""
    if answer.status is AnswerStatus.FAILED or _holds_its_kind(record, answer):
        return ""
    labels = domain_name.split(".")
    zones = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    for zone in zones[:_MAX_ZONES]:
        name = f"{record.name}.{zone}"
        if _holds_its_kind(record, await resolver.resolve(Question(name, record.type))):
            return name
    return ""


def _holds_its_kind(record: PlannedRecord, answer: Answer) -> bool:
    """Say whether the answer holds a record of the planned kind, whatever its value: a text of the same version tag."""
    if record.type is not RecordType.TXT:
        return answer.status is AnswerStatus.FOUND
    version = record.value[: len("v=spf1")].encode("ascii")
    return any(version in text for text in _texts(answer))


def _key_problem(record: PlannedRecord, planned: KeyRecord, published: KeyRecord | None, text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    if _cleaned(shown) == _cleaned(record.value):
        return _quotes_problem(text)
    if published is not None and published.is_revoked:
        return "the key is published as revoked (p= is empty); copy the value from the plan again"
    if len(shown) < len(record.value) and _cleaned(record.value).startswith(_cleaned(shown)):
        return (
            f"the value was cut after {len(shown)} of {len(record.value)} characters; if the DNS panel allows no more "
            "than 255 in one string, enter it as several strings in quotes, as the zone-file line shows"
        )
    if published is None:
        return f"the value is no DKIM key record: {_shown(text)}; copy the value from the plan again"
    if published.public_key != planned.public_key:
        return "another key is published, perhaps one of an earlier plan; replace the value by the one in the plan"
    return f"the key is right but what stands around it is not: {_shown(text)}; copy the value from the plan again"


def _parse_key(text: bytes) -> KeyRecord | None:
    try:
        return parse_key_record(text)
    except KeyRecordError:
        return None


def _is_same_key(published: KeyRecord, planned: KeyRecord) -> bool:
    """Say whether receivers will take the published key for the planned one."""
    return (
        (published.key_type, published.public_key) == (planned.key_type, planned.public_key)
        and (not published.hash_names or "sha256" in published.hash_names)
        and bool(published.services & {"*", "email"})
    )


def _nothing(record: PlannedRecord, answer: Answer, found_at: str) -> Finding:
    """Return the finding for a record that the answer does not hold."""
    if answer.status is AnswerStatus.FAILED:
        return Finding(record=record, state=FindingState.UNKNOWN, problem=_later(answer.detail or "failed"))
    if found_at:
        zone = found_at.removeprefix(f"{record.name}.")
        name = record.name.removesuffix(zone).rstrip(".") or "@"
        problem = (
            f"the record stands at {found_at}: the DNS panel appends the name of the zone by itself. "
            f'Enter "{name}" as its name there'
        )
        return _wrong(record, problem)
    problem = (
        f"there is no such {record.type.value} record at {record.name}: publish it as the plan shows it; a new one may "
        "take some minutes to be seen"
    )
    return Finding(record=record, state=FindingState.MISSING, problem=problem)


def _wrong(record: PlannedRecord, problem: str) -> Finding:
    return Finding(record=record, state=FindingState.WRONG, problem=problem)


def _later(detail: str) -> str:
    return f"the DNS could not be asked now ({detail}); check again later, nothing has to be changed for this"


def _quotes_problem(text: bytes) -> str:
    return f"the value holds quotes, backslashes or spaces that do not belong there: {_shown(text)}; remove them"


def _texts(answer: Answer) -> list[bytes]:
    return [record.text for record in answer.records if isinstance(record, TXT)]


def _cleaned(text: str, replacement: str = "") -> str:
    """Remove what DNS panels and word processors add: quotes, backslashes, white space."""
    return _ADDED_BY_PANELS.sub(replacement, text).strip()


def _shown(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return repr(shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…")
