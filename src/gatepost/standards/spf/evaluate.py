"""Evaluate a policy: may this address send for that domain? (RFC 7208 §4, the function ``check_host``)."""

import re
from collections.abc import Generator
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from gatepost.standards.address import Mailbox
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import MX, TXT, Address, Name, Record
from gatepost.standards.spf.macro import MacroError, check_macro_string, expand, holds_macro
from gatepost.standards.spf.record import (
    Mechanism,
    MechanismName,
    Qualifier,
    SPFRecord,
    SPFSyntaxError,
    is_spf_record,
    parse_spf_record,
)
from gatepost.standards.spf.result import SPFResult, SPFValue

MAX_LOOKUPS = 10
"""Terms that ask the DNS, in the whole evaluation; one more is a permerror (§4.6.4)."""

MAX_VOID_LOOKUPS = 2
"""Questions of such terms that found nothing; one more is a permerror (§4.6.4)."""

_MAX_MX_NAMES = 10
_MAX_PTR_NAMES = 10
_MAX_NAME_OCTETS = 253
_MAX_LABEL_OCTETS = 63
#: Without the backslash, which begins an escape wherever names are written as text.
_PRINTABLE = re.compile(r"[\x20-\x5b\x5d-\x7e]+")

_QUALIFIED = {
    Qualifier.PASS: SPFValue.PASS,
    Qualifier.FAIL: SPFValue.FAIL,
    Qualifier.SOFTFAIL: SPFValue.SOFTFAIL,
    Qualifier.NEUTRAL: SPFValue.NEUTRAL,
}


class _Broken(Exception):
    """Ends the whole evaluation with TEMPERROR or PERMERROR."""

    def __init__(self, value: SPFValue, problem: str) -> None:
        super().__init__(problem)
        self.value = value
        self.problem = problem


def evaluate(
    address: IPv4Address | IPv6Address,
    sender: Mailbox | None,
    *,
    helo: str,
    at: datetime,
    receiver: str = "unknown",
) -> Generator[Question, Answer, SPFResult]:
    """Find out whether ``address`` may send for the domain of the reverse-path.

    Args:
        address: Of the SMTP client. An IPv4 address mapped into IPv6 counts as IPv4 (§5).
        sender: The reverse-path; for the null reverse-path the HELO name takes its place (§2.4).
        helo: What the client said in HELO or EHLO.
        at: The present instant, for the macro ``t``.
        receiver: The host that evaluates, for the macro ``r``.

    Yields:
        Questions; send the answers in.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    sender = sender or Mailbox(local_part="postmaster", domain=helo)
    evaluation = _Evaluation(address, sender, helo=helo, at=at, receiver=receiver)
    if not _is_dns_name(sender.domain) or "." not in sender.domain.rstrip(".") or sender.domain.startswith("["):
        return SPFResult(value=SPFValue.NONE, problem=f"{sender.domain} is no name of a host in the DNS")
    try:
        value, explanation = yield from evaluation.check(sender.domain)
    except _Broken as broken:
        return SPFResult(value=broken.value, problem=broken.problem, lookups=evaluation.lookups)
    problem = f"{sender.domain} publishes no SPF record" if value is SPFValue.NONE else ""
    return SPFResult(value=value, explanation=explanation, problem=problem, lookups=evaluation.lookups)


class _Evaluation:
    """One evaluation: what stays the same through includes and redirects, and the counts against the limits."""

    def __init__(
        self, address: IPv4Address | IPv6Address, sender: Mailbox, *, helo: str, at: datetime, receiver: str
    ) -> None:
        self.lookups = 0
        self._void_lookups = 0
        self._address = address
        self._address_type = RecordType.A if address.version == 4 else RecordType.AAAA
        self._macros = {
            "s": f"{sender.local_part or 'postmaster'}@{sender.domain}",
            "l": sender.local_part or "postmaster",
            "o": sender.domain,
            "i": str(address) if address.version == 4 else ".".join(address.packed.hex().upper()),
            "h": helo,
            "c": str(address),
            "r": receiver,
            "t": str(int(at.timestamp())),
            "v": "in-addr" if address.version == 4 else "ip6",
        }

    def check(self, domain: str, *, is_included: bool = False) -> Generator[Question, Answer, tuple[SPFValue, str]]:
        """Return the result for one domain, and the explanation if it is FAIL (``check_host``, §4)."""
        record = yield from self._find_record(domain)
        if record is None:
            return SPFValue.NONE, ""
        for mechanism in record.mechanisms:
            if (yield from self._matches(mechanism, domain)):
                value = _QUALIFIED[mechanism.qualifier]
                explanation = ""
                if value is SPFValue.FAIL and not is_included:
                    explanation = yield from self._explain(record.explanation, domain)
                return value, explanation
        if not record.redirect:
            return SPFValue.NEUTRAL, ""
        self._count_lookup()
        target = yield from self._target(record.redirect, domain)
        value, explanation = yield from self.check(target, is_included=is_included)
        if value is SPFValue.NONE:
            raise _Broken(SPFValue.PERMERROR, f"{domain} redirects to {target}, which publishes no SPF record")
        return value, explanation

    def _find_record(self, domain: str) -> Generator[Question, Answer, SPFRecord | None]:
        """Return the one record of the domain, or None if it publishes none (§4.4, §4.5)."""
        records = yield from self._ask(domain, RecordType.TXT)
        texts = [record.text for record in records if isinstance(record, TXT) and is_spf_record(record.text)]
        if not texts:
            return None
        if len(texts) > 1:
            raise _Broken(SPFValue.PERMERROR, f"{domain} publishes {len(texts)} SPF records; only one is allowed")
        try:
            return parse_spf_record(texts[0])
        except SPFSyntaxError as error:
            raise _Broken(SPFValue.PERMERROR, f"the SPF record of {domain} is malformed: {error}") from None

    def _matches(self, mechanism: Mechanism, domain: str) -> Generator[Question, Answer, bool]:
        """Say whether the mechanism matches the address (§5)."""
        if mechanism.name is MechanismName.ALL:
            return True
        if mechanism.network is not None:
            return self._address in mechanism.network
        self._count_lookup()
        target = yield from self._target(mechanism.domain_spec, domain)
        match mechanism.name:
            case MechanismName.INCLUDE:
                return (yield from self._include_matches(target, domain))
            case MechanismName.A:
                return self._is_among((yield from self._ask_term(target, self._address_type)), mechanism)
            case MechanismName.MX:
                return (yield from self._mx_matches(mechanism, target))
            case MechanismName.PTR:
                names = yield from self._validated_names()
                return any(_is_at_or_below(name, target) for name in names)
            case _:  # exists: type A whatever the address (§5.7)
                return bool((yield from self._ask_term(target, RecordType.A)))

    def _include_matches(self, target: str, domain: str) -> Generator[Question, Answer, bool]:
        value, _ = yield from self.check(target, is_included=True)
        if value is SPFValue.NONE:
            raise _Broken(SPFValue.PERMERROR, f"{domain} includes {target}, which publishes no SPF record")
        return value is SPFValue.PASS

    def _mx_matches(self, mechanism: Mechanism, target: str) -> Generator[Question, Answer, bool]:
        records = yield from self._ask_term(target, RecordType.MX)
        names = [record.exchange for record in records if isinstance(record, MX) and record.exchange]
        if len(names) > _MAX_MX_NAMES:
            raise _Broken(SPFValue.PERMERROR, f"{target} has {len(names)} MX records; mx allows {_MAX_MX_NAMES}")
        for name in names:
            if self._is_among((yield from self._ask(name, self._address_type)), mechanism):
                return True
        return False

    def _validated_names(self) -> Generator[Question, Answer, list[str]]:
        """Return the names to which the address points and which point back to it (§5.5); failures count as none."""
        reverse = yield Question(self._address.reverse_pointer, RecordType.PTR)
        self._count_void(reverse)
        names = [record.target for record in reverse.records if isinstance(record, Name)]
        validated = []
        for name in filter(_is_dns_name, names[:_MAX_PTR_NAMES]):
            answer = yield Question(_dns_name(name), self._address_type)
            if any(self._is_ours(record) for record in answer.records):
                validated.append(_dns_name(name))
        return validated

    def _is_ours(self, record: Record) -> bool:
        return isinstance(record, Address) and ip_address(record.address) == self._address

    def _is_among(self, records: tuple[Record, ...], mechanism: Mechanism) -> bool:
        prefix = mechanism.prefix4 if self._address.version == 4 else mechanism.prefix6
        network = ip_network((self._address, prefix), strict=False)
        return any(isinstance(record, Address) and ip_address(record.address) in network for record in records)

    def _target(self, domain_spec: str, domain: str) -> Generator[Question, Answer, str]:
        """Expand a domain specification; one too long loses labels on the left (§7.3)."""
        if not domain_spec:
            return domain
        target = (yield from self._expand(domain_spec, domain)).removesuffix(".")
        return target if len(target) <= _MAX_NAME_OCTETS else target[-_MAX_NAME_OCTETS - 1 :].partition(".")[2]

    def _expand(self, text: str, domain: str) -> Generator[Question, Answer, str]:
        values = {**self._macros, "d": domain}
        if holds_macro(text, "p"):
            values["p"] = yield from self._validated_name(domain)
        return expand(text, values)

    def _validated_name(self, domain: str) -> Generator[Question, Answer, str]:
        """Return the value of the macro ``p``: the domain itself, else a name below it, else any other (§7.3)."""
        names = yield from self._validated_names()
        below = [name for name in names if _is_at_or_below(name, domain)]
        exact = [name for name in below if name == _dns_name(domain)]
        return [*exact, *below, *names, "unknown"][0]

    def _explain(self, domain_spec: str, domain: str) -> Generator[Question, Answer, str]:
        """Fetch and expand the explanation; whatever goes wrong, there is none (§6.2)."""
        if not domain_spec:
            return ""
        target = yield from self._target(domain_spec, domain)
        try:
            texts = yield from self._ask(target, RecordType.TXT)
            (text,) = [record.text.decode("ascii") for record in texts if isinstance(record, TXT)]
            check_macro_string(text, is_explanation=True)
        except (_Broken, MacroError, ValueError):
            return ""
        return (yield from self._expand(text, domain))

    def _ask(self, name: str, record_type: RecordType) -> Generator[Question, Answer, tuple[Record, ...]]:
        """Ask; a name that the DNS cannot hold does not exist."""
        if not _is_dns_name(name):
            return ()
        answer = yield Question(_dns_name(name), record_type)
        if answer.status is AnswerStatus.FAILED:
            problem = f"the DNS did not answer for {record_type.value} of {name}: {answer.detail or 'failed'}"
            raise _Broken(SPFValue.TEMPERROR, problem)
        return answer.records

    def _ask_term(self, name: str, record_type: RecordType) -> Generator[Question, Answer, tuple[Record, ...]]:
        """Ask what a term asks; an empty answer counts against the limit of void lookups."""
        records = yield from self._ask(name, record_type)
        if not records:
            self._count_void(Answer(status=AnswerStatus.NO_DATA))
        return records

    def _count_lookup(self) -> None:
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            raise _Broken(SPFValue.PERMERROR, f"the SPF record needs more than {MAX_LOOKUPS} DNS lookups")

    def _count_void(self, answer: Answer) -> None:
        if answer.status in (AnswerStatus.NO_DATA, AnswerStatus.NO_NAME):
            self._void_lookups += 1
        if self._void_lookups > MAX_VOID_LOOKUPS:
            problem = f"the SPF record names more than {MAX_VOID_LOOKUPS} domains that have no such DNS records"
            raise _Broken(SPFValue.PERMERROR, problem)


def _dns_name(name: str) -> str:
    return name.removesuffix(".").lower()


def _is_at_or_below(name: str, domain: str) -> bool:
    return f".{name}".endswith(f".{_dns_name(domain)}")


def _is_dns_name(name: str) -> bool:
    """Say whether we ask the DNS for the name; macros can make anything of what a client said."""
    name = name.removesuffix(".")
    labels = name.split(".")
    return (
        len(name) <= _MAX_NAME_OCTETS
        and all(0 < len(label) <= _MAX_LABEL_OCTETS for label in labels)
        and _PRINTABLE.fullmatch(name) is not None
    )
