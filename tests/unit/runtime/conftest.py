from datetime import UTC, datetime, timedelta

import pytest

from gatepost.network.certificates import CertificateFiles, make_self_signed
from gatepost.runtime.settings import TLS, Listener, Operations, Settings
from gatepost.runtime.state_dir import make_directories


@pytest.fixture
def certificate(tmp_path):
    files = CertificateFiles(chain=tmp_path / "certificate.pem", private_key=tmp_path / "private-key.pem")
    make_self_signed(files, "mail.example.com", now=datetime.now(UTC), valid_for=timedelta(days=90))
    return files


@pytest.fixture
def settings(tmp_path, certificate):
    settings = Settings(
        host_name="mail.example.com",
        state_dir=tmp_path / "state",
        tls=TLS(certificate=certificate.chain, private_key=certificate.private_key),
        listeners=(Listener(address="127.0.0.1", port=0),),
        operations=Operations(port=0),
    )
    make_directories(settings)
    return settings
