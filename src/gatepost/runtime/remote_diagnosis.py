"""What ``gatepost check`` finds where it must ask others: the DNS, the control database."""

from collections.abc import Callable
from ipaddress import ip_address

from gatepost.primitives.errors import RelayError
from gatepost.runtime.finding import Finding, fail, ok, warn
from gatepost.runtime.settings import Settings
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import Address, Name
from gatepost.tenancy.senders.ports import Resolver


async def check_dns(settings: Settings, resolver: Resolver) -> list[Finding]:
    """Does DNS answer, does our name resolve, and does its address point back?"""
    host_name = settings.host_name.lower()
    answers = [await resolver.resolve(Question(host_name, kind)) for kind in (RecordType.A, RecordType.AAAA)]
    if all(answer.status is AnswerStatus.FAILED for answer in answers):
        servers = ", ".join(settings.delivery.nameservers) or "the system's resolvers"
        return [
            fail(
                "DNS",
                f"no answer from {servers}: {answers[0].detail}",
                "set [delivery] nameservers to a resolver that answers; without one nothing is delivered",
            )
        ]
    addresses = [record.address for answer in answers for record in answer.records if isinstance(record, Address)]
    if not addresses:
        return [fail("DNS", f"{host_name} has no address", "publish A and AAAA records for it, or correct host_name")]
    findings = [ok("DNS", f"{host_name} is {', '.join(addresses)}")]
    for address in addresses:
        answer = await resolver.resolve(Question(ip_address(address).reverse_pointer, RecordType.PTR))
        findings.append(_judge_pointer(host_name, address, answer))
    return findings


def check_database(name: str, open_database: Callable[[], None]) -> Finding:
    """Can the control database be opened, and has it the tables of this version?"""
    try:
        open_database()
    except RelayError as error:
        return fail("database", str(error), "`gatepost init` makes it")
    return ok("database", f"{name} is as this version needs it")


def _judge_pointer(host_name: str, address: str, answer: Answer) -> Finding:
    names = [record.target.lower().rstrip(".") for record in answer.records if isinstance(record, Name)]
    if host_name in names:
        return ok("DNS", f"{address} points back to {host_name}")
    return warn(
        "DNS",
        f"{address} points back to {', '.join(names) or 'nothing'}, not to {host_name}",
        "have whoever owns the address set its PTR record: many receivers refuse mail without one",
    )
