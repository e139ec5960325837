"""Five signers before five verifiers: ours, dkimpy, Mail::DKIM and OpenDKIM (both from Debian 12), mailauth."""

import re
import subprocess
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from tests.compatibility.conftest import RequireProgram
from tests.support.dkim_peers import (
    DOMAIN,
    SELECTORS,
    TIMEOUT_SECONDS,
    Dkimpy,
    KeyRing,
    Mailauth,
    MailDKIM,
    OpenDKIM,
    Ours,
    Peer,
    SigningFailed,
)

from gatepost.standards.dkim import SigningAlgorithm, VerificationStatus

pytestmark = pytest.mark.debian

HERE = Path(__file__).parent
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
RSA, ED25519 = SigningAlgorithm.RSA_SHA256, SigningAlgorithm.ED25519_SHA256
RELAXED, SIMPLE = "relaxed/relaxed", "simple/simple"
FORMS = [RELAXED, "relaxed/simple", "simple/relaxed", SIMPLE]

PEERS = ["ours", "dkimpy", "Mail::DKIM", "OpenDKIM", "mailauth"]
# What becomes of a cell that cannot be. Ours signs in the relaxed forms only. The Mail::DKIM of Debian 12 knows no
# Ed25519: it refuses to sign, and calls a signature invalid. OpenDKIM 2.11 beta spoils what it signs with Ed25519
# over the simple header, and does not itself take it. A cell that comes to pass is to be taken out of these tables.
CANNOT_SIGN, SIGNS_OTHER_FORMS, NOT_TAKEN = "cannot sign", "signs in other forms", "not taken"
SIGNERS_LIMITS = {
    ("ours", RSA, SIMPLE): SIGNS_OTHER_FORMS,
    ("ours", ED25519, SIMPLE): SIGNS_OTHER_FORMS,
    ("Mail::DKIM", ED25519, RELAXED): CANNOT_SIGN,
    ("Mail::DKIM", ED25519, SIMPLE): CANNOT_SIGN,
    ("OpenDKIM", ED25519, SIMPLE): NOT_TAKEN,
}
VERIFIERS_LIMITS = {("Mail::DKIM", ED25519): NOT_TAKEN}

PeerCalled = Callable[[str], Peer]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def ours(ring: KeyRing) -> Ours:
    return Ours(ring)


@pytest.fixture(scope="module")
def mail_dkim(ring: KeyRing, requires_program: RequireProgram) -> MailDKIM:
    perl = requires_program("perl")
    if subprocess.run([perl, "-MMail::DKIM::Verifier", "-e", "1"], capture_output=True).returncode:
        requires_program("Mail::DKIM (libmail-dkim-perl)")
    return MailDKIM(ring, perl, HERE / "mail_dkim.pl")


@pytest.fixture(scope="module")
def opendkim(ring: KeyRing, requires_program: RequireProgram, tmp_path_factory: pytest.TempPathFactory) -> OpenDKIM:
    return OpenDKIM(ring, requires_program("opendkim"), tmp_path_factory.mktemp("opendkim"))


@pytest.fixture(scope="module")
def mailauth(ring: KeyRing, requires_program: RequireProgram, node_folder: Path) -> Mailauth:
    return Mailauth(ring, requires_program("node"), node_folder / "dkim.cjs")


@pytest.fixture(scope="module")
def peer(ring: KeyRing, request: pytest.FixtureRequest) -> PeerCalled:
    """Return a peer by name; only those asked for need be there."""

    def find(name: str) -> Peer:
        if name == "dkimpy":
            return Dkimpy(ring)
        return request.getfixturevalue(name.lower().replace("::", "_"))

    return find


@pytest.fixture(scope="module")
def signed(peer: PeerCalled) -> Callable[[str, SigningAlgorithm, str], bytes]:
    """Return a message signed by a peer, the same for all verifiers."""

    @cache
    def sign(signer: str, algorithm: SigningAlgorithm, forms: str) -> bytes:
        return peer(signer).sign(HEADER + b"\r\n" + BODIES["indented"], algorithm, forms)

    return sign


def tag(message: bytes, name: bytes) -> str:
    """Return a tag of the signature on top."""
    return re.search(rb"\A[^;]*(?:;[^;]*)*?[;:]\s*%b=([^;\s]*)" % name, message)[1].decode()


@pytest.mark.parametrize(
    ("signer", "verifier", "algorithm", "forms"),
    [
        pytest.param(*cell, id="{} to {} {} {}".format(*cell[:2], cell[2].value, cell[3]))
        for cell in product(PEERS, PEERS, SigningAlgorithm, [RELAXED, SIMPLE])
    ],
)
def test_what_one_signs_another_takes(peer, signed, signer, verifier, algorithm, forms):
    limit = SIGNERS_LIMITS.get((signer, algorithm, forms)) or VERIFIERS_LIMITS.get((verifier, algorithm))

    assert outcome(peer(verifier), signed, signer, algorithm, forms) == (limit or "pass")


def outcome(verifier: Peer, signed, signer: str, algorithm: SigningAlgorithm, forms: str) -> str:
    try:
        message = signed(signer, algorithm, forms)
    except SigningFailed:
        return CANNOT_SIGN
    assert tag(message, b"a") == algorithm.value
    if tag(message, b"c") != forms:
        return SIGNS_OTHER_FORMS
    results = verifier.verify(message)
    assert list(results) == [SELECTORS[algorithm]]
    return "pass" if results[SELECTORS[algorithm]] == "pass" else NOT_TAKEN


@pytest.mark.parametrize("verifier", PEERS)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda message: message.replace(b"order", b"offer"), id="subject"),
        pytest.param(lambda message: message.replace(b"lost", b"won"), id="body"),
        pytest.param(lambda message: b"From: <evil@example.org>\r\n" + message, id="author added"),
    ],
)
def test_nobody_takes_what_was_changed_after_we_signed(peer, ours, verifier, change):
    results = peer(verifier).verify(change(ours.sign_with_both(HEADER + b"\r\n" + BODIES["text"])))

    assert set(results) == {"r", "e"}
    assert "pass" not in results.values()


@pytest.mark.parametrize("verifier", PEERS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_both_our_signatures_are_taken(peer, ours, verifier, body):
    results = peer(verifier).verify(ours.sign_with_both(HEADER + b"\r\n" + body))

    # Where Ed25519 is not known, what matters is that it does not spoil the RSA result.
    knows_ed25519 = (verifier, ED25519) not in VERIFIERS_LIMITS
    assert results == {"r": "pass", "e": "pass" if knows_ed25519 else "invalid"}


# See SIGNERS_LIMITS for what is not here.
@pytest.mark.parametrize(
    ("signer", "algorithm", "forms"),
    [
        pytest.param(signer, algorithm, forms, id=f"{signer} {algorithm.value} {forms}")
        for signer, algorithm, forms in product(PEERS[1:], SigningAlgorithm, FORMS)
        if not (signer == "Mail::DKIM" and algorithm is ED25519)
        and not (signer == "OpenDKIM" and algorithm is ED25519 and forms.startswith("simple/"))
    ],
)
@pytest.mark.parametrize("body", ["indented", "empty"])
def test_we_take_every_mixture_of_forms(peer, ours, signer, algorithm, forms, body):
    (result,) = ours.verifications(peer(signer).sign(HEADER + b"\r\n" + BODIES[body], algorithm, forms))

    assert result.status is VerificationStatus.PASS, result.reason


def test_what_opendkim_testmsg_signs_with_sha1_is_refused(requires_program, ring, ours):
    # The program has no option for another algorithm, and none for keys from elsewhere than the DNS of the machine:
    # as a verifier OpenDKIM is tried above through its test mode, which is the same library.
    program = requires_program("opendkim-testmsg")
    signed = subprocess.run(
        [program, "-C", "-d", DOMAIN, "-s", "r", "-k", ring.files[RSA]],
        input=HEADER + b"\r\n" + BODIES["text"],
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    ).stdout

    (result,) = ours.verifications(signed)

    assert result.status is VerificationStatus.FAIL
    assert "rsa-sha1" in result.reason
