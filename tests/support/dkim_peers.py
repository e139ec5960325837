"""Five signers and verifiers of DKIM with one shape: ours, dkimpy, Mail::DKIM, OpenDKIM, mailauth.

All have the keys of one ``KeyRing`` and find the public ones without the DNS of the machine.
"""

import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gatepost.standards.dkim import SigningAlgorithm, SigningKey, Verification, relaxed_body_hash, sign, verify
from gatepost.standards.dns.question import Answer, AnswerStatus
from gatepost.standards.dns.records import TXT
from gatepost.standards.message.header import HeaderField, HeaderSection

TIMEOUT_SECONDS = 30
DOMAIN = "example.com"
SELECTORS = {SigningAlgorithm.RSA_SHA256: "r", SigningAlgorithm.ED25519_SHA256: "e"}


class KeyRing:
    """One key of each algorithm, as objects, as files that only we can read, and as a zone."""

    def __init__(self, folder: Path) -> None:
        private_keys = (generate_private_key(65537, 2048), Ed25519PrivateKey.generate())
        self.keys = {
            algorithm: SigningKey(domain=DOMAIN, selector=selector, algorithm=algorithm, private_key=private_key)
            for (algorithm, selector), private_key in zip(SELECTORS.items(), private_keys, strict=True)
        }
        rsa, ed25519 = [key.public_key() for key in private_keys]
        rsa_octets = rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.zone = {
            f"r._domainkey.{DOMAIN}": f"v=DKIM1; k=rsa; p={b64encode(rsa_octets).decode()}",
            f"e._domainkey.{DOMAIN}": f"v=DKIM1; k=ed25519; p={b64encode(ed25519.public_bytes_raw()).decode()}",
        }
        self.zone_file = folder / "zone"
        self.zone_file.write_text("".join([f"{name} {text}\n" for name, text in self.zone.items()]))
        self.files = {algorithm: folder / f"{key.selector}.pem" for algorithm, key in self.keys.items()}
        forms = (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8)
        for path, private_key, form in zip(self.files.values(), private_keys, forms, strict=True):
            path.touch(mode=0o600)
            path.write_bytes(private_key.private_bytes(Encoding.PEM, form, NoEncryption()))


class SigningFailed(Exception):
    """The peer said that it does not sign so."""


class Peer(Protocol):
    """A signer and verifier."""

    def sign(self, message: bytes, algorithm: SigningAlgorithm, forms: str) -> bytes:
        """Return the message with a signature in front, or raise SigningFailed."""

    def verify(self, message: bytes) -> dict[str, str]:
        """Return selector → result; ``pass``, or what the peer calls it otherwise."""


def run(*command: str | Path, message: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=message, capture_output=True, timeout=TIMEOUT_SECONDS)


def output_of(done: subprocess.CompletedProcess[bytes]) -> bytes:
    assert done.returncode == 0, done.stderr
    return done.stdout


def signature_of(done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        raise SigningFailed(done.stderr.decode())
    return done.stdout


class Ours:
    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def sign(self, message: bytes, algorithm: SigningAlgorithm, forms: str) -> bytes:
        """Sign. There is no way to ask our signer for other forms than relaxed/relaxed."""
        return self.sign_with([self._ring.keys[algorithm]], message)

    def sign_with_both(self, message: bytes) -> bytes:
        return self.sign_with(list(self._ring.keys.values()), message)

    def sign_with(self, keys: Sequence[SigningKey], message: bytes) -> bytes:
        header, _, body = message.partition(b"\r\n\r\n")
        fields = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", header + b"\r\n")
        section = HeaderSection(tuple([HeaderField(field.partition(b":")[0].lower(), field) for field in fields]))
        assert section.octets == header + b"\r\n"
        # The clocks of the verifiers are the machine's; ours must not be ahead of them by a rounded second.
        now = datetime.now(UTC) - timedelta(seconds=2)
        return sign(section, relaxed_body_hash(body), keys, signed_at=now, expires_at=now + timedelta(days=7)) + message

    def verify(self, message: bytes) -> dict[str, str]:
        return {result.signature.selector: result.status.value for result in self.verifications(message)}

    def verifications(self, message: bytes) -> Sequence[Verification]:
        verification = verify(message, at=datetime.now(UTC))
        try:
            question = next(verification)
            while True:
                records = (TXT(self._ring.zone[question.name].encode()),)
                question = verification.send(Answer(status=AnswerStatus.FOUND, records=records))
        except StopIteration as stop:
            return stop.value


class Dkimpy:
    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def sign(self, message: bytes, algorithm: SigningAlgorithm, forms: str) -> bytes:
        key = self._ring.keys[algorithm]
        if algorithm is SigningAlgorithm.RSA_SHA256:
            private_key = self._ring.files[algorithm].read_bytes()
        else:
            private_key = b64encode(key.private_key.private_bytes_raw())
        field = dkim.sign(
            message,
            key.selector.encode(),
            key.domain.encode(),
            private_key,
            canonicalize=tuple(forms.encode().split(b"/")),
            signature_algorithm=algorithm.value.encode(),
        )
        return field + message

    def verify(self, message: bytes) -> dict[str, str]:
        results = {}
        for index in range(len(re.findall(rb"(?m)^DKIM-Signature:", message.partition(b"\r\n\r\n")[0]))):
            verifier = dkim.DKIM(message)
            try:
                result = "pass" if verifier.verify(idx=index, dnsfunc=self._find) else "fail"
            except dkim.ValidationError:
                result = "fail"
            results[verifier.signature_fields[b"s"].decode()] = result
        return results

    def _find(self, name: bytes, timeout: float) -> str:
        return self._ring.zone[name.decode().removesuffix(".")]


class MailDKIM:
    """Through ``mail_dkim.pl``."""

    def __init__(self, ring: KeyRing, perl: str, script: Path) -> None:
        self._ring = ring
        self._command = (perl, script)

    def sign(self, message: bytes, algorithm: SigningAlgorithm, forms: str) -> bytes:
        key, file = self._ring.keys[algorithm], self._ring.files[algorithm]
        options = ("sign", key.domain, key.selector, file, algorithm.value, forms)
        return signature_of(run(*self._command, *options, message=message)) + message

    def verify(self, message: bytes) -> dict[str, str]:
        lines = output_of(run(*self._command, "verify", self._ring.zone_file, message=message)).decode().splitlines()
        return {selector: result for _, selector, result in [line.split() for line in lines]}


class OpenDKIM:
    """Through the test mode of the milter; as a verifier it says one signature passed and names each result."""

    def __init__(self, ring: KeyRing, program: str, folder: Path) -> None:
        self._ring = ring
        self._program = program
        self._folder = folder

    def sign(self, message: bytes, algorithm: SigningAlgorithm, forms: str) -> bytes:
        key = self._ring.keys[algorithm]
        done = self._run(
            f"Mode s\nDomain {key.domain}\nSelector {key.selector}\nKeyFile {self._ring.files[algorithm]}\n"
            f"SignatureAlgorithm {algorithm.value}\nCanonicalization {forms}\nInternalHosts 127.0.0.1\n"
            "RequireSafeKeys no\nOversignHeaders From,Subject\n",
            message,
        )
        (value,) = re.findall(rb"hname='DKIM-Signature' hvalue='([^']*)'", signature_of(done))
        return b"DKIM-Signature: " + value.replace(b"\n", b"\r\n") + b"\r\n" + message

    def verify(self, message: bytes) -> dict[str, str]:
        done = self._run(f"Mode v\nTestPublicKeys {self._ring.zone_file}\n", message)
        results = re.findall(rb"dkim=(\w+)[^;']*?header\.s=(\w+)", done.stdout)
        assert results, done.stderr
        return {selector.decode(): result.decode() for result, selector in results}

    def _run(self, configuration: str, message: bytes) -> subprocess.CompletedProcess[bytes]:
        (self._folder / "message").write_bytes(message)
        (self._folder / "conf").write_text(configuration)
        return run(self._program, "-x", self._folder / "conf", "-vv", "-t", self._folder / "message")


class Mailauth:
    """Through ``dkim.cjs``."""

    def __init__(self, ring: KeyRing, node: str, script: Path) -> None:
        self._ring = ring
        self._command = (node, script)

    def sign(self, message: bytes, algorithm: SigningAlgorithm, forms: str) -> bytes:
        key, file = self._ring.keys[algorithm], self._ring.files[algorithm]
        options = ("sign", key.domain, key.selector, file, algorithm.value, forms)
        return signature_of(run(*self._command, *options, message=message)) + message

    def verify(self, message: bytes) -> dict[str, str]:
        return json.loads(output_of(run(*self._command, "verify", self._ring.zone_file, message=message)))
