import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from gatepost.network.certificates import CertificateFiles
from gatepost.network.tls_contexts import ServerTLS
from gatepost.primitives.errors import Misconfigured

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Clock:
    def now(self):
        return NOW


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def write(folder, name="a", key=EC_KEY, until=NOW + timedelta(days=1), since=NOW - timedelta(days=1), password=None):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(since)
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    files = CertificateFiles(chain=folder / f"{name}.pem", private_key=folder / f"{name}.key")
    files.chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    files.private_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return files


def client(**changes):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def shake_hands(server_context, client_context, session=None):
    """A handshake in memory; returns the client's side, after the server's tickets have come."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    ours = client_context.wrap_bio(to_client, to_server, session=session)
    waiting = [ours, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert waiting == []
    server.write(b"220 ")
    ours.read(4)
    return ours


def subject(tls):
    return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True)).subject.rfc4514_string()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_served(folder, version):
    tls = ServerTLS([write(folder)], ["587"], Clock())

    shaken = shake_hands(tls.context_for("587")(), client(minimum_version=version, maximum_version=version))

    assert shaken.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_not(folder):
    tls = ServerTLS([write(folder)], ["587"], Clock())
    old = client(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError):
        shake_hands(tls.context_for("587")(), old)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"])
def test_ciphers_outside_the_profile_are_refused(folder, cipher):
    tls = ServerTLS([write(folder)], ["587"], Clock())
    weak = client(maximum_version=ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers(cipher)

    with pytest.raises(ssl.SSLError):
        shake_hands(tls.context_for("587")(), weak)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_of_two_chains_ecdsa_is_preferred(folder, version):
    chains = [write(folder, "rsa", RSA_KEY), write(folder, "ecdsa", EC_KEY)]
    tls = ServerTLS(chains, ["587"], Clock())

    shaken = shake_hands(tls.context_for("587")(), client(minimum_version=version, maximum_version=version))

    assert subject(shaken) == "CN=ecdsa"


def test_of_two_chains_rsa_serves_who_cannot_do_ecdsa(folder):
    tls = ServerTLS([write(folder, "ecdsa", EC_KEY), write(folder, "rsa", RSA_KEY)], ["587"], Clock())
    old = client(maximum_version=ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")

    assert subject(shake_hands(tls.context_for("587")(), old)) == "CN=rsa"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_ticket_resumes_at_its_own_listener_and_at_no_other(folder, version):
    tls = ServerTLS([write(folder)], ["587", "465"], Clock())
    ours = client(minimum_version=version, maximum_version=version)
    first = shake_hands(tls.context_for("587")(), ours)

    same = shake_hands(tls.context_for("587")(), ours, session=first.session)
    other = shake_hands(tls.context_for("465")(), ours, session=first.session)

    assert same.session_reused
    assert not other.session_reused


def test_reload_shows_the_new_certificate_from_the_next_handshake_on(folder):
    files = write(folder)
    tls = ServerTLS([files], ["587"], Clock())
    context_now = tls.context_for("587")
    before = context_now()
    renewed = write(folder, "b", RSA_KEY, until=NOW + timedelta(days=9))
    renewed.chain.replace(files.chain)
    renewed.private_key.replace(files.private_key)

    tls.reload([files])

    assert subject(shake_hands(context_now(), client())) == "CN=b"
    assert subject(shake_hands(before, client())) == "CN=a"
    assert tls.expires_at == NOW + timedelta(days=9)


def test_reload_that_fails_keeps_what_was_served(folder):
    files = write(folder)
    tls = ServerTLS([files], ["587"], Clock())
    files.private_key.write_text("nonsense")

    with pytest.raises(Misconfigured):
        tls.reload([files])

    assert subject(shake_hands(tls.context_for("587")(), client())) == "CN=a"


def test_expiry_is_that_of_the_first_to_expire(folder):
    chains = [write(folder, "a"), write(folder, "b", RSA_KEY, until=NOW + timedelta(hours=1))]

    assert ServerTLS(chains, ["587"], Clock()).expires_at == NOW + timedelta(hours=1)


def test_unknown_listener_is_an_error_at_start_not_at_a_handshake(folder):
    with pytest.raises(KeyError):
        ServerTLS([write(folder)], ["587"], Clock()).context_for("25")


def broken(folder, how):
    files = write(folder, key=EC_KEY)
    if how == "another key":
        other = write(folder, "other", ec.generate_private_key(ec.SECP256R1()))
        files.private_key.write_bytes(other.private_key.read_bytes())
    elif how == "a key of another kind":
        files.private_key.write_bytes(write(folder, "other", RSA_KEY).private_key.read_bytes())
    elif how == "expired":
        files = write(folder, until=NOW, since=NOW - timedelta(days=9))
    elif how == "early":
        files = write(folder, since=NOW + timedelta(hours=1))
    elif how == "encrypted":
        files = write(folder, password=b"x")
    elif how == "no key":
        files.private_key.unlink()
    elif how == "not a key":
        files.private_key.write_text("-----BEGIN NOTHING-----")
    return files


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("another key", "does not belong to the certificate"),
        ("a key of another kind", "does not belong to the certificate"),
        ("expired", "expired on 2026-11-23"),
        ("early", "clock right"),
        ("encrypted", "is encrypted"),
        ("no key", "No such file"),
        ("not a key", "cannot serve"),
    ],
)
def test_what_cannot_be_served_is_told_with_its_file(folder, how, said):
    files = broken(folder, how)

    with pytest.raises(Misconfigured, match=said) as caught:
        ServerTLS([files], ["587"], Clock())
    assert str(folder) in str(caught.value)
