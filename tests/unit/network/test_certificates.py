import stat
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.network.certificates import CertificateFacts, CertificateFiles, make_self_signed, read_certificate
from gatepost.primitives.errors import Misconfigured

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def files(tmp_path):
    return CertificateFiles(chain=tmp_path / "certificate.pem", private_key=tmp_path / "private-key.pem")


def make(files, name="mail.example.com"):
    make_self_signed(files, name, now=NOW, valid_for=timedelta(days=90))


def test_self_signed_certificate_says_what_was_asked(files):
    make(files)

    facts = read_certificate(files.chain)
    assert facts.names == ("mail.example.com",)
    assert facts.valid_from <= NOW
    assert facts.valid_until == NOW + timedelta(days=90)
    assert facts.is_self_signed


def test_private_key_is_for_its_owner_alone(files):
    make(files)

    assert stat.S_IMODE(files.private_key.stat().st_mode) == 0o600


def test_nothing_is_overwritten(files):
    files.private_key.write_text("mine")

    with pytest.raises(FileExistsError):
        make(files)
    assert files.private_key.read_text() == "mine"
    assert not files.chain.exists()


def test_certificate_for_an_address_names_the_address(files):
    make(files, "127.0.0.1")

    assert read_certificate(files.chain).covers("127.0.0.1")


@pytest.mark.parametrize(
    ("names", "host_name", "covered"),
    [
        (("mail.example.com",), "MAIL.example.com.", True),
        (("*.example.com",), "mail.example.com", True),
        (("*.example.com",), "a.mail.example.com", False),
        (("*.example.com",), "example.com", False),
        (("example.com",), "mail.example.com", False),
        ((), "mail.example.com", False),
    ],
)
def test_names_are_matched_as_clients_do(names, host_name, covered):
    facts = CertificateFacts(names=names, valid_from=NOW, valid_until=NOW, is_self_signed=False)

    assert facts.covers(host_name) is covered


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot read"), (b"", "no certificate"), (b"x", "no certificate")]
)
def test_file_without_a_certificate_is_told(files, content, said):
    if content is not None:
        files.chain.write_bytes(content)

    with pytest.raises(Misconfigured, match=said):
        read_certificate(files.chain)
