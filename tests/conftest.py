"""Fixtures that more than one kind of test needs."""

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# A busy machine is not a failing test; a failure prints how to repeat it. Continuous integration judges a change, not
# the luck of the draw: there the examples are the same each time. Everywhere else they are new.
hypothesis.settings.register_profile(
    "gatepost", deadline=None, print_blob=True, derandomize=bool(os.environ.get("GATEPOST_NO_SKIPS"))
)
hypothesis.settings.load_profile("gatepost")


def write_certificate(path: Path, common_name: str = "relay.test") -> Path:
    """Write a self-signed ECDSA certificate for localhost with its key as one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def client_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("certificate") / "relay.pem")


@pytest.fixture(scope="session")
def tls_server_context(certificate: Path) -> ssl.SSLContext:
    return server_context(certificate)


@pytest.fixture(scope="session")
def tls_client_context(certificate: Path) -> ssl.SSLContext:
    return client_context(certificate)


@pytest.fixture
def other_server_context(tmp_path: Path) -> ssl.SSLContext:
    """Of a certificate that the test's clients do not trust."""
    return server_context(write_certificate(tmp_path / "other.pem", "other.test"))
