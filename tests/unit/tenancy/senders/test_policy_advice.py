"""MTA-STS, TLS reporting and BIMI, judged on a posture of which only that matters."""

from dataclasses import replace

import pytest

from gatepost.standards.dmarc.record import Policy
from gatepost.standards.dmarc.tree_walk import TreeWalk
from gatepost.standards.dns.records import MX
from gatepost.standards.spf.cost import SPFCost
from gatepost.tenancy.senders.advice import Severity
from gatepost.tenancy.senders.policy_advice import judge_bimi, judge_mta_sts, judge_tls_reports
from gatepost.tenancy.senders.posture import PolicyFile, Posture, Published

S = Severity
ENFORCED = b"version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: mx2.example.com\nmax_age: 2419200\n"


def served(octets=ENFORCED, media_type="text/plain"):
    return PolicyFile(octets=octets, media_type=media_type)


@pytest.fixture
def posture():
    return Posture(
        domain="example.com",
        mail_exchangers=(MX(10, "mx1.example.com"), MX(20, "mx2.example.com")),
        spf=Published(name="example.com"),
        spf_cost=SPFCost(terms=()),
        spf_results=(),
        sending_networks=(),
        dkim=(),
        dkim_failure="",
        dmarc=TreeWalk(start="example.com", records=(), organizational_domain="example.com"),
        dmarc_policy=Policy.REJECT,
        mta_sts=Published(name="_mta-sts.example.com", texts=("v=STSv1; id=20261123",)),
        tls_reports=Published(name="_smtp._tls.example.com", texts=("v=TLSRPTv1; rua=mailto:t@example.com",)),
        bimi=Published(
            name="default._bimi.example.com", texts=("v=BIMI1; l=https://example.com/a.svg; a=https://example.com/a.pem",)
        ),
        policy_file=served(),
    )  # fmt: skip


@pytest.mark.parametrize("judge", [judge_mta_sts, judge_tls_reports, judge_bimi], ids=lambda judge: judge.__name__)
def test_what_is_right_is_praised_and_nothing_else_said(posture, judge):
    assert [each.severity for each in judge(posture)] == [S.GOOD]


#: What is served, or why it is not; how bad that is, in which words, and the record that mends it.
POLICIES = {
    "a host without a policy": (
        served(ENFORCED.replace(b"mx: mx2.example.com\n", b"")), S.BROKEN,
        'does not name mx2.example.com: senders that heed it do not deliver there. Add "mx: mx2.example.com"',
        "_mta-sts.example.com TXT v=STSv1; id=20261124",
    ),
    "a host without a policy, while testing": (
        served(ENFORCED.replace(b"mx: mx2.example.com\n", b"").replace(b"enforce", b"testing")), S.WEAK,
        "would not deliver there", "id=20261124",
    ),
    "a name that no MX has": (served(ENFORCED + b"mx: *.elsewhere.test\n"), S.HINT, "names *.elsewhere.test", ""),
    "testing": (served(ENFORCED.replace(b"enforce", b"testing")), S.HINT, "then write enforce", ""),
    "none": (served(b"version: STSv1\nmode: none\nmax_age: 86400\n"), S.HINT, "none any more", ""),
    "soon forgotten": (served(ENFORCED.replace(b"2419200", b"3600")), S.HINT, "max_age of some weeks", ""),
    "another type": (served(media_type="text/html"), S.HINT, "served as text/html", ""),
    "no policy": (served(b"<html>"), S.WEAK, "Serve it at https://mta-sts.example.com/.well-known/mta-sts.txt", ""),
    "not to be had": (
        PolicyFile(problem="mta-sts.example.com has no address"), S.WEAK, "cannot have it: mta-sts.example", "",
    ),
    "not fetched": (None, S.GOOD, "not fetched here", ""),
}  # fmt: skip


@pytest.mark.parametrize(("file", "severity", "text", "mend"), POLICIES.values(), ids=POLICIES)
def test_a_policy_is_held_against_the_mail_hosts(posture, file, severity, text, mend):
    advices = judge_mta_sts(replace(posture, policy_file=file))

    (advice,) = [each for each in advices if text in each.text]
    assert (advice.severity, advice.subject) == (severity, "MTA-STS")
    assert mend in advice.mend
    assert bool(mend) is bool(advice.mend)


def test_where_the_mail_hosts_are_not_known_none_is_missing(posture):
    assert [each.severity for each in judge_mta_sts(replace(posture, mail_exchangers=None))] == [S.GOOD]


@pytest.mark.parametrize(
    ("identifier", "following"),
    [("20261123", "20261124"), ("a", "a1"), ("a1", "a2"), ("9" * 32, "9" * 31 + "1"), ("", "1")],
    ids=str,
)
def test_the_record_that_mends_has_another_id(posture, identifier, following):
    record = Published(name="_mta-sts.example.com", texts=(f"v=STSv1; id={identifier}",))
    file = served(ENFORCED.replace(b"mx: mx2.example.com\n", b""))

    advices = judge_mta_sts(replace(posture, mta_sts=record, policy_file=file))

    assert f"_mta-sts.example.com TXT v=STSv1; id={following}" in [each.mend for each in advices]


RECORDS = {
    "MTA-STS without an id": ("mta_sts", "v=STSv1", judge_mta_sts, S.WEAK, "no id="),
    "TLS-RPT to nowhere": ("tls_reports", "v=TLSRPTv1; rua=tls@example.com", judge_tls_reports, S.WEAK, "mailto:"),
    "BIMI without TLS": ("bimi", "v=BIMI1; l=http://example.com/a.svg", judge_bimi, S.WEAK, "no https"),
    "BIMI without evidence": ("bimi", "v=BIMI1; l=https://example.com/a.svg", judge_bimi, S.HINT, "mark certificate"),
    "BIMI declined": ("bimi", "v=BIMI1; l=; a=", judge_bimi, S.GOOD, "declines"),
}


@pytest.mark.parametrize(("field", "record", "judge", "severity", "text"), RECORDS.values(), ids=RECORDS)
def test_a_record_is_read_as_receivers_read_it(posture, field, record, judge, severity, text):
    published = Published(name="there.example.com", texts=(record,))

    advices = judge(replace(posture, **{field: published}))

    assert [each.severity for each in advices if text in each.text] == [severity]


@pytest.mark.parametrize("policy", [None, Policy.NONE], ids=str)
def test_no_logo_is_shown_without_a_dmarc_policy(posture, policy):
    advices = judge_bimi(replace(posture, dmarc_policy=policy))

    assert [(each.severity, "p=quarantine" in each.mend) for each in advices] == [(S.HINT, True)]


@pytest.mark.parametrize("field", ["mta_sts", "tls_reports", "bimi"])
@pytest.mark.parametrize(
    ("published", "severity", "text"),
    [
        pytest.param({}, S.HINT, "", id="none"),
        pytest.param({"failure": "timed out"}, S.UNKNOWN, "ask again later", id="no answer"),
        pytest.param({"texts": ("v=x", "v=x")}, S.WEAK, "remove all but one", id="two"),
    ],
)
def test_where_there_is_not_one_record_that_is_said(posture, field, published, severity, text):
    judge = {"mta_sts": judge_mta_sts, "tls_reports": judge_tls_reports, "bimi": judge_bimi}[field]

    (advice,) = judge(replace(posture, **{field: Published(name="there.example.com", **published)}))

    assert advice.severity is severity
    assert text in advice.text
