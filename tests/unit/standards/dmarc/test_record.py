from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.dmarc.record import (
    AlignmentMode,
    DMARCSyntaxError,
    Policy,
    PublicSuffixDomain,
    is_dmarc_record,
    parse_dmarc_record,
)

NONE, QUARANTINE, REJECT = Policy.NONE, Policy.QUARANTINE, Policy.REJECT


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b"v=DMARC1; p=none", True),
        (b"v=DMARC1", True),
        (b"V = DMARC1 ;p=none", True),
        (b"v=DMARC1;", True),
        (b"v=dmarc1; p=none", False),
        (b"v=DMARC12; p=none", False),
        (b"p=none; v=DMARC1", False),
        (b"v=spf1 -all", False),
        (b"", False),
    ],
)
def test_a_policy_record_is_told_by_its_version(text, is_one):
    assert is_dmarc_record(text) is is_one


@pytest.mark.parametrize(
    ("text", "policies"),
    [
        (b"v=DMARC1; p=reject", (REJECT, REJECT, REJECT)),
        (b"v=DMARC1; p=Reject; sp=none", (REJECT, NONE, NONE)),
        (b"v=DMARC1; p=none; sp=quarantine; np=reject", (NONE, QUARANTINE, REJECT)),
        (b"v=DMARC1; p=none; np=reject", (NONE, NONE, REJECT)),
        pytest.param(b"v=DMARC1; rua=mailto:a@example.com", (NONE, NONE, NONE), id="no policy, but reports wanted"),
        pytest.param(
            b"v=DMARC1; p=reject; sp=bogus; rua=mailto:a@example.com", (NONE, NONE, NONE), id="invalid sp, reports"
        ),
    ],
)
def test_policies_are_inherited_downwards(text, policies):
    record = parse_dmarc_record(text)

    assert (record.policy, record.subdomain_policy, record.nonexistent_policy) == policies


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"v=DMARC1", "it says no policy"),
        (b"v=DMARC1; p=bogus", "p='bogus' is none of"),
        (b"v=DMARC1; p=reject; np=bogus", "np='bogus'"),
        (b"v=DMARC1; rua=nobody@example.com", "no URI"),
        (b"v=spf1 -all", "does not begin with v=DMARC1"),
    ],
)
def test_a_record_that_nobody_can_follow_says_why(text, reason):
    with pytest.raises(DMARCSyntaxError, match=reason):
        parse_dmarc_record(text)


def test_every_tag_is_read():
    record = parse_dmarc_record(
        b"v=DMARC1; p=quarantine; adkim=s; aspf=S; psd=n; t=y; "
        b"rua=mailto:a@example.com!10m, https://example.net/r ; ruf=mailto:f@example.com"
    )

    assert record.dkim_alignment is AlignmentMode.STRICT
    assert record.spf_alignment is AlignmentMode.STRICT
    assert record.psd is PublicSuffixDomain.NO
    assert record.is_testing
    assert record.aggregate_reports == ("mailto:a@example.com", "https://example.net/r")
    assert record.failure_reports == ("mailto:f@example.com",)
    assert record.faults == ()


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        (b"adkim=x", "adkim='x' is not a value of that tag; adkim=r stands"),
        (b"t=maybe", "t='maybe' is not a value of that tag; t=n stands"),
        (b"pct=20", "pct= means nothing since RFC 9989"),
        (b"p=none", "p= occurs twice; the first one counts"),
        (b"rubbish", "'rubbish' is not of the form name=value"),
        (b"ruf=here", "ruf= names 'here', which is no URI such as mailto:reports@example.com"),
    ],
)
def test_what_is_broken_has_its_default_and_is_told(tag, fault):
    record = parse_dmarc_record(b"v=DMARC1; p=reject; " + tag)

    assert record.policy is REJECT
    assert record.dkim_alignment is AlignmentMode.RELAXED
    assert not record.is_testing
    assert record.faults == (fault,)


def test_unknown_tags_are_ignored_in_silence():
    assert parse_dmarc_record(b"v=DMARC1; p=none; future=1").faults == ()


@given(st.binary(max_size=80))
def test_after_any_octets_a_good_record_still_stands_or_is_refused_for_them(octets):
    with suppress(DMARCSyntaxError):
        assert isinstance(parse_dmarc_record(b"v=DMARC1; " + octets).policy, Policy)
