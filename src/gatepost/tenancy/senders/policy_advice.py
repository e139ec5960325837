"""What is wrong with what a domain says beside SPF, DKIM and DMARC: MTA-STS, TLS reporting, BIMI. Pure."""

from datetime import timedelta
from typing import Final

from gatepost.standards import bimi
from gatepost.standards.dmarc.record import Policy as DMARCPolicy
from gatepost.standards.transport_security import mta_sts, tls_report
from gatepost.standards.transport_security.mta_sts import Mode, MTASTSError, Policy
from gatepost.tenancy.senders.advice import Advice, Severity, unknown
from gatepost.tenancy.senders.posture import PolicyFile, Posture, Published

SHORT_MAX_AGE: Final = timedelta(days=7)
"""Below, a sender that writes rarely has forgotten the policy each time: RFC 8461 §10.2 asks for weeks."""


def judge_mta_sts(posture: Posture) -> list[Advice]:
    """Judge the record, the policy and whether that names the domain's mail hosts."""
    published, domain = posture.mta_sts, posture.domain
    absent = "nothing tells senders to insist on TLS towards the domain's own mail hosts (RFC 8461)"
    trouble = _find_trouble("MTA-STS", published, absent)
    if trouble is not None:
        return [trouble]
    advices = []
    identifier = ""
    try:
        identifier = mta_sts.parse_record(published.texts[0])
    except MTASTSError as error:
        text = f"senders cannot use the record at {published.name}, and so do not heed the policy: {error}"
        mend = f"{published.name} TXT v=STSv1; id=1"
        advices.append(Advice(severity=Severity.WEAK, subject="MTA-STS", text=text, mend=mend))
    if posture.policy_file is None:
        text = "senders are told of a policy (RFC 8461), which was not fetched here"
        return [*advices, Advice(severity=Severity.GOOD, subject="MTA-STS", text=text)]
    try:
        policy = _read(posture.policy_file)
    except MTASTSError as error:
        text = f"senders are told of a policy, and cannot have it: {error}. Serve it at {_place(domain)}"
        return [*advices, Advice(severity=Severity.WEAK, subject="MTA-STS", text=text)]
    return [*advices, *_judge_hosts(posture, policy, identifier), *_judge_policy(policy, posture.policy_file)]


def _read(file: PolicyFile) -> Policy:
    if file.problem:
        raise MTASTSError(file.problem)
    return mta_sts.parse_policy(file.octets)


def _judge_hosts(posture: Posture, policy: Policy, identifier: str) -> list[Advice]:
    if policy.mode is Mode.NONE or posture.mail_exchangers is None:
        return []
    exchangers = [record.exchange for record in posture.mail_exchangers if record.exchange]
    advices = []
    missing = [host for host in exchangers if not policy.names(host)]
    if missing:
        is_enforced = policy.mode is Mode.ENFORCE
        effect = (
            "do not deliver there" if is_enforced else "report that, and would not deliver there if it said enforce"
        )
        lines = ", ".join(f'"mx: {host}"' for host in missing)
        text = (
            f"the policy does not name {', '.join(missing)}: senders that heed it {effect}. Add {lines} to "
            f"{_place(posture.domain)}, and then change the record's id, or nobody fetches it again"
        )
        mend = f"{posture.mta_sts.name} TXT v=STSv1; id={_next(identifier)}"
        severity = Severity.BROKEN if is_enforced else Severity.WEAK
        advices.append(Advice(severity=severity, subject="MTA-STS", text=text, mend=mend))
    idle = [each for each in policy.mail_hosts if not any(_is_named(each, host) for host in exchangers)]
    if idle and exchangers:
        text = f"the policy names {', '.join(idle)}, which no MX record does: whoever has such a name may take its mail"
        advices.append(Advice(severity=Severity.HINT, subject="MTA-STS", text=text))
    return advices


def _judge_policy(policy: Policy, file: PolicyFile) -> list[Advice]:
    advices = []
    if policy.mode is Mode.NONE:
        text = 'the policy says "mode: none": senders are told that there is none any more'
        advices.append(Advice(severity=Severity.HINT, subject="MTA-STS", text=text))
    if policy.mode is Mode.TESTING:
        text = 'the policy says "mode: testing": senders report trouble and deliver all the same; then write enforce'
        advices.append(Advice(severity=Severity.HINT, subject="MTA-STS", text=text))
    if policy.mode is not Mode.NONE and policy.max_age < SHORT_MAX_AGE:
        text = f"senders forget the policy after {policy.max_age}: write a max_age of some weeks, such as 2419200"
        advices.append(Advice(severity=Severity.HINT, subject="MTA-STS", text=text))
    if file.media_type != "text/plain":
        text = f"the policy is served as {file.media_type or 'nothing'}: some senders take it as text/plain alone"
        advices.append(Advice(severity=Severity.HINT, subject="MTA-STS", text=text))
    text = f"senders are told to insist on TLS (RFC 8461), mode {policy.mode.value}"
    return advices or [Advice(severity=Severity.GOOD, subject="MTA-STS", text=text)]


def judge_tls_reports(posture: Posture) -> list[Advice]:
    """Judge where reports of trouble with TLS go."""
    published, domain = posture.tls_reports, posture.domain
    mend = f"{published.name} TXT v=TLSRPTv1; rua=mailto:postmaster@{domain}"
    absent = "senders are not asked to report trouble with TLS (RFC 8460)"
    trouble = _find_trouble("TLS-RPT", published, absent, mend)
    if trouble is not None:
        return [trouble]
    try:
        places = tls_report.parse_record(published.texts[0])
    except tls_report.TLSReportError as error:
        text = f"senders cannot use the record at {published.name}: {error}"
        return [Advice(severity=Severity.WEAK, subject="TLS-RPT", text=text, mend=mend)]
    text = f"senders are asked to report trouble with TLS (RFC 8460) to {', '.join(places)}"
    return [Advice(severity=Severity.GOOD, subject="TLS-RPT", text=text)]


def judge_bimi(posture: Posture) -> list[Advice]:
    """Judge the record of the logo, and whether receivers would show one at all."""
    published = posture.bimi
    trouble = _find_trouble("BIMI", published, "no logo is published (BIMI)")
    if trouble is not None:
        return [trouble]
    try:
        indicator = bimi.parse_record(published.texts[0])
    except bimi.BIMIError as error:
        text = f"receivers cannot use the record at {published.name}: {error}"
        return [Advice(severity=Severity.WEAK, subject="BIMI", text=text)]
    if not indicator.location:
        return [Advice(severity=Severity.GOOD, subject="BIMI", text="the domain declines to have a logo shown")]
    advices = []
    if not posture.dmarc.failure and posture.dmarc_policy not in {DMARCPolicy.QUARANTINE, DMARCPolicy.REJECT}:
        text = "no receiver shows the logo while the DMARC policy is neither quarantine nor reject"
        mend = f"_dmarc.{posture.domain} TXT v=DMARC1; p=quarantine; rua=mailto:postmaster@{posture.domain}"
        advices.append(Advice(severity=Severity.HINT, subject="BIMI", text=text, mend=mend))
    if not indicator.authority:
        text = "the logo is published without evidence (a=): the largest receivers show none without a mark certificate"
        advices.append(Advice(severity=Severity.HINT, subject="BIMI", text=text))
    return advices or [Advice(severity=Severity.GOOD, subject="BIMI", text="a logo is published")]


def _find_trouble(subject: str, published: Published, absent: str, mend: str = "") -> Advice | None:
    """Return what is to be said where there is not exactly one record."""
    if published.failure:
        return unknown(subject, f"the DNS did not answer for TXT of {published.name}: {published.failure}")
    if not published.texts:
        return Advice(severity=Severity.HINT, subject=subject, text=absent, mend=mend)
    if len(published.texts) > 1:
        text = f"there are {len(published.texts)} records at {published.name}, and then none counts: remove all but one"
        return Advice(severity=Severity.WEAK, subject=subject, text=text)
    return None


def _place(domain: str) -> str:
    return f"https://mta-sts.{domain}{mta_sts.POLICY_PATH}"


def _is_named(pattern: str, host: str) -> bool:
    return Policy(mode=Mode.ENFORCE, max_age=timedelta(0), mail_hosts=(pattern,)).names(host)


def _next(identifier: str) -> str:
    """Return an id that differs: the next number, where it is one, as dates are."""
    if identifier.isdigit() and len(identifier) < 32:
        return str(int(identifier) + 1)
    return f"{identifier[:31]}1" if not identifier.endswith("1") else f"{identifier[:-1]}2"
