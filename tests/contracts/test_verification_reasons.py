"""Every reason why a domain is not verified, from the answers of a real name server (knot), in words to act on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.support.name_servers import program, running
from tests.support.ports import free_port

from gatepost.network.resolver import CachingResolver, Nameserver
from gatepost.primitives.ids import AccountId
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.senders.dns_check import Finding, FindingState, check_domain, is_proved
from gatepost.tenancy.senders.dns_plan import PlannedRecord, Relay, plan_records, quote_text
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState

pytestmark = pytest.mark.debian

AT = datetime(2026, 11, 1, tzinfo=UTC)
RELAY = Relay(host_name="relay.test", sending_networks=(ip_network("192.0.2.0/24"),), zone="gp.relay.test")
SPF = "v=spf1 ip4:192.0.2.0/24 ~all"
#: As long as one of RSA with 2048 bits.
KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" + "Mq2z" * 89 + "DAQAB"[:4]
MISSING, WRONG, UNKNOWN = FindingState.MISSING, FindingState.WRONG, FindingState.UNKNOWN


@dataclass(frozen=True)
class Fault:
    """One thing that a customer got wrong.

    Attributes:
        kind: "automatic", "manual" (with a return path) or "simple" (SPF at the domain itself).
        key: The record that it is about.
        instead: What stands in the zone instead of that record: lines, ``@`` for its name; ``{value}`` for its value.
        reason: What is wrong, in what the customer is told.
        act: What he is to do, likewise.
        more: Other lines of the zone, ``@`` for the domain.
    """

    kind: str
    key: str
    instead: tuple[str, ...]
    state: FindingState
    reason: str
    act: str
    more: tuple[str, ...] = field(default=())


ALIAS, POLICY, TEXT = ("automatic", "dkim1"), ("simple", "spf"), ("simple", "dkim")
DMARC, RETURN = ("automatic", "dmarc"), ("manual", "mail_server")
FAULTS = {
    "missing alias": Fault(*ALIAS, (), MISSING, "there is no such CNAME record", "publish it as the plan shows"),
    "missing key": Fault(*TEXT, (), MISSING, "there is no such TXT record", "publish it as the plan shows"),
    "missing mail server": Fault(*RETURN, (), MISSING, "there is no such MX record", "publish it as the plan shows"),
    "missing spf": Fault(*POLICY, (), MISSING, "there is no such TXT record", "publish it as the plan shows"),
    "wrong alias": Fault(*ALIAS, ("@ CNAME elsewhere.test.",), WRONG, "leads to elsewhere.test", "must lead to s1."),
    "wrong key": Fault(*TEXT, ('@ TXT "v=DKIM1; k=rsa; p=AAAA"',), WRONG, "another key", "replace the value"),
    "wrong mail server": Fault(*RETURN, ("@ MX 10 elsewhere.test.",), WRONG, "elsewhere.test", "must go to relay.test"),
    "a second mail server": Fault(
        *RETURN, ("@ MX 10 relay.test.", "@ MX 20 elsewhere.test."), WRONG, "elsewhere.test", "relay.test alone"
    ),
    "wrong spf": Fault(*POLICY, ('@ TXT "v=spf1 a -all"',), WRONG, "does not permit", 'add "ip4:192.0.2.0/24"'),
    "quotes that a panel added": Fault(*TEXT, (r'@ TXT "\"" {value} "\""',), WRONG, "quotes", "remove them"),
    "backslashes that a panel added": Fault(
        *TEXT, (r'@ TXT "v=DKIM1\\; k=rsa\\; p={key}"',), WRONG, "backslashes", "remove them"
    ),
    "quotes around spf": Fault(*POLICY, (rf'@ TXT "\"{SPF}\""',), WRONG, "quotes", "remove them"),
    "a key that a panel cut": Fault(*TEXT, ('@ TXT "v=DKIM1; k=rsa; p={short}"',), WRONG, "was cut after", "in quotes"),
    "a doubled zone name": Fault(
        *ALIAS, ("@.{domain}. CNAME {value}",), WRONG, "appends the name of the zone", 'Enter "s1._domainkey"'
    ),
    "a doubled name of a key": Fault(
        *TEXT, ("@.{domain}. TXT {value}",), WRONG, "appends the name of the zone", 'Enter "s1._domainkey"'
    ),
    "an appended target": Fault(*ALIAS, ("@ CNAME {value}{domain}.",), WRONG, "appends", "a dot at its end"),
    "a proxied alias": Fault(*ALIAS, ("@ A 192.0.2.9",), WRONG, "behind a proxy", "Switch proxying off"),
    "too many look-ups": Fault(
        *POLICY, ('@ TXT "v=spf1 include:i0.{domain} ~all"',), WRONG, "more than 10 DNS lookups", "replace an include",
        more=tuple([f'i{n}.@ TXT "v=spf1 include:i{n + 1}.{{domain}} ~all"' for n in range(11)]),
    ),
    "several spf records": Fault(
        *POLICY, (f'@ TXT "{SPF}"', '@ TXT "v=spf1 -all"'), WRONG, "has 2 SPF records", "join them into one"
    ),
    "no dmarc": Fault(*DMARC, (), MISSING, "there is no such TXT record at _dmarc.", "publish it as the plan shows"),
    "two dmarc records": Fault(
        *DMARC, ('@ TXT "v=DMARC1; p=none"', '@ TXT "v=DMARC1; p=reject"'), WRONG, "2 DMARC records", "only one"
    ),
    "dmarc misaligned with signatures": Fault(
        *DMARC, ('@ TXT "v=DMARC1; p=reject; adkim=s"',), WRONG, "is misaligned", 'Write "adkim=r"'
    ),
    "dmarc misaligned with the return path": Fault(
        *DMARC, ('@ TXT "v=DMARC1; p=reject; aspf=s"',), WRONG, "is misaligned", 'Write "aspf=r"'
    ),
    "100 records": Fault(
        *TEXT, tuple([f'@ TXT "v=DKIM1; n={n}; p={{key}}"' for n in range(100)]), WRONG, "100 TXT records", "remove"
    ),
    "100 addresses": Fault(
        *ALIAS, tuple([f"@ A 192.0.2.{n}" for n in range(100)]), WRONG, "behind a proxy", "Switch proxying off"
    ),
    "an oversize text": Fault(
        *TEXT, ("@ TXT " + f'"{"A" * 250}" ' * 240,), WRONG, "no DKIM key record", "copy the value from the plan"
    ),
    "an alias in a circle": Fault(
        *TEXT, ("@ CNAME other.{domain}.",), UNKNOWN, "could not be asked", "check again later",
        more=("other.@ CNAME s1._domainkey.@",),
    ),
    "other types": Fault(*TEXT, ("@ A 192.0.2.9", "@ MX 5 x.test."), MISSING, "no such TXT record", "publish it"),
}  # fmt: skip


def claim(name: str, kind: str) -> AuthenticatedDomain:
    keys = tuple(
        DKIMKey(
            selector=selector, algorithm=SigningAlgorithm.RSA_SHA256, sealed_private_key=b"", public_key=KEY,
            created_at=AT,
        )
        for selector in (("s1", "s2") if kind == "automatic" else ("s1",))
    )  # fmt: skip
    return AuthenticatedDomain(
        name=name, account_id=AccountId("acc_1"), state=DomainState.PENDING, dkim_keys=keys, created_at=AT,
        return_path="" if kind == "simple" else "em1", label="abc" if kind == "automatic" else None,
    )  # fmt: skip


def domain_of(name: str) -> str:
    return f"{name.replace(' ', '-')}.customers.test"


def lines_of(domain: str, kind: str, fault: Fault | None) -> Iterator[str]:
    """The zone of a customer who got one thing wrong."""
    for record in plan_records(claim(domain, kind), RELAY):
        if fault is None or record.key != fault.key:
            yield record.zone_line
        else:
            yield from (_instead(line, record, domain) for line in fault.instead)
    for line in fault.more if fault else ():
        yield line.format(domain=domain).replace("@", f"{domain}.")


def _instead(line: str, record: PlannedRecord, domain: str) -> str:
    value = record.rdata if "CNAME" not in line else f"{record.value}."
    filled = line.format(value=value, domain=domain, key=KEY[:200], short=KEY[:200])
    if "backslash" in domain:
        filled = "@ TXT " + quote_text(record.value.replace(";", "\\;"))
    return (
        filled.replace("@.", f"{record.name}.", 1)
        if filled.startswith("@.")
        else filled.replace("@", f"{record.name}.", 1)
    )


@contextmanager
def knot_with(folder: Path, lines: list[str]) -> Iterator[int]:
    port = free_port()
    (folder / "db").mkdir()
    head = "$TTL 60\n@ SOA ns.test. admin.test. 1 3600 600 604800 60\n@ NS ns.test.\n"
    (folder / "zone").write_text(head + "\n".join(lines) + "\n")
    (folder / "knot.conf").write_text(
        f'server:\n  listen: 127.0.0.1@{port}\n  rundir: "{folder}"\n  user: root:root\n'
        f'database:\n  storage: "{folder}/db"\nlog:\n  - target: stderr\n    any: warning\n'
        f'zone:\n  - domain: customers.test\n    storage: "{folder}"\n    file: zone\n    semantic-checks: soft\n'
    )
    command = (program("knotd", "knot"), "-c", str(folder / "knot.conf"))
    with running(*command, port=port, log=folder / "log"):
        yield port


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serves a zone in which each fault has a customer, and one customer of each kind has none."""
    lines = [line for name, fault in FAULTS.items() for line in lines_of(domain_of(name), fault.kind, fault)]
    lines += [line for kind in ("automatic", "manual", "simple") for line in lines_of(domain_of(kind), kind, None)]
    with knot_with(tmp_path_factory.mktemp("knot"), lines) as port:
        yield port


async def check(port: int, domain: str, kind: str) -> tuple[Finding, ...]:
    resolver = CachingResolver([Nameserver("127.0.0.1", port)], monotonic=time.monotonic)
    return await check_domain(domain, plan_records(claim(domain, kind), RELAY), resolver, relay=RELAY, at=AT)


@pytest.mark.parametrize("kind", ["automatic", "manual", "simple"])
async def test_what_is_published_as_planned_is_proved(knot: int, kind: str) -> None:
    findings = await check(knot, domain_of(kind), kind)

    assert [(each.state, each.problem) for each in findings] == [(FindingState.VALID, "")] * len(findings)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_named_with_what_mends_it(knot: int, name: str) -> None:
    fault = FAULTS[name]

    findings = await check(knot, domain_of(name), fault.kind)

    (found,) = [each for each in findings if each.record.key == fault.key]
    assert (found.state, fault.reason in found.problem, fault.act in found.problem) == (fault.state, True, True), found
    assert is_proved(findings) is (fault.key == "dmarc")
    assert len(found.problem) < 600
    assert found.problem.isprintable()
