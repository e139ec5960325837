"""What is wrong with a domain's mail posture, in order of importance, and the exact record that mends it. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from gatepost.standards.dmarc.record import AlignmentMode, Policy
from gatepost.standards.spf.evaluate import MAX_LOOKUPS
from gatepost.standards.spf.record import Mechanism, MechanismName
from gatepost.standards.spf.result import SPFValue
from gatepost.tenancy.senders.advice import Advice, Severity, unknown
from gatepost.tenancy.senders.policy_advice import judge_bimi, judge_mta_sts, judge_tls_reports
from gatepost.tenancy.senders.posture import Network, Posture, PublishedKey

MIN_RSA_BITS: Final = 1024
"""Receivers must not take a shorter key (RFC 8301 §3.2)."""

GOOD_RSA_BITS: Final = 2048
"""What signers should have (RFC 8301 §3.2)."""


def advise(posture: Posture) -> tuple[Advice, ...]:
    """Judge a posture; the worst comes first, and every subject is there at least once."""
    advices = [advice for judge in _JUDGES for advice in judge(posture)]
    return tuple(sorted(advices, key=lambda advice: advice.severity))


def _judge_mx(posture: Posture) -> list[Advice]:
    exchangers = posture.mail_exchangers
    if exchangers is None:
        return [unknown("MX", "the DNS did not answer for MX")]
    if not exchangers:
        text = f"{posture.domain} has no MX record: replies, bounces and abuse reports to it may be lost"
        return [Advice(severity=Severity.WEAK, subject="MX", text=text)]
    if any(not record.exchange for record in exchangers):
        text = (
            f"{posture.domain} says that it takes no mail (null MX, RFC 7505): many receivers refuse mail from a "
            "domain that cannot be answered"
        )
        return [Advice(severity=Severity.WEAK, subject="MX", text=text)]
    names = ", ".join(record.exchange for record in exchangers)
    return [Advice(severity=Severity.GOOD, subject="MX", text=f"mail goes to {names}")]


def _judge_spf(posture: Posture) -> list[Advice]:
    spf = posture.spf
    if spf.failure:
        return [unknown("SPF", f"the DNS did not answer for TXT of {spf.name}: {spf.failure}")]
    if not spf.texts:
        text = f"{posture.domain} has no SPF record: nothing says which machines may send for it"
        return [Advice(severity=Severity.WEAK, subject="SPF", text=text, mend=f"{spf.name} TXT {_spf_of(posture)}")]
    if len(spf.texts) > 1:
        text = f"there are {len(spf.texts)} SPF records, and receivers then heed none: join them into one"
        return [Advice(severity=Severity.BROKEN, subject="SPF", text=text)]
    return [*_judge_spf_results(posture), *_judge_spf_cost(posture), *_judge_spf_end(posture)]


def _judge_spf_results(posture: Posture) -> list[Advice]:
    advices = []
    for network, result in posture.spf_results:
        if result.value is SPFValue.PERMERROR:
            text = f"receivers cannot use the SPF record: {result.problem}"
            return [Advice(severity=Severity.BROKEN, subject="SPF", text=text)]
        if result.value is SPFValue.TEMPERROR:
            return [unknown("SPF", result.problem)]
        if result.value is not SPFValue.PASS:
            text = f"the SPF record does not permit {network}, from which this relay sends ({result.value.value})"
            mend = f"{posture.spf.name} TXT {_with_term(posture.spf.texts[0], _term(network))}"
            advices.append(Advice(severity=Severity.BROKEN, subject="SPF", text=text, mend=mend))
    return advices


def _judge_spf_cost(posture: Posture) -> list[Advice]:
    count = len(posture.spf_cost.terms)
    advices = [
        Advice(severity=Severity.WEAK, subject="SPF", text=f"the SPF record cannot be followed: {problem}")
        for problem in posture.spf_cost.problems
    ]
    if count > MAX_LOOKUPS:
        text = (
            f"the SPF record needs {count} DNS look-ups, and receivers stop at {MAX_LOOKUPS}: replace an include by "
            "the addresses it stands for, or send some of the mail from a subdomain"
        )
        return [*advices, Advice(severity=Severity.BROKEN, subject="SPF", text=text)]
    text = f"the SPF record needs {count} of the {MAX_LOOKUPS} DNS look-ups that receivers make"
    return [*advices, Advice(severity=Severity.GOOD, subject="SPF", text=text)]


def _judge_spf_end(posture: Posture) -> list[Advice]:
    record = posture.spf.texts[0]
    terms = record.lower().split()
    if "+all" in terms or "all" in terms:
        text = "the SPF record ends in +all: it permits every machine in the world"
        mend = f"{posture.spf.name} TXT {' '.join(_without_all(record))} ~all"
        return [Advice(severity=Severity.BROKEN, subject="SPF", text=text, mend=mend)]
    if not any(term[1:] == "all" or term.startswith("redirect=") for term in terms):
        text = "the SPF record has no all at its end: what it does not name is neither permitted nor refused"
        return [Advice(severity=Severity.WEAK, subject="SPF", text=text, mend=f"{posture.spf.name} TXT {record} ~all")]
    return []


def _judge_dkim(posture: Posture) -> list[Advice]:
    advices = [advice for key in posture.dkim for advice in _judge_key(key)]
    if posture.dkim_failure:
        advices.append(unknown("DKIM", posture.dkim_failure))
    elif not any(key.record is not None and not key.record.is_revoked for key in posture.dkim):
        text = (
            "no DKIM key was found under the selectors asked for: without a signature DMARC rests on SPF alone, which "
            "every forwarder breaks. Authenticate the domain: `gatepost domain add`"
        )
        advices.append(Advice(severity=Severity.WEAK, subject="DKIM", text=text))
    return advices


def _judge_key(key: PublishedKey) -> list[Advice]:
    if key.problem:
        text = f"receivers cannot use the key at {key.name}: {key.problem}"
        return [Advice(severity=Severity.BROKEN, subject="DKIM", text=text)]
    assert key.record is not None
    if key.record.is_revoked:
        text = f"the key at {key.name} is withdrawn, as after a rotation"
        return [Advice(severity=Severity.GOOD, subject="DKIM", text=text)]
    kind = f"RSA, {key.bits} bits" if key.bits else "Ed25519"
    if key.bits and key.bits < MIN_RSA_BITS:
        text = f"the key at {key.name} ({kind}) is so short that receivers must not take it"
        return [Advice(severity=Severity.BROKEN, subject="DKIM", text=text)]
    if key.bits and key.bits < GOOD_RSA_BITS:
        text = f"the key at {key.name} ({kind}) is short: replace it by one of {GOOD_RSA_BITS} bits"
        return [Advice(severity=Severity.WEAK, subject="DKIM", text=text)]
    if key.record.is_testing:
        text = f"the key at {key.name} says t=y, testing: receivers may treat signed mail as unsigned"
        return [Advice(severity=Severity.WEAK, subject="DKIM", text=text)]
    return [Advice(severity=Severity.GOOD, subject="DKIM", text=f"there is a key at {key.name} ({kind})")]


def _judge_dmarc(posture: Posture) -> list[Advice]:
    walk, name = posture.dmarc, f"_dmarc.{posture.domain}"
    if walk.failure:
        return [unknown("DMARC", walk.failure)]
    advices = [
        Advice(severity=Severity.BROKEN, subject="DMARC", text=f"at _dmarc.{place}: {problem}")
        for place, problem in walk.problems.items()
    ]
    if walk.deciding is None:
        text = "there is no DMARC policy: anybody can put the domain into a From that readers see"
        mend = f"{name} TXT v=DMARC1; p=none; rua=mailto:postmaster@{posture.domain}"
        return [*advices, Advice(severity=Severity.WEAK, subject="DMARC", text=text, mend=mend)]
    place, record = walk.deciding
    advices += [
        Advice(severity=Severity.HINT, subject="DMARC", text=f"at _dmarc.{place}: {fault}") for fault in record.faults
    ]
    if posture.dmarc_policy is Policy.NONE:
        text = "DMARC only asks for reports: receivers deliver mail that fails it"
        mend = f"{name} TXT v=DMARC1; p=quarantine; rua=mailto:postmaster@{posture.domain}"
        advices.append(Advice(severity=Severity.WEAK, subject="DMARC", text=text, mend=mend))
    if record.dkim_alignment is AlignmentMode.STRICT:
        text = (
            f"adkim=s takes a signature for mail from its very own name alone: what {posture.domain} signs does not "
            "count for a name below it. Write adkim=r unless each such name signs for itself"
        )
        advices.append(Advice(severity=Severity.HINT, subject="DMARC", text=text))
    if record.spf_alignment is AlignmentMode.STRICT:
        text = (
            "aspf=s does not take SPF where bounces go to a name below the domain, as with most services: write aspf=r"
        )
        advices.append(Advice(severity=Severity.HINT, subject="DMARC", text=text))
    if not record.aggregate_reports:
        text = "the DMARC record asks for no reports (rua=): nobody tells you of mail that fails"
        advices.append(Advice(severity=Severity.HINT, subject="DMARC", text=text))
    said = posture.dmarc_policy.value if posture.dmarc_policy else "none"
    found = f"the policy is {said}, published at _dmarc.{place}; the organisational domain is "
    return [
        *advices,
        Advice(severity=Severity.GOOD, subject="DMARC", text=found + walk.organizational_domain),
    ]


_JUDGES: Final[Sequence[Callable[[Posture], list[Advice]]]] = (
    _judge_dkim,
    _judge_spf,
    _judge_dmarc,
    _judge_mx,
    judge_mta_sts,
    judge_tls_reports,
    judge_bimi,
)


def _spf_of(posture: Posture) -> str:
    return " ".join(["v=spf1", *map(_term, posture.sending_networks), "~all"])


def _term(network: Network) -> str:
    name = MechanismName.IP4 if network.version == 4 else MechanismName.IP6
    return str(Mechanism(name=name, network=network))


def _with_term(record: str, term: str) -> str:
    """Write the term in front of the first mechanism, where nothing can stand in its way."""
    version, _, rest = record.partition(" ")
    return f"{version} {term} {rest}".rstrip()


def _without_all(record: str) -> list[str]:
    return [term for term in record.split() if term.lower().lstrip("+-~?") != "all"]
