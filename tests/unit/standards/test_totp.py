"""The vectors of RFC 4226 Appendix D and RFC 6238 Appendix B."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from gatepost.standards.totp import find_step, hotp, provisioning_uri, secret_text, step_at

SECRET = b"12345678901234567890"
NOW = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
CODES = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]


@pytest.mark.parametrize(("counter", "code"), [*enumerate(CODES)])
def test_codes_are_those_of_rfc_4226(counter, code):
    assert hotp(SECRET, counter) == code


@pytest.mark.parametrize(
    ("seconds", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds, sha1, sha256, sha512):
    step = step_at(datetime.fromtimestamp(seconds, UTC))
    long = b"1234567890" * 7

    codes = [
        hotp(secret, step, digits=8, algorithm=name)
        for name, secret in (("sha1", SECRET), ("sha256", long[:32]), ("sha512", long[:64]))
    ]

    assert codes == [sha1, sha256, sha512]


@pytest.mark.parametrize("away", [-1, 0, 1])
def test_a_code_of_a_step_beside_the_present_one_is_found(away):
    step = step_at(NOW) + away

    assert find_step(SECRET, hotp(SECRET, step), NOW) == step


@pytest.mark.parametrize("away", [-2, 2, 10])
def test_a_code_further_away_is_found_only_when_asked_for(away):
    step = step_at(NOW) + away

    assert find_step(SECRET, hotp(SECRET, step), NOW) is None
    assert find_step(SECRET, hotp(SECRET, step), NOW, tolerance=abs(away)) == step


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", " 23456", "-12345"])
def test_what_is_no_code_is_of_no_step(code):
    assert find_step(SECRET, code, NOW) is None


def test_a_step_ends_after_thirty_seconds():
    assert step_at(NOW + timedelta(seconds=19)) == step_at(NOW)
    assert step_at(NOW + timedelta(seconds=20)) == step_at(NOW) + 1


def test_an_application_reads_secret_and_names():
    uri = urlsplit(provisioning_uri(SECRET, issuer="mail.example.com", account="ann & bob"))

    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/mail.example.com:ann%20%26%20bob")
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["mail.example.com"], "digits": ["6"],
        "period": ["30"],
    }  # fmt: skip
    assert secret_text(b"\x00" * 19) == "A" * 31
