import json

import pytest


def findings(said):
    return {(row["subject"], row["verdict"]) for row in json.loads(said)}


@pytest.fixture
def checked(run, initialised, monkeypatch):
    monkeypatch.setenv("GATEPOST_LISTENERS", '[{address = "127.0.0.1", port = 0}]')
    monkeypatch.setenv("GATEPOST_OPERATIONS__PORT", "0")
    return lambda *flags: run("check", "--config", initialised, *flags)


def test_findings_are_told_with_how_to_mend_them(checked):
    _, said, _ = checked()

    assert "ok    settings: " in said
    assert "self-signed: clients that verify refuse it\n      → get one from a certificate authority" in said


def test_findings_can_be_had_as_json(checked):
    _, said, _ = checked("--json")

    assert {("settings", "ok"), ("state directory", "ok"), ("certificate", "warn"), ("ports", "ok")} <= findings(said)


def test_finding_that_keeps_the_service_from_working_is_status_1(checked, tmp_path):
    (tmp_path / "state" / "queue").chmod(0o755)

    status, said, _ = checked("--json")

    assert status == 1
    assert ("state directory", "fail") in findings(said)


def test_settings_that_cannot_be_read_are_a_finding_too(run, config):
    status, said, _ = run("check", "--config", config, "--json")

    assert status == 1
    assert findings(said) == {("settings", "fail")}
