import ssl
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.cli.demo.authority import VALID_FOR, DevelopmentAuthority
from gatepost.network.certificates import CertificateFiles, read_certificate

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def files(tmp_path):
    return CertificateFiles(chain=tmp_path / "a.pem", private_key=tmp_path / "a-key.pem")


def shake_hands(authority, files, name):
    """A handshake in memory by a client that trusts the authority and is as strict as OpenSSL can be."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cadata=authority.pem.decode())
    server.load_cert_chain(files.chain, files.private_key)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.getpeercert()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "relay.test"])
def test_certificate_is_good_for_its_names_with_a_strict_client(files, name):
    authority = DevelopmentAuthority(NOW)

    authority.issue(files, ["localhost", "127.0.0.1", "relay.test"])

    assert shake_hands(authority, files, name)["subject"] == ((("commonName", "localhost"),),)


def test_certificate_is_good_for_no_other_name(files):
    authority = DevelopmentAuthority(NOW)
    authority.issue(files, ["localhost"])

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority, files, "other.test")


def test_nobody_who_trusts_another_authority_takes_it(files):
    DevelopmentAuthority(NOW).issue(files, ["localhost"])

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(DevelopmentAuthority(NOW), files, "localhost")


def test_key_is_its_owners_alone_and_the_certificate_short_lived(files):
    DevelopmentAuthority(NOW).issue(files, ["localhost"])

    assert files.private_key.stat().st_mode & 0o777 == 0o600
    assert read_certificate(files.chain).valid_until - NOW == VALID_FOR <= timedelta(days=30)
