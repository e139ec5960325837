from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.transport_security.mta_sts import Mode, MTASTSError, Policy, parse_policy, parse_record

POLICY = b"version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.example.net\nmax_age: 604800\n"


def test_a_policy_is_read():
    policy = parse_policy(POLICY)

    assert policy == Policy(
        mode=Mode.ENFORCE, max_age=timedelta(days=7), mail_hosts=("mx1.example.com", "*.example.net")
    )


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(POLICY.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(POLICY.rstrip(b"\n"), id="no line end at the end"),
        pytest.param(POLICY.replace(b": ", b":  \t"), id="white space"),
        pytest.param(POLICY + b"more: x\nmode: none\n\n", id="more fields, and of two the first"),
        pytest.param(POLICY.replace(b"mx1.example.com", b"MX1.Example.COM."), id="case and a last dot"),
    ],
)
def test_what_says_the_same_is_the_same_policy(octets):
    assert parse_policy(octets) == parse_policy(POLICY)


def test_a_policy_that_ends_another_names_no_host():
    assert parse_policy(b"version: STSv1\nmode: none\nmax_age: 86400\n").mail_hosts == ()


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b"", "version: STSv1", id="nothing"),
        pytest.param(b"<html>\n</html>", "no line of a policy", id="a page"),
        pytest.param(POLICY.replace(b"STSv1", b"STSv2"), "version: STSv1", id="another version"),
        pytest.param(POLICY.replace(b"enforce", b"Enforce"), "mode: enforce", id="another mode"),
        pytest.param(POLICY.replace(b"mode: enforce\n", b""), "mode: enforce", id="no mode"),
        pytest.param(POLICY.replace(b"604800", b"a week"), "max_age", id="no number"),
        pytest.param(POLICY.replace(b"604800", b"31557601"), "max_age", id="too long"),
        pytest.param(POLICY.replace(b"604800", b"9" * 400), "max_age", id="far too long"),
        pytest.param(POLICY.replace(b"604800", "٣".encode()), "max_age", id="other digits"),
        pytest.param(b"version: STSv1\nmode: enforce\nmax_age: 1\n", "mx: ", id="no host"),
        pytest.param(POLICY.replace(b"*.example.net", b"mx.*.example.net"), "names no host", id="a star inside"),
        pytest.param(POLICY.replace(b"*.example.net", b"192.0.2.1:25"), "names no host", id="a port"),
        pytest.param(POLICY.replace(b"enforce", b"\xff"), "UTF-8", id="no text"),
        pytest.param(POLICY + b"x: " + b"y" * 65536, "larger than", id="too large"),
    ],
)
def test_what_senders_cannot_use_is_refused(octets, reason):
    with pytest.raises(MTASTSError, match=reason):
        parse_policy(octets)


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_read(octets):
    try:
        parse_policy(POLICY + octets)
        parse_policy(octets)
    except MTASTSError:
        pass


@pytest.mark.parametrize(
    ("host", "is_named"),
    [
        ("mx1.example.com", True),
        ("MX1.EXAMPLE.COM.", True),
        ("mx2.example.com", False),
        ("a.example.net", True),
        ("example.net", False),
        ("b.a.example.net", False),
        ("", False),
    ],
    ids=str,
)
def test_a_wildcard_stands_for_one_label(host, is_named):
    assert parse_policy(POLICY).names(host) is is_named


def test_the_id_of_a_record_is_read():
    assert parse_record("v=STSv1; id=20261123T1;") == "20261123T1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("v=STSv1", "no id=", id="none"),
        pytest.param("v=STSv1; id=2026-11-23", "letters and digits", id="hyphens"),
        pytest.param("v=STSv1; id=", "letters and digits", id="empty"),
        pytest.param(f"v=STSv1; id={'1' * 33}", "letters and digits", id="too long"),
        pytest.param("v=STSv2; id=1", "begin with", id="another version"),
    ],
)
def test_a_record_without_a_usable_id_is_refused(text, reason):
    with pytest.raises(MTASTSError, match=reason):
        parse_record(text)
