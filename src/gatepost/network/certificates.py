"""Certificates as files: what they say, whether they can be served, and a self-signed one for a start."""

import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.primitives.errors import Misconfigured

CLOCK_TOLERANCE = timedelta(hours=1)
"""A self-signed certificate is valid from this long ago, for clients whose clock is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """A chain (the certificate, then its intermediates) and the certificate's private key, both PEM."""

    chain: Path
    private_key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What the first certificate of a chain says about itself.

    Attributes:
        names: DNS names and IP addresses it is for (the common name counts for nothing, RFC 9525 §2).
        is_self_signed: Its issuer is its subject; no client that verifies will take it without being told to.
    """

    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    is_self_signed: bool

    def covers(self, host_name: str) -> bool:
        """Whether it is for that name, wildcards in the left-most label included (RFC 9525 §6.3)."""
        host_name = host_name.lower().rstrip(".")
        wildcard = "*." + host_name.partition(".")[2]
        return any(name.lower() in (host_name, wildcard) for name in self.names)


def read_certificate(path: Path) -> CertificateFacts:
    """Read the first certificate of a PEM file. Raises ``Misconfigured`` if there is none."""
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise Misconfigured(f"cannot read the certificate {path}: {error.strerror}") from error
    except ValueError as error:
        raise Misconfigured(f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)") from error
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        extension = x509.SubjectAlternativeName([])
    return CertificateFacts(
        names=(
            *extension.get_values_for_type(x509.DNSName),
            *[str(address) for address in extension.get_values_for_type(x509.IPAddress)],
        ),
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
        is_self_signed=certificate.issuer == certificate.subject,
    )


def make_self_signed(files: CertificateFiles, host_name: str, *, now: datetime, valid_for: timedelta) -> None:
    """Write a new ECDSA P-256 key (mode 0600) and a certificate for the host name, signed by that key itself.

    Good for a start and for clients that are told to trust it; nobody else will. Raises ``FileExistsError`` rather
    than overwrite either file.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host_name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + valid_for)
        .add_extension(x509.SubjectAlternativeName([_general_name(host_name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new_file(files.private_key, pem_key, mode=0o600)
    write_new_file(files.chain, certificate.public_bytes(Encoding.PEM), mode=0o644)


def write_new_file(path: Path, octets: bytes, *, mode: int) -> None:
    """Make a file with that mode from the first moment on. Raises ``FileExistsError`` if it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(descriptor)


def _general_name(host_name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host_name))
    except ValueError:
        return x509.DNSName(host_name)
