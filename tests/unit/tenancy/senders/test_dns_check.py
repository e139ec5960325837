from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from gatepost.standards.dns.question import Answer, AnswerStatus, RecordType
from gatepost.standards.dns.records import MX, Address, Name
from gatepost.tenancy.senders.dns_check import FindingState, check_domain, is_proved
from gatepost.tenancy.senders.dns_plan import PlannedRecord, RecordPurpose, Relay, plan_records
from gatepost.tenancy.senders.domain import KeyState

AT = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
NETWORKS = (ip_network("192.0.2.0/28"), ip_network("2001:db8::1"))
NOWHERE = Relay(host_name="relay.example.net")
VALID, MISSING, WRONG, UNKNOWN = FindingState.VALID, FindingState.MISSING, FindingState.WRONG, FindingState.UNKNOWN


@pytest.fixture
def plan(domain):
    return plan_records(domain, Relay(host_name="relay.example.net", sending_networks=NETWORKS))


@pytest.fixture
def published(plan):
    """The zone in which everything is published as planned."""
    return {record.name: (record.value,) for record in plan}


@pytest.fixture
def check(plan, make_resolver):
    """Check the plan against a zone; return the findings, DKIM for RSA first."""

    async def run(zone, networks=NETWORKS):
        return await check_domain(
            "mail.example.com",
            plan,
            make_resolver(zone),
            relay=Relay(host_name="relay.example.net", sending_networks=networks),
            at=AT,
        )

    return run


async def test_what_is_published_as_planned_is_valid_and_proved(check, published):
    findings = await check(published)

    assert [(finding.state, finding.problem) for finding in findings] == [(VALID, "")] * 4
    assert is_proved(findings)


async def test_nothing_published_proves_nothing(check, plan):
    findings = await check({})

    assert [finding.state for finding in findings] == [MISSING] * 4
    assert [finding.record for finding in findings] == list(plan)
    assert all(f"at {finding.record.name}" in finding.problem for finding in findings)
    assert not is_proved(findings)


async def test_no_answer_is_neither_right_nor_wrong_and_proves_nothing(check, published):
    findings = await check(dict.fromkeys(published))

    assert [finding.state for finding in findings] == [UNKNOWN] * 4
    assert all("timed out" in finding.problem and "again later" in finding.problem for finding in findings)
    assert not is_proved(findings)


async def test_where_the_dns_does_not_answer_no_doubled_names_are_tried(plan, published, make_resolver):
    resolver = make_resolver(dict.fromkeys(published))

    await check_domain(
        "mail.example.com", plan, resolver, relay=Relay(host_name="relay.example.net", sending_networks=NETWORKS), at=AT
    )

    assert {question.name for question in resolver.asked} == {record.name for record in plan}


@pytest.mark.parametrize("missing", [0, 1, 2], ids=["rsa", "ed25519", "spf"])
@pytest.mark.parametrize("held", [(), None], ids=["missing", "no answer"])
async def test_every_required_record_is_needed(check, published, plan, missing, held):
    findings = await check(published | {plan[missing].name: held})

    assert not is_proved(findings)


async def test_dmarc_is_not_needed(check, published):
    del published["_dmarc.mail.example.com"]

    findings = await check(published)

    assert findings[3].state is MISSING
    assert is_proved(findings)


async def test_spf_is_not_needed_where_the_sending_networks_are_not_known(domain, make_resolver, published):
    plan = plan_records(domain, NOWHERE)
    del published["mail.example.com"]

    findings = await check_domain(
        "mail.example.com",
        plan,
        make_resolver(published),
        relay=NOWHERE,
        at=AT,
    )

    assert findings[2].state is MISSING
    assert is_proved(findings)


def test_no_findings_prove_nothing():
    assert not is_proved(())


async def test_findings_without_a_key_prove_nothing(check, published):
    findings = await check(published)

    assert not is_proved([finding for finding in findings if finding.record.purpose is not RecordPurpose.DKIM])


@pytest.mark.parametrize(
    ("publish", "problem"),
    [
        pytest.param(lambda value: (f'"{value}"',), "remove them", id="quotes"),
        pytest.param(lambda value: (value.replace(";", "\\;"),), "remove them", id="backslashes"),
        pytest.param(lambda value: (f"“{value}”",), "remove them", id="typographic quotes"),
        pytest.param(lambda value: (value[:255],), "cut after 255 of", id="cut at 255"),
        pytest.param(lambda value: (value[:256],), "cut after 256 of", id="cut where base64 does not end"),
        pytest.param(lambda value: (value, value), "there are 2 TXT records", id="twice"),
        pytest.param(lambda value: ("google-site-verification=x",), "no DKIM key record", id="something else"),
        pytest.param(lambda value: ("v=DKIM1; k=rsa; p=",), "revoked", id="revoked"),
        pytest.param(lambda value: ("v=DKIM1; k=rsa; p=AAAA",), "another key", id="another key"),
        pytest.param(lambda value: (value.replace("k=rsa", "k=ed25519"),), "stands around", id="another type"),
        pytest.param(lambda value: (value + "; h=sha1",), "stands around", id="another hash"),
        pytest.param(lambda value: (value + "; s=tlsrpt",), "stands around", id="another service"),
    ],
)
async def test_a_key_published_wrong_is_told_in_words(check, published, plan, publish, problem):
    findings = await check(published | {plan[0].name: publish(plan[0].value)})

    assert findings[0].state is WRONG
    assert problem in findings[0].problem
    assert not is_proved(findings)


@pytest.mark.parametrize(
    "publish",
    [
        pytest.param(lambda value: value.replace("; ", ";"), id="no spaces"),
        pytest.param(lambda value: value[:300] + " " + value[300:], id="a space inside the key"),
        pytest.param(lambda value: "v=DKIM1; s=email; t=s; h=sha256; n=ours; " + value[9:], id="more tags"),
    ],
)
async def test_what_receivers_take_for_the_same_key_is_valid(check, published, plan, publish):
    findings = await check(published | {plan[0].name: (publish(plan[0].value),)})

    assert findings[0].state is VALID, findings[0].problem


@pytest.mark.parametrize(
    ("index", "zone_name", "entered"),
    [
        pytest.param(0, "mail.example.com", "{selector}._domainkey", id="key, zone of the domain"),
        pytest.param(0, "example.com", "{selector}._domainkey.mail", id="key, zone above"),
        pytest.param(2, "mail.example.com", "@", id="spf, zone of the domain"),
        pytest.param(2, "example.com", "mail", id="spf, zone above"),
        pytest.param(3, "example.com", "_dmarc.mail", id="dmarc"),
    ],
)
async def test_a_doubled_zone_name_is_found(check, published, plan, domain, index, zone_name, entered):
    record = plan[index]
    published[f"{record.name}.{zone_name}"] = published.pop(record.name)

    finding = (await check(published))[index]

    assert finding.state is WRONG
    assert f"stands at {record.name}.{zone_name}" in finding.problem
    assert f'Enter "{entered.format(selector=domain.dkim_keys[0].selector)}"' in finding.problem


@pytest.mark.parametrize(
    ("texts", "state", "problem"),
    [
        pytest.param(("v=spf1 include:_spf.example.com -all",), VALID, "", id="by include"),
        pytest.param(("x=y", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"), VALID, "", id="wider networks"),
        pytest.param(("x=y",), MISSING, "no such TXT record", id="other texts only"),
        pytest.param(("v=spf1 a", "v=spf1 mx"), WRONG, "has 2 SPF records", id="two"),
        pytest.param(("v=spf1 -all",), WRONG, 'add "ip4:192.0.2.0/28"', id="not permitted"),
        pytest.param(
            ("v=spf1 ip4:192.0.2.0/29 ip6:2001:db8::1 -all",),
            WRONG,
            "does not permit 192.0.2.0/28",
            id="half a network",
        ),
        pytest.param(("v=spf1 ip4:192.0.2.0/28 ~all",), WRONG, 'add "ip6:2001:db8::1/128"', id="one of two"),
        pytest.param(("v=spf1 ip4:192.0.2",), WRONG, "'ip4:192.0.2' is malformed", id="malformed"),
        pytest.param(("v=spf1 include:mail.example.com -all",), WRONG, "more than 10 DNS lookups", id="lookups"),
        pytest.param(("v=spf1 include:late.example -all",), UNKNOWN, "timed out", id="a late include"),
        pytest.param(('"v=spf1 ip4:192.0.2.0/28 ~all"',), WRONG, "remove them", id="quotes"),
    ],
)
async def test_spf(check, published, texts, state, problem):
    zone = published | {
        "mail.example.com": texts,
        "_spf.example.com": ("v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::1 ~all",),
        "late.example": None,
    }

    findings = await check(zone)

    assert findings[2].state is state
    assert problem in findings[2].problem
    assert is_proved(findings) is (state is VALID)


@pytest.mark.parametrize(
    ("texts", "state", "problem"),
    [
        pytest.param(("v=DMARC1; p=reject",), VALID, "", id="another policy"),
        pytest.param(("v=DMARC1; p=none", "v=DMARC1; p=none"), WRONG, "2 DMARC records", id="two"),
        pytest.param(("hello",), WRONG, "no DMARC record: 'hello'", id="something else"),
        pytest.param(("v=DMARC1; p=reject; adkim=s",), WRONG, 'Write "adkim=r"', id="strict about signatures"),
        pytest.param(("v=DMARC1; p=reject; aspf=s",), VALID, "", id="strict about a return path that is its own"),
        pytest.param(("v=DMARC1; p=never",), WRONG, "publish one like v=DMARC1; p=none", id="no policy"),
    ],
)
async def test_dmarc(check, published, texts, state, problem):
    finding = (await check(published | {"_dmarc.mail.example.com": texts}))[3]

    assert finding.state is state
    assert problem in finding.problem


async def test_what_is_shown_of_a_published_value_is_short(check, published, plan):
    findings = await check(published | {plan[0].name: ("x" * 5000,)})

    assert len(findings[0].problem) < 300


ALIAS = PlannedRecord(
    purpose=RecordPurpose.DKIM,
    key="dkim1",
    name="s1._domainkey.example.com",
    value="s1.domainkey.abc.wl.example.net",
    is_required=True,
    type=RecordType.CNAME,
)
EXCHANGER = PlannedRecord(
    purpose=RecordPurpose.RETURN_PATH,
    key="mail_server",
    name="em1.example.com",
    value="relay.example.net",
    is_required=True,
    type=RecordType.MX,
)


class Names:
    """Keeps the Resolver port's contract: (name, type) → records, a status, or nothing at all."""

    def __init__(self, **held):
        self.held = {tuple(place.split(" ")): records for place, records in held.items()}

    async def resolve(self, question):
        records = self.held.get((question.name, question.type.value), AnswerStatus.NO_NAME)
        if isinstance(records, AnswerStatus):
            return Answer(status=records, detail="SERVFAIL" if records is AnswerStatus.FAILED else "")
        return Answer(status=AnswerStatus.FOUND, records=records)


HERE, ADDRESSES = "s1._domainkey.example.com CNAME", "s1._domainkey.example.com A"
TWICE = "s1._domainkey.example.com.example.com CNAME"


@pytest.mark.parametrize(
    ("held", "state", "problem"),
    [
        pytest.param({HERE: (Name(ALIAS.value),)}, VALID, "", id="as planned"),
        pytest.param({}, MISSING, "there is no such CNAME record at s1._domainkey.example.com", id="nothing"),
        pytest.param({HERE: (Name("s2.domainkey.abc.wl.example.net"),)}, WRONG, "it must lead to s1.", id="another"),
        pytest.param({HERE: (Name(f"{ALIAS.value}.example.com"),)}, WRONG, "dot at its end", id="target appended to"),
        pytest.param({TWICE: (Name(ALIAS.value),)}, WRONG, 'Enter "s1._domainkey" as its name', id="name doubled"),
        pytest.param(
            {HERE: AnswerStatus.NO_DATA, ADDRESSES: (Address("192.0.2.1"),)}, WRONG, "proxying off", id="proxied"
        ),
        pytest.param({HERE: AnswerStatus.NO_DATA}, MISSING, "no such CNAME record", id="other records at the name"),
        pytest.param({HERE: AnswerStatus.FAILED}, UNKNOWN, "SERVFAIL", id="no answer"),
    ],
)
async def test_an_alias(held, state, problem):
    (finding,) = await check_domain("example.com", [ALIAS], Names(**held), relay=NOWHERE, at=AT)

    assert finding.state is state
    assert problem in finding.problem
    assert bool(finding.problem) == (state is not VALID)


@pytest.mark.parametrize(
    ("records", "state", "problem"),
    [
        ((MX(10, "relay.example.net"),), VALID, ""),
        ((MX(10, "mx.example.com"),), WRONG, "goes to mx.example.com; it must go to relay.example.net alone"),
        ((MX(10, "relay.example.net"), MX(20, "mx.example.com")), WRONG, "alone"),
        (AnswerStatus.NO_NAME, MISSING, "no such MX record at em1.example.com"),
        (AnswerStatus.FAILED, UNKNOWN, "SERVFAIL"),
    ],
)
async def test_a_mail_exchanger(records, state, problem):
    (finding,) = await check_domain(
        "example.com", [EXCHANGER], Names(**{"em1.example.com MX": records}), relay=NOWHERE, at=AT
    )

    assert finding.state is state
    assert problem in finding.problem


async def test_a_key_that_is_not_in_use_does_not_decide(domain, make_resolver, published):
    newcomer = replace(domain.dkim_keys[0], selector="next", state=KeyState.NEXT)
    claim = replace(domain, dkim_keys=(*domain.dkim_keys, newcomer))
    relay = Relay(host_name="relay.example.net", sending_networks=NETWORKS)

    findings = await check_domain(
        "mail.example.com", plan_records(claim, relay), make_resolver(published), relay=relay, at=AT
    )

    assert [finding.state for finding in findings] == [VALID, VALID, MISSING, VALID, VALID]
    assert is_proved(findings)
