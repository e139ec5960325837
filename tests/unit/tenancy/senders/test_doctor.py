"""A zone is examined and judged: posture and advice together, as the command does."""

from base64 import b64encode
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost.standards.dns.question import AnswerStatus
from gatepost.standards.dns.records import MX, TXT
from gatepost.tenancy.senders.advice import Severity
from gatepost.tenancy.senders.doctor import advise
from gatepost.tenancy.senders.posture import examine

NETWORKS = (ip_network("192.0.2.25"), ip_network("2001:db8::/48"))
S = Severity


def key_record(bits: int, more: str = "") -> str:
    # The library makes none below 1024 bits; any odd number of that length has a public key's shape.
    key = (
        RSAPublicNumbers(65537, (1 << bits) - 159).public_key()
        if bits < 1024
        else generate_private_key(65537, bits).public_key()
    )
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; {more}p={b64encode(octets).decode()}"


@pytest.fixture(scope="module")
def healthy():
    return {
        ("example.com", "MX"): (MX(10, "mx.example.com"),),
        ("example.com", "TXT"): "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 ~all",
        ("s1._domainkey.example.com", "TXT"): key_record(2048),
        ("_dmarc.example.com", "TXT"): "v=DMARC1; p=reject; rua=mailto:d@example.com",
        ("_mta-sts.example.com", "TXT"): "v=STSv1; id=1",
        ("_smtp._tls.example.com", "TXT"): "v=TLSRPTv1; rua=mailto:t@example.com",
        ("default._bimi.example.com", "TXT"): "v=BIMI1; l=https://example.com/logo.svg; a=https://example.com/logo.pem",
    }


def diagnose(ask, zone):
    read = {
        place: (TXT(held.encode()),) if isinstance(held, str) else held
        for place, held in zone.items()
        if held is not None
    }
    posture = ask(
        examine(
            "example.com",
            selectors=["s1", "s2"],
            sending_networks=NETWORKS,
            host_name="relay.example.net",
            at=datetime(2026, 11, 23, tzinfo=UTC),
        ),
        read,
    )
    return advise(posture)


def test_a_healthy_domain_gets_nothing_but_praise(ask, healthy):
    advices = diagnose(ask, healthy)

    assert {advice.severity for advice in advices} == {S.GOOD}
    assert {advice.subject for advice in advices} == {"MX", "SPF", "DKIM", "DMARC", "MTA-STS", "TLS-RPT", "BIMI"}


SPF, DMARC, DKIM = ("example.com", "TXT"), ("_dmarc.example.com", "TXT"), ("s1._domainkey.example.com", "TXT")


@pytest.mark.parametrize(
    ("place", "held", "severity", "subject", "text", "mend"),
    [
        (("example.com", "MX"), None, S.WEAK, "MX", "has no MX record", ""),
        (("example.com", "MX"), (MX(0, ""),), S.WEAK, "MX", "null MX, RFC 7505", ""),
        (("example.com", "MX"), AnswerStatus.FAILED, S.UNKNOWN, "MX", "ask again later", ""),
        (SPF, None, S.WEAK, "SPF", "has no SPF record", "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 ~all"),
        (SPF, AnswerStatus.FAILED, S.UNKNOWN, "SPF", "did not answer for TXT of example.com: timed out", ""),
        (SPF, (TXT(b"v=spf1 -all"), TXT(b"v=spf1 ~all")), S.BROKEN, "SPF", "there are 2 SPF records", ""),
        (
            SPF,
            "v=spf1 ip6:2001:db8::/48 -all",
            S.BROKEN,
            "SPF",
            "does not permit 192.0.2.25/32, from which this relay sends (fail)",
            "example.com TXT v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 -all",
        ),
        (SPF, "v=spf1 rubbish", S.BROKEN, "SPF", "receivers cannot use the SPF record", ""),
        (
            SPF,
            "v=spf1 ip4:192.0.2.25 +all",
            S.BROKEN,
            "SPF",
            "permits every machine",
            "example.com TXT v=spf1 ip4:192.0.2.25 ~all",
        ),
        (
            SPF,
            "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48",
            S.WEAK,
            "SPF",
            "has no all at its end",
            "example.com TXT v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 ~all",
        ),
        (
            SPF,
            "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48" + " a" * 11 + " ~all",
            S.BROKEN,
            "SPF",
            "needs 11 DNS look-ups, and receivers stop at 10",
            "",
        ),
        (SPF, "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 include:gone.test -all", S.WEAK, "SPF", "gone.test", ""),
        (DKIM, None, S.WEAK, "DKIM", "no DKIM key was found", ""),
        (DKIM, "v=DKIM1; p=", S.WEAK, "DKIM", "no DKIM key was found", ""),
        (DKIM, "v=DKIM1; p=////", S.BROKEN, "DKIM", "receivers cannot use the key at s1._domainkey", ""),
        (DKIM, (TXT(b"a"), TXT(b"b")), S.BROKEN, "DKIM", "there are 2 records", ""),
        (DKIM, AnswerStatus.FAILED, S.UNKNOWN, "DKIM", "did not answer", ""),
        pytest.param(DKIM, key_record(512), S.BROKEN, "DKIM", "so short that receivers must not", "", id="512"),
        pytest.param(DKIM, key_record(1024), S.WEAK, "DKIM", "replace it by one of 2048 bits", "", id="1024"),
        pytest.param(DKIM, key_record(2048, "t=y; "), S.WEAK, "DKIM", "says t=y, testing", "", id="testing"),
        (
            DMARC,
            None,
            S.WEAK,
            "DMARC",
            "there is no DMARC policy",
            "_dmarc.example.com TXT v=DMARC1; p=none; rua=mailto:postmaster@example.com",
        ),
        (DMARC, (TXT(b"v=DMARC1; p=none"),) * 2, S.BROKEN, "DMARC", "there are 2 DMARC records", ""),
        (
            DMARC,
            "v=DMARC1; p=none; rua=mailto:d@example.com",
            S.WEAK,
            "DMARC",
            "only asks for reports",
            "_dmarc.example.com TXT v=DMARC1; p=quarantine; rua=mailto:postmaster@example.com",
        ),
        (DMARC, "v=DMARC1; p=reject", S.HINT, "DMARC", "asks for no reports", ""),
        (DMARC, "v=DMARC1; p=reject; rua=mailto:d@example.com; adkim=s", S.HINT, "DMARC", "Write adkim=r", ""),
        (DMARC, "v=DMARC1; p=reject; rua=mailto:d@example.com; aspf=s", S.HINT, "DMARC", "write aspf=r", ""),
        (DMARC, "v=DMARC1; p=reject; pct=5; rua=mailto:d@example.com", S.HINT, "DMARC", "pct= means nothing", ""),
        (DMARC, AnswerStatus.FAILED, S.UNKNOWN, "DMARC", "ask again later", ""),
        (("_mta-sts.example.com", "TXT"), None, S.HINT, "MTA-STS", "insist on TLS", ""),
        (
            ("_smtp._tls.example.com", "TXT"),
            None,
            S.HINT,
            "TLS-RPT",
            "not asked to report",
            "_smtp._tls.example.com TXT v=TLSRPTv1; rua=mailto:postmaster@example.com",
        ),
        (("default._bimi.example.com", "TXT"), AnswerStatus.FAILED, S.UNKNOWN, "BIMI", "did not answer", ""),
        (("_mta-sts.example.com", "TXT"), (TXT(b"v=STSv1;id=1"),) * 2, S.WEAK, "MTA-STS", "none counts", ""),
    ],
)
def test_one_fault_is_found_named_and_mended(ask, healthy, place, held, severity, subject, text, mend):
    advices = diagnose(ask, {**healthy, place: held})

    worst = advices[0]
    assert (worst.severity, worst.subject) == (severity, subject)
    assert text in worst.text
    assert worst.mend.endswith(mend)
    assert bool(worst.mend) == bool(mend)
    assert all(advice.severity >= S.HINT for advice in advices if advice.subject != subject)


def test_the_worst_comes_first(ask):
    advices = diagnose(ask, {SPF: "v=spf1 +all"})

    assert [advice.severity for advice in advices] == sorted(advice.severity for advice in advices)
    assert advices[0].severity is S.BROKEN
