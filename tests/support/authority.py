"""A certification authority of the test's own, and one certificate for ``localhost``."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LOCAL_NAMES = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
_LONG = timedelta(days=2)


def make_authority_and_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Write and return ``ca.pem``, ``certificate.pem`` (for localhost and 127.0.0.1) and ``private-key.pem``."""
    return make_certificate(folder, LOCAL_NAMES, valid_until=datetime.now(UTC) + timedelta(days=2))


def make_certificate(
    folder: Path, names: Sequence[x509.GeneralName], *, valid_until: datetime
) -> tuple[Path, Path, Path]:
    """As ``make_authority_and_certificate``, for these names and until then; valid from a day before that."""
    ca_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    ca = _certificate("Test authority", ca_key, "Test authority", ca_key, valid_until=datetime.now(UTC) + _LONG)
    leaf = _certificate("localhost", key, "Test authority", ca_key, valid_until=valid_until, names=names)
    paths = (folder / "ca.pem", folder / "certificate.pem", folder / "private-key.pem")
    paths[0].write_bytes(ca.public_bytes(Encoding.PEM))
    paths[1].write_bytes(leaf.public_bytes(Encoding.PEM))
    paths[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    paths[2].chmod(0o600)
    return paths


def _certificate(
    subject: str,
    key: EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: EllipticCurvePrivateKey,
    *,
    valid_until: datetime,
    names: Sequence[x509.GeneralName] = (),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_until - timedelta(days=3))
        .not_valid_after(valid_until)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
