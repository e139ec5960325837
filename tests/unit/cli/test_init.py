import os
import pty
import stat
import subprocess
import sys
import tomllib

import pytest

from gatepost.network.certificates import CertificateFiles, read_certificate
from gatepost.network.tls_contexts import ServerTLS
from gatepost.runtime.settings_loader import load_settings
from gatepost.system.clock import SystemClock


def test_settings_file_can_be_loaded_and_says_what_was_given(initialised, tmp_path):
    settings = load_settings(initialised, {})

    assert settings.host_name == "mail.example.com"
    assert settings.state_dir == tmp_path / "state"


def test_state_directory_is_for_its_owner_alone(initialised, tmp_path):
    for path in (tmp_path / "state", tmp_path / "state" / "queue", tmp_path / "state" / "run"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_self_signed_certificate_can_be_served(initialised):
    tls = load_settings(initialised, {}).tls

    ServerTLS([CertificateFiles(chain=tls.certificate, private_key=tls.private_key)], ["587"], SystemClock())

    assert read_certificate(tls.certificate).names == ("mail.example.com",)


def test_settings_file_that_is_there_is_kept_and_what_it_names_is_made(run, initialised, tmp_path):
    before = initialised.read_bytes()
    (tmp_path / "state" / "queue").rmdir()

    status, said, _ = run("init", "--config", initialised, "--no-questions")

    assert (status, initialised.read_bytes()) == (0, before)
    assert said.startswith(f"Kept {initialised}")
    assert (tmp_path / "state" / "queue").is_dir()


def test_options_for_a_settings_file_that_is_there_are_refused(run, initialised):
    before = initialised.read_bytes()

    status, _, error = run("init", "--config", initialised, "--host-name", "b.example", "--no-questions")

    assert status == 2
    assert "exists already" in error
    assert initialised.read_bytes() == before


def test_certificate_that_is_there_is_kept(run, initialised, tmp_path):
    key = (tmp_path / "state" / "tls" / "private-key.pem").read_bytes()
    initialised.unlink()

    status, said, _ = run(
        "init", "--config", initialised, "--host-name", "mail.example.com", "--state-dir", tmp_path / "state",
        "--self-signed", "--no-questions",
    )  # fmt: skip

    assert status == 0
    assert "Kept the certificate" in said
    assert (tmp_path / "state" / "tls" / "private-key.pem").read_bytes() == key


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--host-name", "not a name"), "host_name has not the right form"),
        (("--certificate", "c.pem"), "tls.private_key is missing"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_written(run, config, tmp_path, flags, said):
    status, _, error = run("init", "--config", config, "--state-dir", tmp_path / "state", "--no-questions", *flags)

    assert status == 2
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_given_certificate_is_named_and_not_copied(run, config, tmp_path):
    run(
        "init", "--config", config, "--host-name", "a.example", "--state-dir", tmp_path / "state",
        "--certificate", tmp_path / "c", "--private-key", tmp_path / "k", "--no-questions",
    )  # fmt: skip

    tls = tomllib.loads(config.read_text())["tls"]
    assert tls == {"certificate": str(tmp_path / "c"), "private_key": str(tmp_path / "k")}


def test_place_that_cannot_be_written_is_told(run, config, tmp_path):
    (tmp_path / "file").touch()

    status, _, error = run(
        "init", "--config", config, "--host-name", "a.example", "--state-dir", tmp_path / "file" / "state",
        "--no-questions",
    )  # fmt: skip

    assert status == 2
    assert "Not a directory; run this as root, or choose other places" in error


def test_at_a_terminal_a_given_certificate_is_not_made(tmp_path):
    words = ["init", "--config", tmp_path / "g.toml", "--host-name", "a.example", "--state-dir", tmp_path / "state"]
    given = ["--certificate", tmp_path / "c", "--private-key", tmp_path / "k"]

    status = _at_a_terminal(*words, *given)

    assert status == 0
    assert not (tmp_path / "c").exists()


def test_at_a_terminal_a_certificate_for_a_start_is_offered(tmp_path):
    words = ["init", "--config", tmp_path / "g.toml", "--host-name", "a.example", "--state-dir", tmp_path / "state"]

    status = _at_a_terminal(*words, typed=b"\n")

    assert status == 0
    assert (tmp_path / "state" / "tls" / "certificate.pem").exists()


def _at_a_terminal(*words: object, typed: bytes = b"") -> int:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)
        return subprocess.run(
            [sys.executable, "-m", "gatepost", *map(str, words)], stdin=theirs, capture_output=True, timeout=60
        ).returncode
    finally:
        os.close(ours)
        os.close(theirs)
