from datetime import timedelta

from gatepost.network.certificates import CertificateFiles, read_certificate
from gatepost.runtime.compose import diagnose, make_first_certificate


def test_first_certificate_is_for_the_host_name_and_makes_its_folder(settings, tmp_path):
    files = CertificateFiles(chain=tmp_path / "tls" / "c.pem", private_key=tmp_path / "tls" / "k.pem")

    make_first_certificate(settings, files, valid_for=timedelta(days=1))

    assert read_certificate(files.chain).covers(settings.host_name)


def test_diagnosis_looks_at_every_subject(settings):
    subjects = {finding.subject for finding in diagnose(settings)}

    assert {
        "state directory",
        "permissions",
        "certificate",
        "ports",
        "limits",
        "disk",
        "clock",
        "database",
        "DNS",
    } <= subjects
