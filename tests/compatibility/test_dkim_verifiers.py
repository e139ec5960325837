"""Our signatures before the verifiers of others, theirs before ours (OpenDKIM and Mail::DKIM from Debian)."""

import re
import subprocess
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gatepost.standards.dkim import SigningAlgorithm, SigningKey, VerificationStatus, relaxed_body_hash, sign, verify
from gatepost.standards.dns.question import Answer, AnswerStatus
from gatepost.standards.dns.records import TXT
from gatepost.standards.message.header import HeaderField, HeaderSection

pytestmark = pytest.mark.debian

MAIL_DKIM = Path(__file__).with_name("mail_dkim.pl")
TIMEOUT_SECONDS = 30
HEADER = (
    b"Received: from app.example.com (app.example.com [192.0.2.10])\r\n\tby mx.example.net; Mon, 23 Nov 2026\r\n"
    b"From: =?utf-8?q?J=C3=B6?=  <news@example.com>\r\n"
    b"To: a@example.net,\r\n\tb@example.net\r\n"
    b"Subject: Your   order \r\n  is on its way\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"List-Unsubscribe: <https://example.com/1>\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
)
BODIES = {
    "text": b"Hi.\r\n\r\nWe lost the game.\r\n",
    "indented": b"<table>\r\n\t <tr>  <td> x </td>\t\r\n    </tr>  \r\n</table>\r\n\r\n \r\n\r\n",
    "dots": b".\r\n..\r\n.x\r\n",
    "8-bit": "Größe: ½\r\n".encode() * 20,
    "empty": b"",
    "large": b"A line of some text, neither long nor short, again and again.\r\n" * 20_000,
}
FORMS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]


@pytest.fixture(scope="module")
def keys():
    return (
        SigningKey(
            domain="example.com",
            selector="r",
            algorithm=SigningAlgorithm.RSA_SHA256,
            private_key=generate_private_key(65537, 2048),
        ),
        SigningKey(
            domain="example.com",
            selector="e",
            algorithm=SigningAlgorithm.ED25519_SHA256,
            private_key=Ed25519PrivateKey.generate(),
        ),
    )


@pytest.fixture(scope="module")
def zone(keys):
    rsa = keys[0].private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed25519 = keys[1].private_key.public_key().public_bytes_raw()
    return {
        "r._domainkey.example.com": f"v=DKIM1; k=rsa; p={b64encode(rsa).decode()}",
        "e._domainkey.example.com": f"v=DKIM1; k=ed25519; p={b64encode(ed25519).decode()}",
    }


@pytest.fixture
def zone_file(zone, tmp_path):
    path = tmp_path / "zone"
    path.write_text("".join([f"{name} {text}\n" for name, text in zone.items()]))
    return path


@pytest.fixture
def key_files(keys, tmp_path):
    """The private keys as files only we can read."""
    paths = {}
    for key in keys:
        is_rsa = key.algorithm is SigningAlgorithm.RSA_SHA256
        form = PrivateFormat.TraditionalOpenSSL if is_rsa else PrivateFormat.PKCS8
        paths[key.selector] = tmp_path / f"{key.selector}.pem"
        paths[key.selector].touch(mode=0o600)
        paths[key.selector].write_bytes(key.private_key.private_bytes(Encoding.PEM, form, NoEncryption()))
    return paths


@pytest.fixture
def verify_with_opendkim(requires_program, zone_file, tmp_path):
    """Run OpenDKIM's test mode; return selector → result. It calls one signature passed and names each result."""
    opendkim = requires_program("opendkim")

    def run(message: bytes) -> dict[str, str]:
        (tmp_path / "message").write_bytes(message)
        (tmp_path / "conf").write_text(f"Mode v\nTestPublicKeys {zone_file}\n")
        done = subprocess.run(
            [opendkim, "-x", tmp_path / "conf", "-vv", "-t", tmp_path / "message"],
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
        )
        results = re.findall(rb"dkim=(\w+)[^;']*?header\.s=(\w+)", done.stdout)
        assert results, done.stderr
        return {selector.decode(): result.decode() for result, selector in results}

    return run


@pytest.fixture
def sign_with_opendkim(requires_program, key_files, tmp_path):
    """Run OpenDKIM's test mode as a signer; return the message with its field in front."""
    opendkim = requires_program("opendkim")

    def run(message: bytes, key: SigningKey, forms: str) -> bytes:
        (tmp_path / "message").write_bytes(message)
        (tmp_path / "conf").write_text(
            f"Mode s\nDomain {key.domain}\nSelector {key.selector}\nKeyFile {key_files[key.selector]}\n"
            f"SignatureAlgorithm {key.algorithm.value}\nCanonicalization {forms}\nInternalHosts 127.0.0.1\n"
            "RequireSafeKeys no\nOversignHeaders From,Subject\n"
        )
        done = subprocess.run(
            [opendkim, "-x", tmp_path / "conf", "-vv", "-t", tmp_path / "message"],
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
        )
        (value,) = re.findall(rb"hname='DKIM-Signature' hvalue='([^']*)'", done.stdout)
        return b"DKIM-Signature: " + value.replace(b"\n", b"\r\n") + b"\r\n" + message

    return run


@pytest.fixture
def mail_dkim(requires_program):
    """Run a task of ``mail_dkim.pl``."""
    perl = requires_program("perl")
    if subprocess.run([perl, "-MMail::DKIM::Verifier", "-e", "1"], capture_output=True).returncode:
        requires_program("Mail::DKIM (libmail-dkim-perl)")

    def run(message: bytes, *arguments: str | Path) -> bytes:
        done = subprocess.run(
            [perl, MAIL_DKIM, *arguments], input=message, capture_output=True, timeout=TIMEOUT_SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def verify_with_ours(zone):
    """Return the results of our verifier, now."""

    def run(message: bytes):
        verification = verify(message, at=datetime.now(UTC))
        try:
            question = next(verification)
            while True:
                records = (TXT(zone[question.name].encode()),)
                question = verification.send(Answer(status=AnswerStatus.FOUND, records=records))
        except StopIteration as stop:
            return stop.value

    return run


def sign_with_ours(keys, body: bytes) -> bytes:
    fields = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", HEADER)
    section = HeaderSection(tuple([HeaderField(field.partition(b":")[0].lower(), field) for field in fields]))
    assert section.octets == HEADER
    # The clocks of the verifiers are the machine's; ours must not be ahead of them by a rounded second.
    now = datetime.now(UTC) - timedelta(seconds=2)
    signatures = sign(section, relaxed_body_hash(body), keys, signed_at=now, expires_at=now + timedelta(days=7))
    return signatures + HEADER + b"\r\n" + body


def mail_dkim_results(output: bytes) -> list[str]:
    return output.decode().splitlines()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_opendkim_takes_both_our_signatures(keys, verify_with_opendkim, body):
    assert verify_with_opendkim(sign_with_ours(keys, body)) == {"r": "pass", "e": "pass"}


def test_opendkim_refuses_what_was_changed_after_signing(keys, verify_with_opendkim):
    message = sign_with_ours(keys, BODIES["text"]).replace(b"order", b"offer")

    assert verify_with_opendkim(message) == {"r": "fail", "e": "fail"}


def test_opendkim_refuses_a_field_added_after_signing(keys, verify_with_opendkim):
    message = b"From: <evil@example.org>\r\n" + sign_with_ours(keys, BODIES["text"])

    assert verify_with_opendkim(message) == {"r": "fail", "e": "fail"}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_mail_dkim_takes_our_rsa_signature_and_passes_over_ed25519(keys, mail_dkim, zone_file, body):
    results = mail_dkim_results(mail_dkim(sign_with_ours(keys, body), "verify", zone_file))

    # The release in Debian 12 knows no Ed25519; what matters is that it does not spoil the RSA result.
    assert results[0] == "rsa-sha256 r pass"
    assert results[1] in ("ed25519-sha256 e pass", "ed25519-sha256 e invalid")


def test_mail_dkim_refuses_what_was_changed_after_signing(keys, mail_dkim, zone_file):
    message = sign_with_ours(keys, BODIES["text"]).replace(b"lost", b"won")

    assert mail_dkim_results(mail_dkim(message, "verify", zone_file))[0] == "rsa-sha256 r fail"


# OpenDKIM 2.11 beta cannot itself verify what it signs with Ed25519 and the simple form of the header.
@pytest.mark.parametrize(
    ("index", "forms"),
    [pytest.param(0, forms, id=f"rsa {forms}") for forms in FORMS]
    + [pytest.param(1, forms, id=f"ed25519 {forms}") for forms in FORMS if forms.startswith("relaxed/")],
)
@pytest.mark.parametrize("body", ["indented", "empty"])
def test_what_opendkim_signs_passes(keys, sign_with_opendkim, verify_with_ours, index, forms, body):
    (result,) = verify_with_ours(sign_with_opendkim(HEADER + b"\r\n" + BODIES[body], keys[index], forms))

    assert result.status is VerificationStatus.PASS, result.reason


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("body", ["indented", "empty"])
def test_what_mail_dkim_signs_passes(keys, mail_dkim, key_files, verify_with_ours, forms, body):
    message = HEADER + b"\r\n" + BODIES[body]

    field = mail_dkim(message, "sign", "example.com", "r", key_files["r"], forms)
    (result,) = verify_with_ours(field + message)

    assert result.status is VerificationStatus.PASS, result.reason


def test_what_opendkim_testmsg_signs_with_sha1_is_refused(requires_program, key_files, verify_with_ours):
    # The program has no option for another algorithm, and none for keys from elsewhere than the DNS of the machine:
    # as a verifier OpenDKIM is tried above through its test mode, which is the same library.
    program = requires_program("opendkim-testmsg")
    signed = subprocess.run(
        [program, "-C", "-d", "example.com", "-s", "r", "-k", key_files["r"]],
        input=HEADER + b"\r\n" + BODIES["text"],
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    ).stdout

    (result,) = verify_with_ours(signed)

    assert result.status is VerificationStatus.FAIL
    assert "rsa-sha1" in result.reason
